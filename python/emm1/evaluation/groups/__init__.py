"""The groups of nearest neighbours: whether a model gives the published ones, its own groups, and scores within groups."""

from emm1.evaluation.groups.agreement import GroupsAgreement, verify
from emm1.evaluation.groups.neighbours import make, make_shard
from emm1.evaluation.groups.scores import score

__all__ = ["GroupsAgreement", "make", "make_shard", "score", "verify"]
