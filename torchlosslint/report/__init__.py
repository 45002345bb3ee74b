"""One file an output format. See `base`."""
