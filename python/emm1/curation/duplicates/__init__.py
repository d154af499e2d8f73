"""Finds duplicates by vectors: every pair of items that are alike, and which of them to keep."""
