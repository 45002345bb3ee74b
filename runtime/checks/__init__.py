"""What is checked about a call: from its metadata, from the autograd graph, from numbers."""
