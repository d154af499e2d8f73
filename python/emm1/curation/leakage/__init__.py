"""Finds what items for training have in common with items for evaluation, and with lists of other datasets."""
