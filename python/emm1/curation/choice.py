"""Chooses the texts of test and validation: in the order of their keys, from both ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emm1.errors import StoreError

TRAIN, VALIDATION, TEST, PURGED = range(4)
LABELS = ("train", "validation", "test", "purged")


@dataclass(frozen=True)
class Largest:
    """How many components there are, and how many texts the largest has."""

    components: int
    texts: int


def by_caption(used: NDArray[np.bool_], others: NDArray[np.bool_], test: int, validation: int) -> NDArray[np.uint8]:
    """The label of each text: the first texts are test, the last validation.

    A new text displaces at most one text of each, and another number of test texts leaves validation as it is. Texts that only
    another dataset uses are chosen up to the same key, which gives it the same shares.

    Args:
        used: the texts that are counted.
        others: the texts of other datasets.
        test: how many texts of those counted are for test.
        validation: how many are for validation.
    """
    counted = np.flatnonzero(used)
    labels = np.full(len(used), TRAIN, np.uint8)
    if test:
        labels[: counted[test - 1] + 1] = TEST
    if validation:
        labels[counted[-validation] :] = VALIDATION
    labels[~(used | others)] = TRAIN
    return labels


def by_component(
    component: NDArray[np.int32], used: NDArray[np.bool_], test: int, validation: int
) -> tuple[NDArray[np.uint8], Largest]:
    """The label of each text, the same for all texts of a component.

    The largest component stays in training. Of the others, in the order of their smallest texts, each is taken that does not
    exceed what is still wanted: from the first on for test, from the last on for validation.

    Args:
        component: the component of each text; texts that are not counted may follow those of `used`.
        used: the texts that are counted.
        test: how many of them are for test.
        validation: how many are for validation.

    Raises:
        StoreError: the components do not allow these numbers; says how many they allow.
    """
    sizes = np.bincount(component[: len(used)][used], minlength=len(component))
    roots = np.flatnonzero(sizes)
    largest = Largest(len(roots), int(sizes.max(initial=0)))
    free = roots[roots != np.argmax(sizes)]
    there = int(sizes[free].sum())
    if test + validation > there:
        raise StoreError(
            f"the largest component has {largest.texts:,} of the {int(sizes.sum()):,} texts and must stay whole; the "
            f"{len(free):,} others have {there:,}, fewer than the {test + validation:,} asked for: ask for fewer, or choose single texts",
            by="caption",
        )
    label = np.full(len(component), TRAIN, np.uint8)
    label[_filled(free, sizes, test, "test")] = TEST
    free = free[label[free] == TRAIN]
    label[_filled(free[::-1], sizes, validation, "validation")] = VALIDATION
    return label[component], largest


def _filled(roots: NDArray[np.int64], sizes: NDArray[np.int64], wanted: int, what: str) -> list[int]:
    """The components that have as many texts together as wanted, each taken if it does not exceed what is still wanted."""
    taken, left = [], wanted
    for root, size in zip(roots.tolist(), sizes[roots].tolist(), strict=True):
        if not left:
            break
        if size <= left:
            taken.append(root)
            left -= size
    if left:
        raise StoreError(
            f"components must stay whole, and so {what} cannot have {wanted:,} texts: ask for {wanted - left:,}, or choose single texts",
            by="caption",
        )
    return taken
