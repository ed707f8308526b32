"""Backtests: the very same decisions, on history (docs/backtest.md)."""
