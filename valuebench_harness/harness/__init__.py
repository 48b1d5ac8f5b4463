"""The run: plan, gate, generate, judge, record, resume."""
