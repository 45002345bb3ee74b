"""TLL1: activation against loss."""
