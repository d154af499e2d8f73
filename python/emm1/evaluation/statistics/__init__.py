"""Intervals and tests: how sure a number or a difference is."""
