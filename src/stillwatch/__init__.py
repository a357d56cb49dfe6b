"""Stillwatch finds the operators who harvest a hosted language model through many accounts."""

__version__ = "0.1.0"
