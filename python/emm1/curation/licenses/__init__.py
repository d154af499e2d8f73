"""What the licence texts of items say, as reviewed by hand, for items, groups and exports. No legal advice."""

from emm1.curation.licenses.run import attribution

__all__ = ["attribution"]
