"""The groups of nearest neighbours: whether a model gives the published ones, and scores within groups."""

from emm1.evaluation.groups.agreement import GroupsAgreement, verify
from emm1.evaluation.groups.scores import score

__all__ = ["GroupsAgreement", "score", "verify"]
