"""What numbers must share to be compared: the gallery, the right answers, the queries and the rules, as hashes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from emm1.evaluation.retrieval.answers import Whole
from emm1.evaluation.retrieval.task import Outcome, Rules


@dataclass(frozen=True)
class Hashes:
    """SHA-256 of what two reports must share; the score and the vectors belong to the model, and are not in it.

    Attributes:
        gallery: the ids of the rows that are searched.
        pairs: the pairs, with their grades.
        queries: the ids of the queries that count.
        protocol: how ties and a query's own row are treated.
    """

    gallery: str
    pairs: str
    queries: str
    protocol: str

    @classmethod
    def of(cls, outcome: Outcome, rules: Rules) -> Hashes:
        """The hashes of an evaluation."""
        how = json.dumps({"ties": "expectation", "exclude_self": rules.exclude_self})
        pairs = [outcome.pairs[name].to_numpy() for name in ("query_id", "id", "grade")]
        return cls(
            _sha256(outcome.gallery),
            _sha256(*pairs),
            _sha256(outcome.query_ids),
            hashlib.sha256(how.encode()).hexdigest(),
        )

    def differing(self, other: Hashes) -> list[str]:
        """The names of those that differ.

        >>> Hashes("a", "b", "c", "d").differing(Hashes("a", "x", "c", "d"))
        ['pairs']
        """
        return [name for name, value in vars(self).items() if getattr(other, name) != value]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def _sha256(*columns: Whole) -> str:
    """The hash of columns of integers: of their little-endian bytes, one column after the other."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(np.ascontiguousarray(column, "<i8").data)
    return digest.hexdigest()
