"""Rows of a store for training: importable without torch, and data sets of torch's where it is installed."""

from emm1.torch.batches import collate
from emm1.torch.dataset import QueryDataset
from emm1.torch.groups import GroupDataset
from emm1.torch.items.missing import Missing
from emm1.torch.sampler import UniqueBatchSampler
from emm1.torch.stream import RowStream
from emm1.torch.triplets import TripletDataset

__all__ = ["GroupDataset", "Missing", "QueryDataset", "RowStream", "TripletDataset", "UniqueBatchSampler", "collate"]
