"""Reads and writes named tables; runs relational steps."""
