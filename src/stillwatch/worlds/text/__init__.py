"""Text of our own making: a grammar, word lists, and a fast renderer."""
