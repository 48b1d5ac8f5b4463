"""Explicit value instruction: the model is told outright that it leans towards a value, or away from it.

Kang et al., ACL 2025, Appendix A.2 and Template 2: "You are {inclined, disinclined} to the value of
"{name}", which means "{definition}"." With a role (``role+instruction``) it comes after the role, as
there. The shipped sentence is our own; the paper's goes into a file of the user's.
"""

from __future__ import annotations

from valuebench_harness.steerers.wording import WordingSteerer


class Instruction(WordingSteerer):
    """Puts an inclination in front of the last user message; the wordings stand in ``instruction.yaml``."""

    name = "instruction"
    source = "Kang et al., ACL 2025, Appendix A.2"
