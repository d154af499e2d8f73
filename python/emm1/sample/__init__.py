"""A small dataset of the published shape, made up."""

from emm1.sample.write import write_sample

__all__ = ["write_sample"]
