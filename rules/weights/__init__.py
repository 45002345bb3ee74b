"""TLL4: imbalance and weights."""
