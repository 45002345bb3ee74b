"""TLL6: after the loss."""
