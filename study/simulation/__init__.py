"""Replays recorded learning curves under stopping rules, orders and budgets; in arrays, without training."""
