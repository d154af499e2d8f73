"""Rows of a store for training: importable without torch, and data sets of torch's where it is installed."""

from emm1.torch.dataset import QueryDataset
from emm1.torch.stream import RowStream

__all__ = ["QueryDataset", "RowStream"]
