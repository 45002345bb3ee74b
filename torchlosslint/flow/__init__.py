"""The abstract interpreter."""
