"""Value orientations of many roles, the graph behind them, and what it says of steering: pure, on tables."""
