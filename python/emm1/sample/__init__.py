"""Generates a small synthetic dataset in the published form."""

from emm1.sample.write import write_sample

__all__ = ["write_sample"]
