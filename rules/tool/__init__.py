"""TLL0: what the tool says about its own run."""
