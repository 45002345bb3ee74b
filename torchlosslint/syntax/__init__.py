"""Source to a compact IR and back to places: by CPython's own parser, by libcst where that is too old."""
