"""TLL2: loss against task."""
