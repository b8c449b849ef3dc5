"""Answers to learn from."""
