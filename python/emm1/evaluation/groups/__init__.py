"""The groups of nearest neighbours: whether a model gives the published ones, its own groups, and scores within groups."""

from emm1.evaluation.groups.verify import GroupsAgreement, verify

__all__ = ["GroupsAgreement", "verify"]
