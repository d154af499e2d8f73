"""From the published files to one DuckDB file: find, read, check, and put in place when whole."""

from emm1.building.run import BuildReport, build_store
from emm1.building.upgrading import upgrade_store

__all__ = ["BuildReport", "build_store", "upgrade_store"]
