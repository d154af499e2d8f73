"""Embedding files: vectors on disk, memory-mapped, searched exactly."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emm1 import _native
from emm1.arguments import as_ids, as_number, as_vector, as_vectors, at_least_one, metric_name, thread_count
from emm1.checks import shown
from emm1.embeddings.hits import Hits
from emm1.embeddings.ranks import Ranks, rank_of
from emm1.embeddings.rows import Rows
from emm1.embeddings.searching import hits_of_rows, how_to_search, warn_once
from emm1.errors import EmbeddingError

Metric = Literal["cosine", "dot", "l2"]
METRICS: tuple[Metric, ...] = get_args(Metric)


class Embeddings(Rows):
    """Vectors in a file, rows × dims, and the id of each row; no store is needed.

    The file is ``.npy`` (C order; float32, float16, int8), a folder of such shards, ``.safetensors`` (float32, float16,
    bfloat16, int8), ``.fbin``, ``.u8bin``, ``.i8bin`` or ``.fvecs``. It is memory-mapped and never written. Nothing
    may truncate it during a search: a file that shrank before a call is an error, one that shrinks during a call can
    crash the process.

    Args:
        path: the file or folder; ``FILE.safetensors#NAME`` names one of several tensors.
        ids: ids of the rows, as a file (for shards also a folder of ``SHARD.ids.npy``) or an array of integers; by
            default ``NAME.ids.npy`` next to the file, or else the row numbers.
        codes: the codes file, which makes searches faster and never changes an answer (`build_codes` writes it); by
            default ``NAME.npy.codes`` next to the file, if it exists. False for none. Codes that are damaged, or that
            belong to another file or to an earlier state of this one, are not used, and an
            `emm1.errors.EmbeddingsWarning` says so.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.EmbeddingError: the file is damaged or not an embedding file; the message says what is wrong, and where.

    >>> import numpy as np, emm1
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "image.npy", np.eye(4, dtype="float32"))
    >>> np.save(folder / "image.ids.npy", np.array([10, 20, 30, 40]))
    >>> images = emm1.Embeddings(folder / "image.npy")
    >>> images
    Embeddings('image.npy': 4 × 4 float32)
    >>> hits = images.search([0, 1, 0.5, 0], k=2)
    >>> hits.ids.tolist(), hits.scores.round(3).tolist()
    ([20, 30], [0.8939999938011169, 0.44699999690055847])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        ids: str | os.PathLike[str] | ArrayLike | None = None,
        codes: str | os.PathLike[str] | Literal[False] | None = None,
    ) -> None:
        self.path = Path(path)
        self._ids: dict[str, Any]
        if ids is None or isinstance(ids, (str, os.PathLike)):
            self._ids = {"ids_path": None if ids is None else Path(ids)}
        else:
            self._ids = {"ids": as_ids(ids, "ids")}
        place = None if codes is False else self._codes_place(codes)
        self._file = self._open(place)
        # For pickling; the current folder may change.
        self._codes: Path | Literal[False] = False if place is None else place.absolute()
        self._places = self.path.absolute(), self.ids_path and self.ids_path.absolute()

    def _open(self, codes: Path | None) -> _native.EmbeddingFile:
        file = _native.EmbeddingFile(self.path, **self._ids, codes_path=codes)
        warn_once(file.remarks())
        return file

    def _codes_place(self, codes: str | os.PathLike[str] | None) -> Path:
        return _native.codes_beside(self.path) if codes is None else Path(codes)

    def __repr__(self) -> str:
        return f"Embeddings({self.path.name!r}: {len(self):,} × {self.dim:,} {self.dtype})"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        ids = "given" if "ids" in self._ids else self.ids_path or "the row numbers"
        told = {"file": self.path, "shape": f"{len(self):,} × {self.dim:,}", "type": self.dtype, "ids": ids}
        told["codes"] = self.codes_path or "none"
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in told.items())
        return f"<table><caption>Embeddings</caption>{rows}</table>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by path: what unpickles it opens the same files. Ids that were given as an array travel along."""
        path, ids = self._places
        return type(self), (path, self._ids.get("ids", ids), self._codes)

    def __copy__(self) -> Self:
        """Another object on the same open files."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def __deepcopy__(self, _memo: object) -> Self:
        """The same as a copy: the files are only read."""
        return self.__copy__()

    @property
    def files(self) -> list[Path]:
        """The files that hold the vectors, in order."""
        return self._file.files

    @property
    def ids_path(self) -> Path | None:
        """The file or folder of the ids; None if they were given as an array or are the row numbers."""
        return self._file.ids_path

    @property
    def ids(self) -> NDArray[np.int64]:
        """Id of each row, int64, (rows,); a copy."""
        return self._file.ids()

    @property
    def codes_path(self) -> Path | None:
        """The file of codes in use, or None."""
        return self._file.codes_path

    def build_codes(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        progress: Callable[[int], object] = lambda _rows: None,
    ) -> Path:
        """Write codes (at most one byte per component and 16 bytes per row) and use them from now on.

        Args:
            path: the file to write; by default ``NAME.npy.codes`` next to the file.
            threads: threads to use; all cores by default.
            progress: called from time to time with the number of rows done.

        Returns:
            The path of the codes file.

        Raises:
            emm1.errors.EmbeddingError: a row holds NaN or an infinity, the codes cannot be written, or the file is on a
                file system (tmpfs, network file systems) that does not record the time of every write.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path).build_codes().name
        'x.npy.codes'
        """
        place = self._codes_place(path)
        self._file.build_codes(place, thread_count(threads), progress)
        self._file, self._codes = self._open(place), place.absolute()
        return place

    @property
    def why_no_codes(self) -> str | None:
        """Why this file can have no codes; None if it can.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "wide.npy"
        >>> np.save(path, np.ones((1, 70_000), dtype="int8"))
        >>> print(emm1.Embeddings(path).why_no_codes.split(": ", 1)[1])
        its vectors have 70000 components, codes at most 65536: it is searched without codes
        """
        return self._file.why_no_codes()

    def verify(self, *, threads: int | None = None, progress: Callable[[int], object] = lambda _rows: None) -> bool:
        """Code every row again and compare the result with the codes in use; False if there are none.

        Args:
            threads: threads to use; all cores by default.
            progress: called from time to time with the number of rows done.

        Raises:
            emm1.errors.EmbeddingError: the codes are damaged, or do not match the rows.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path).verify()
        False
        """
        return self._file.verify_codes(thread_count(threads), progress)

    def search(
        self,
        query: ArrayLike,
        k: int = 10,
        metric: Metric = "cosine",
        among: ArrayLike | None = None,
        threads: int | None = None,
        *,
        exclude_self: bool = False,
    ) -> Hits:
        """The k best vectors by the exact score, best first; equal scores by ascending id.

        Args:
            query: (dim,) or (queries, dim); float64 is rounded once to float32.
            k: how many; all vectors if there are fewer.
            metric: ``cosine``, ``dot`` or ``l2`` (Euclidean distance; the smallest is best).
            among: ids to look among, or a boolean mask over the rows; unknown ids are ignored.
            threads: threads to use; all cores by default. The answer does not depend on it.
            exclude_self: leave out the vectors that have exactly the components of the query; k others are found. Where
                fewer remain for one query than for another, its row ends with the id -1 and the score NaN.

        Raises:
            emm1.errors.EmbeddingError: k < 1, a query of other dimensions, NaN or infinity in a query or the file.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path).search(np.eye(3), k=1).ids.tolist()
        [[0], [1], [2]]
        >>> emm1.Embeddings(path).search([0, 1, 0], k=3, exclude_self=True).ids.tolist()
        [0, 2]
        """
        queries = as_vectors(query)
        how = how_to_search(self._file, metric, among, threads, "equal" if exclude_self else None)
        hits = hits_of_rows(self._file, np.atleast_2d(queries), at_least_one(k, "k"), how)
        return Hits(hits.ids[0], hits.scores[0]) if queries.ndim == 1 else hits

    def within(
        self,
        query: ArrayLike,
        threshold: float,
        metric: Metric = "cosine",
        among: ArrayLike | None = None,
        threads: int | None = None,
    ) -> Hits:
        """Every vector whose score is at least the threshold (l2: at most), best first; equal scores by ascending id.

        Args:
            query: (dim,).
            threshold: the lowest score, or for l2 the greatest distance.
            metric: ``cosine``, ``dot`` or ``l2``.
            among: ids to look among, or a boolean mask over the rows; unknown ids are ignored.
            threads: threads to use; all cores by default. The answer does not depend on it.

        Raises:
            emm1.errors.EmbeddingError: a query of other dimensions, NaN in the query, the threshold or the file.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path).within([1, 1, 0], 0.5).ids.tolist()
        [0, 1]
        """
        vector = as_vector(query, "within")
        if not isinstance(threshold, float | int | np.number):
            raise EmbeddingError(f"the threshold must be a number, not {threshold!r}")
        ids, scores = self._file.within(
            vector[np.newaxis],
            as_number(threshold, "the threshold"),
            how_to_search(self._file, metric, among, threads),
        )
        warn_once(self._file.remarks())
        return Hits(ids[0], scores[0])

    def rank_of(
        self,
        ids: ArrayLike,
        queries: ArrayLike,
        metric: Metric = "cosine",
        among: ArrayLike | None = None,
        *,
        exclude_self: bool = False,
        threads: int | None = None,
    ) -> Ranks:
        """For each id and its query: how many vectors have a better score than that of this id, and how many others the same.

        Exact, and without a limit like k. The rank of an id is from ``above + 1`` to ``above + equal + 1``, as ties are broken.

        Args:
            ids: (queries,), the ids to rank.
            queries: (queries, dim), a query for each id.
            metric: ``cosine``, ``dot`` or ``l2``.
            among: ids to rank among, or a boolean mask over the rows; unknown ids are ignored. `ids` need not be among them.
            exclude_self: do not count the vectors that have exactly the components of the query.
            threads: threads to use; all cores by default. The answer does not depend on it.

        Raises:
            emm1.errors.EmbeddingError: an id without a vector, not one query for each id, a query of other dimensions, NaN or
                infinity in a query or the file.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.array([[1, 0], [0, 1], [1, 0]], dtype="float32"))
        >>> above, equal = emm1.Embeddings(path).rank_of([1, 2], [[2, 1], [2, 1]])
        >>> above.tolist(), equal.tolist()
        ([2, 0], [0, 1])
        """
        how = how_to_search(self._file, metric, among, threads, "equal" if exclude_self else None)
        ranks = rank_of(self._file, as_ids(ids), as_vectors(queries), how)
        warn_once(self._file.remarks())
        return ranks

    def score(self, ids: ArrayLike, query: ArrayLike, metric: Metric = "cosine") -> NDArray[np.float32]:
        """The score of each id against one query, float32, (ids,).

        Raises:
            emm1.errors.EmbeddingError: an id that the file does not have, or a query of other dimensions.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path).score([2, 0], [0, 0, 2], metric="dot").tolist()
        [2.0, 0.0]
        """
        return self._file.score(as_ids(ids), as_vector(query, "score"), metric_name(metric))

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """The vectors of these ids, float32, (ids, dim).

        Raises:
            emm1.errors.EmbeddingError: an id that the file does not have.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float16"))
        >>> emm1.Embeddings(path).vectors([1]).tolist()
        [[0.0, 1.0, 0.0]]
        """
        return self._file.vectors(as_ids(ids))

    def rows(self, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows begin to end (exclusive), by position in the file: ids, (rows,), and vectors, float32, (rows, dim).

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(3, dtype="float32"))
        >>> emm1.Embeddings(path, ids=[7, 8, 9]).rows(1, 2)
        (array([8]), array([[0., 1., 0.]], dtype=float32))
        """
        begin, end, _ = slice(max(begin, 0), max(end, 0)).indices(len(self))
        return self._file.slice(begin, end)

    def centroid(self, ids: ArrayLike) -> NDArray[np.float32]:
        """The mean of the vectors of these ids, float32, (dim,): summed in float64 in row order and rounded once.

        Raises:
            emm1.errors.EmbeddingError: no ids, or an id that the file does not have.

        >>> import numpy as np, emm1
        >>> path = getfixture("tmp_path") / "x.npy"
        >>> np.save(path, np.eye(2, dtype="float32"))
        >>> emm1.Embeddings(path).centroid([0, 1]).tolist()
        [0.5, 0.5]
        """
        return self._file.centroid(as_ids(ids))


def as_embeddings(source: Embeddings | str | os.PathLike[str]) -> Embeddings:
    """Embeddings, opened if a path is given.

    Raises:
        EmbeddingError: it is neither.

    >>> as_embeddings([[1.0, 0.0]])
    Traceback (most recent call last):
    emm1.errors.EmbeddingError: vectors must be emm1.Embeddings or the path of their file, not [[1.0, 0.0]]: save others, as with numpy.save
    """
    if not isinstance(source, Embeddings | str | os.PathLike):
        raise EmbeddingError(
            f"vectors must be emm1.Embeddings or the path of their file, not {shown(source)}: save others, as with numpy.save"
        )
    return source if isinstance(source, Embeddings) else Embeddings(source)


def check_registered(embeddings: Embeddings, found: _native.Registered) -> None:
    """Refuse embeddings that do not have the shape that a store has registered.

    Raises:
        emm1.errors.EmbeddingError: says what to do.
    """
    found.check(embeddings._file)  # noqa: SLF001
