"""Writes ``docs/reference``: from docstrings, from the comments in a store, and from the parameters of the commands."""
