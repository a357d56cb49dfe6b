"""Linking: which accounts have one controller, against a null that knows how popular every trait is."""
