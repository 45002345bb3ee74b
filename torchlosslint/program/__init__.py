"""Modules loaded on demand; names resolved across files; classes and their MRO."""
