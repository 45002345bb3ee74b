"""What to read: discovery of files, and bytes to text."""
