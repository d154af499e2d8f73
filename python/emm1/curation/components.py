"""Sets of texts and files that groups and triplets connect: union-find over whole batches of edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emm1.curation.universe import SOURCES, Told, Universe


class Components:
    """Connected sets of nodes, which are joined by edges; each set is known by its smallest node.

    >>> components = Components(6)
    >>> components.join(np.array([5, 1]), np.array([3, 3]))
    >>> components.roots(np.arange(6)).tolist()
    [0, 1, 2, 1, 4, 1]
    """

    def __init__(self, nodes: int) -> None:
        self._parent = np.arange(nodes, dtype=np.int32)

    def roots(self, nodes: NDArray[np.integer]) -> NDArray[np.int32]:
        """The smallest node that each node is connected with."""
        found: NDArray[np.int32] = self._parent[nodes]
        while True:
            above = self._parent[found]
            if np.array_equal(above, found):
                self._parent[nodes] = found
                return found
            found = above

    def join(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> None:
        """Connect pairs of nodes.

        Every root that has an edge to a smaller one is put under the smallest of those. Edges within a set are dropped, and
        the others are tried again: each round at least halves the roots that an edge leads out of.
        """
        while len(a):
            a, b = self.roots(a), self.roots(b)
            apart = a != b
            low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
            np.minimum.at(self._parent, high, low)
            a, b = low, high


def components_of(universe: Universe, told: Told) -> NDArray[np.int32]:
    """The component of each text: its smallest text.

    Texts are connected if a group or triplet of each has the same file, directly or through other texts.
    """
    first_file = universe.texts
    components = Components(first_file + universe.files)
    done, total = 0, sum(universe.rows.values())
    for source in SOURCES:
        for texts, columns in universe.brought_together(source):
            for file_numbers in columns:
                edges = (texts < universe.texts) & (file_numbers < universe.files)
                components.join(texts[edges], file_numbers[edges] + np.int32(first_file))
            done += len(texts)
            told(done, total)
    return components.roots(np.arange(universe.texts, dtype=np.int32))
