"""Which queries of reports on retrieval are shown."""

from enum import StrEnum


class Kind(StrEnum):
    """Which queries are shown. The first hit of a query is right if nothing scores better than its best right answer."""

    failures = "failures"  # the first hit of the model is not right
    gained = "gained"  # right by the model, not by the baseline
    lost = "lost"  # right by the baseline, not by the model
