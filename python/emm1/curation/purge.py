"""Takes out of training whatever test and validation touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emm1.curation.choice import PURGED, TEST, TRAIN, VALIDATION
from emm1.curation.universe import SOURCES, Told, Universe

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Purge:
    """What each text, file and row is for.

    Attributes:
        texts: the label of each text, uint8, (texts,).
        files: the label of each file, uint8, (files,).
        rows: for each source by its name, how many of its rows have each label, (4,).
        shared: for each source by its name, how many rows of validation have a file that test has too.
    """

    texts: Labels
    files: Labels
    rows: dict[str, NDArray[np.int64]]
    shared: dict[str, int]


def purge(universe: Universe, chosen: Labels, told: Told) -> Purge:
    """Label files by the rows that touch them, and find which texts and files have a row left to train with.

    A row is for training if its text is neither of test nor of validation, and neither is any of its files. Texts and files of
    training that have rows, but none of these, are purged.

    Args:
        universe: the texts and files.
        chosen: the label of each text before anything is purged, uint8, (texts,).
        told: called with how many rows were read, of how many.
    """
    texts = np.append(chosen, np.uint8(TRAIN))  # of a row without a caption
    total, done = 2 * sum(universe.rows.values()), 0
    touched = {TEST: np.zeros(universe.files + 1, np.bool_), VALIDATION: np.zeros(universe.files + 1, np.bool_)}
    for (dataset, _), numbering in universe.items.items():
        if dataset == "eshot":  # a benchmark as a whole
            touched[TEST][numbering.numbers] = True
    for source in SOURCES:
        for row_texts, columns in universe.brought_together(source):
            for label, of_label in touched.items():
                rows = np.flatnonzero(texts[row_texts] == label)
                for column in columns:
                    of_label[column[rows]] = True
            told(done := done + len(row_texts), total)
    files = np.where(
        touched[TEST], np.uint8(TEST), np.where(touched[VALIDATION], np.uint8(VALIDATION), np.uint8(TRAIN))
    )
    files[-1] = TRAIN  # of a row without an item
    left = _Left(texts, files)
    for source in SOURCES:
        for row_texts, columns in universe.brought_together(source):
            left.look_at(source.name, row_texts, columns)
            told(done := done + len(row_texts), total)
    return Purge(left.texts(), left.files(), left.rows, left.shared)


class _Left:
    """What is left for training, as rows are looked at."""

    def __init__(self, texts: Labels, files: Labels) -> None:
        self._labels = texts, files
        self._seen = np.zeros(len(texts), np.bool_), np.zeros(len(files), np.bool_)
        self._left = np.zeros(len(texts), np.bool_), np.zeros(len(files), np.bool_)
        self.rows = {source.name: np.zeros(4, np.int64) for source in SOURCES}
        self.shared = dict.fromkeys(self.rows, 0)

    def look_at(self, source: str, texts: NDArray[np.int32], columns: list[NDArray[np.int32]]) -> None:
        """Note the rows of a batch."""
        labels = self._labels[0][texts]
        of_test = np.zeros(len(texts), np.bool_)
        training = labels == TRAIN
        for column in columns:
            of_files = self._labels[1][column]
            training &= of_files == TRAIN
            of_test |= of_files == TEST
        labels = np.where((labels == TRAIN) & ~training, np.uint8(PURGED), labels)
        self.rows[source] += np.bincount(labels, minlength=4)
        self.shared[source] += int(np.count_nonzero((labels == VALIDATION) & of_test))
        rows = np.flatnonzero(training)
        for of, numbers in ((0, texts), *((1, column) for column in columns)):
            self._seen[of][numbers] = True
            self._left[of][numbers[rows]] = True

    def texts(self) -> Labels:
        """The labels of the texts."""
        return self._purged(0)

    def files(self) -> Labels:
        """The labels of the files."""
        return self._purged(1)

    def _purged(self, of: int) -> Labels:
        labels = self._labels[of]
        lost = (labels == TRAIN) & self._seen[of] & ~self._left[of]
        return np.where(lost, np.uint8(PURGED), labels)[:-1]
