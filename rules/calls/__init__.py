"""Calls of losses and the training step around them."""
