"""`emm1.zero_shot`: classifies files and arrays, with no store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1.arguments import as_ids, as_vectors
from emm1.checks import PathLike, shown
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import Source
from emm1.evaluation.zero_shot.classify import Way
from emm1.evaluation.zero_shot.evaluate import evaluate
from emm1.evaluation.zero_shot.items import Items, Labels
from emm1.evaluation.zero_shot.labels import as_labels, each_its_own
from emm1.evaluation.zero_shot.report import ZeroShotReport

# Embeddings, their file, or ids and vectors.
Vectors = Embeddings | PathLike | tuple[ArrayLike, ArrayLike] | NDArray[Any]


def zero_shot(
    samples: Vectors,
    labels: Any,
    classes: Vectors | Mapping[str, ArrayLike],
    *,
    class_labels: Any = None,
    class_vectors: Way | None = None,
) -> ZeroShotReport:
    """Classify samples by the class whose vector is the most similar by cosine, and see how often that is right.

    Of equally similar classes, the one that is later in code-point order comes first, as in EShot. A zero vector has similarity 0.
    What is left out is counted and named in the report's `coverage`.

    Args:
        samples: embeddings, their file, or ids and vectors, (n,) and (n, dim); an array of vectors has the row numbers as ids.
        labels: the classes of the samples: a mapping of ids to a label or to several, or a frame with the columns id and label, in
            which an id with several labels has several rows; or a list, for the ids from 0. Labels are text or integers.
        classes: what class vectors are made from. A mapping of names to vectors, (dim,) or (n, dim), such as the embeddings of each
            class's prompts; or items with `class_labels`, in the forms that `samples` has. If it is `samples` itself, class vectors are
            the means of the samples, each sample without itself: nearest class mean.
        class_labels: the classes of the items of `classes`, in the forms that `labels` has. If all labels of the samples are ids of
            these items, each item is a class by itself unless this is given.
        class_vectors: ``means`` averages the vectors of a class as they are, as EShot does, and is the default for items with
            labels; ``prompts`` scales each to unit length before, as CLIP does, and is the default for a mapping. Either mean
            is scaled to unit length.

    Raises:
        emm1.errors.EmbeddingError: dimensions differ, a vector has NaN, there are fewer than two classes, or no sample has one of them.

    >>> import emm1, numpy as np
    >>> samples = [1, 2, 3], [[1, 0], [0.8, 0.6], [0, 1]]
    >>> prompts = {"bell": [[2, 0], [2, 1]], "dog": [0, 1]}
    >>> emm1.zero_shot(samples, {1: "bell", 2: "dog", 3: ["dog", "cat"]}, prompts).overall["top1_correct"].item()
    2
    >>> emm1.zero_shot(samples, {1: "bell", 2: "dog", 3: "dog"}, samples).own
    True
    >>> vectors, weights = np.array([[1, 0], [0.8, 0.6], [0, 1]]), np.eye(2)
    >>> emm1.zero_shot(vectors, [0, 0, 1], weights).overall["top1_accuracy"].item()
    1.0
    """
    found = as_labels(labels)
    own = not isinstance(classes, Mapping) and _same(samples, classes)
    chosen = items(samples, found, "samples")
    if isinstance(classes, Mapping):
        if class_labels is not None:
            raise EmbeddingError("classes that map names to vectors need no class_labels")
        return evaluate(chosen, _by_class(classes), class_vectors or "prompts")
    if own:
        if class_labels is not None:
            raise EmbeddingError(
                "the classes are the samples themselves, whose classes are in labels: leave class_labels out"
            )
        return evaluate(chosen, chosen, class_vectors or "means", own=True)
    if class_labels is not None:
        return evaluate(
            chosen, items(classes, as_labels(class_labels, "class_labels"), "classes"), class_vectors or "means"
        )
    others, ids = _identified(classes, "classes")
    if (names := each_its_own(ids, found)) is None:
        raise EmbeddingError(
            "give class_labels, the class of each item of classes, or a mapping of class names to vectors as classes, or "
            "label the samples by ids of classes"
        )
    return evaluate(chosen, items(others, names, "classes"), class_vectors or "means")


def items(source: Vectors, labels: Labels, what: str) -> Items:
    """Items with their labels.

    Raises:
        EmbeddingError: `source` is nothing that has vectors; `what` names it.
    """
    source, ids = _identified(source, what)
    if isinstance(source, Embeddings):
        return Items.of(source, labels, Source.of_file(source))
    return Items(ids, _rows(source[1], f"the vectors of {what}"), labels)


def _identified(source: Vectors, what: str) -> tuple[Embeddings | tuple[ArrayLike, ArrayLike], NDArray[np.int64]]:
    """Embeddings, or ids and vectors; and the ids, which are row numbers for an array of vectors."""
    if isinstance(source, str | os.PathLike):
        source = Embeddings(source)
    if isinstance(source, Embeddings):
        return source, source.ids
    if isinstance(source, np.ndarray):
        source = np.arange(len(source)), source
    if not isinstance(source, tuple) or len(source) != 2:  # noqa: PLR2004 - ids and vectors
        raise EmbeddingError(f"{what} must be embeddings, their file, or ids and vectors, not {shown(source)}")
    return source, as_ids(source[0], f"the ids of {what}")


def _by_class(classes: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float32]]:
    """The vectors of each class, (n, dim)."""
    found = {}
    for name, vectors in classes.items():
        if not isinstance(name, str | int | np.integer) or isinstance(name, bool):
            raise EmbeddingError(f"the name of a class must be text or an integer, not {shown(name)}")
        what = f"the vectors of class {str(name)!r}"
        array = np.atleast_2d(_rows(vectors, what))
        if not len(array):
            raise EmbeddingError(f"class {str(name)!r} has no vector")
        if not np.isfinite(array).all():
            raise EmbeddingError(f"{what} have NaN or infinity")
        found[str(name)] = array
    return found


def _rows(vectors: ArrayLike, what: str) -> NDArray[np.float32]:
    try:
        return as_vectors(vectors)
    except EmbeddingError as error:
        raise EmbeddingError(f"{what}: {error}") from error


def _same(samples: object, classes: object) -> bool:
    """Whether both are the same items: one object, or one file with one file of ids."""
    if samples is classes:
        return True
    kinds = (str, os.PathLike, Embeddings)
    if not isinstance(samples, kinds) or not isinstance(classes, kinds):
        return False
    first, second = (each if isinstance(each, Embeddings) else Embeddings(each) for each in (samples, classes))
    return same_file(first, second)


def same_file(first: Embeddings, second: Embeddings) -> bool:
    """Whether embeddings are of one file with the same ids."""
    files = first.path.absolute() == second.path.absolute() or [
        (file.stat().st_dev, file.stat().st_ino) for file in first.files
    ] == [(file.stat().st_dev, file.stat().st_ino) for file in second.files]
    return files and np.array_equal(first.ids, second.ids)
