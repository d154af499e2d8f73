"""What the page and its JSON show of saved reports: the same answers for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emm1.errors import Error, FileNotFoundError
from emm1.explore.described import describe, describe_failure
from emm1.explore.reports.kind import Kind

if TYPE_CHECKING:
    from emm1.explore.copied import Copied, Copies
    from emm1.explore.media import MediaFolder
    from emm1.explore.reports.confusions import Confusions
    from emm1.explore.reports.failures import Failures
    from emm1.store import Store

MOST = 2


class Reported:
    """Saved reports of a store: one on retrieval, or two to compare, or one on a classification.

    Args:
        store: the store.
        media: the folder of its media.
        folders: where the reports are; none if none was named.

    Raises:
        emm1.errors.Error: a folder holds no such report, or two cannot be compared.
    """

    def __init__(self, store: Store, media: MediaFolder, folders: Sequence[Path] = ()) -> None:
        self._store = store
        self._media = media
        self.failures: Failures | None = None
        self.confusions: Confusions | None = None
        self.name: str | None = None
        if len(folders) > MOST:
            raise Error(f"{len(folders)} reports were named: at most two are compared")
        if folders:
            self._open(*folders)

    def _open(self, first: Path, second: Path | None = None) -> None:
        # These need polars, which takes longer to import than the rest to start.
        from emm1.explore.reports import confusions, failures  # noqa: PLC0415

        if (first / failures.FILE).exists():
            self.failures = failures.Failures(self._store.registry, first, second)
            self.name = " and ".join(dict.fromkeys(self.failures.names))
        elif not (first / confusions.FILE).exists():
            raise FileNotFoundError(
                f"{first} holds no saved report on retrieval, EShot or a zero-shot classification: name the folder that one was written to"
            )
        elif second is not None:
            raise Error(f"{first} holds no report on retrieval, and only those are compared: name one report")
        else:
            self.confusions = confusions.Confusions(first, self._store.registry)
            self.name = self.confusions.name

    def queries(self, kind: Kind, start: int, limit: int) -> dict[str, Any]:
        """Queries of the reports on retrieval; `previous` and `next` are places to go on, or None."""
        assert self.failures is not None  # noqa: S101 - asked by those who looked
        with self._store.cursor() as cursor:
            found = self.failures.read(cursor, kind, start, limit)
        counts = self.failures.counts
        return {
            "report": self.failures.names[0],
            "baseline": self.failures.names[1] if len(self.failures.names) > 1 else None,
            "kind": kind.value,
            **counts,
            "queries": [describe_failure(each, self._media) for each in found],
            **_neighbours(start, limit, len(found), counts[kind.value]),
        }

    def pairs(
        self, direction: str | None, category: str | None, predicted: str | None, start: int, limit: int
    ) -> dict[str, Any]:
        """Confused classes of the report on a classification, the most frequent first.

        Raises:
            emm1.errors.Error: there is no such direction.
        """
        report = self.confusions
        assert report is not None  # noqa: S101 - asked by those who looked
        chosen = direction or report.directions[0]
        if chosen not in report.directions:
            raise Error(f"direction: expected {' or '.join(report.directions)}")
        with self._store.cursor() as cursor:
            pairs, found = report.read(cursor, chosen, category, predicted, start, limit)
        return {
            "report": report.name,
            "directions": report.directions,
            "direction": chosen,
            "category": category,
            "predicted": predicted,
            "confusions": pairs,
            "pairs": [
                {
                    "category": each.category,
                    "predicted": each.predicted,
                    "count": each.count,
                    "samples": each.samples,
                    "items": [describe(item, self._media) for item in each.items],
                }
                for each in found
            ],
            **_neighbours(start, limit, len(found), pairs),
        }

    def copied(self, copies: Copies, shown: Mapping[str, Any], start: int, limit: int) -> Copied:
        """The text of what `queries` or `pairs` has shown from a place on."""
        if self.failures is not None:
            return copies.queries(self.failures.folders, Kind(shown["kind"]), start, limit)
        assert self.confusions is not None  # noqa: S101 - asked by those who looked
        direction = shown["direction"] if self.confusions.eshot else None
        folder, chosen = self.confusions.folder, (shown["category"], shown["predicted"])
        return copies.confusions(folder, direction, *chosen, start, limit)


def _neighbours(start: int, limit: int, found: int, there: int) -> dict[str, int | None]:
    """The places of the previous and of the next rows.

    >>> _neighbours(0, 20, 20, 41), _neighbours(20, 20, 20, 41), _neighbours(40, 20, 1, 41)
    ({'previous': None, 'next': 20}, {'previous': 0, 'next': 40}, {'previous': 20, 'next': None})
    """
    end = start + found
    return {"previous": max(0, start - limit) if start else None, "next": end if found and end < there else None}
