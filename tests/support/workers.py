"""What other processes import: the modules of tests cannot be imported by name."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

import emm1


def found(embeddings: emm1.Embeddings, rows: range) -> list[int]:
    """The best hit of each of these rows."""
    return [int(embeddings.search(embeddings[row], k=1, threads=2).ids[0]) for row in rows]


class Vectors:
    """A dataset as PyTorch has them: a length, and items by number."""

    def __init__(self, embeddings: emm1.Embeddings) -> None:
        self.embeddings = embeddings

    def __len__(self) -> int:
        """Number of items."""
        return len(self.embeddings)

    def __getitem__(self, row: int) -> NDArray[Any]:
        """An item."""
        return self.embeddings[row]
