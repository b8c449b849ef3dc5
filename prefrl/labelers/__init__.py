"""Labelers: the oracle, models, and people at a window or a web page."""
