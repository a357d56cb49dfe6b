"""Text of a request -> numbers."""
