"""libcst to a compact IR."""
