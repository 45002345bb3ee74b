"""Targets: their form, dtype, shape, range and place."""
