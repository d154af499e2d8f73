"""The embedding files that a store knows by name: where they are, and which items their rows are."""

from __future__ import annotations

import dataclasses
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, ValuesView
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast, get_args

import duckdb
from numpy.typing import ArrayLike

from emm1 import _native
from emm1.arguments import as_ids
from emm1.checks import PathLike, check_text
from emm1.dataset import Split, check_items
from emm1.embeddings.file import METRICS, Embeddings, Metric
from emm1.errors import EmbeddingError, EmbeddingsWarning, StoreError
from emm1.store.connections import Connections
from emm1.store.ids_files import beside
from emm1.store.models import Models
from emm1.store.refusals import Refusal, refusal_of
from emm1.store.registered import Registered
from emm1.store.registration import Progress, Registration, build_codes, identify, measure, norms_of


class Registry(Mapping[str, Registered]):
    """The registered embeddings of a store, by name; `emm1.Store.registry` gives it.

    It may be used from any thread. A name that is not registered is an `emm1.errors.UnknownNameError`, which lists those
    that are.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample")
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
    >>> store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
    >>> list(store.registry), store.registry["text"].metric, "image" in store.registry
    (['text'], 'cosine', False)
    """

    def __init__(self, store: Path, connections: Connections) -> None:
        self._folder = store.parent
        self._connections = connections
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        return f"Registry({', '.join(self)})"

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        return iter([str(row[0]) for row in self._rows()])

    def __len__(self) -> int:
        """Number of names."""
        return len(self._rows())

    def __getitem__(self, name: str) -> Registered:
        """The entry with this name."""
        check_text(name)
        return self._entry(str(name), self._rows())

    def values(self) -> ValuesView[Registered]:
        """The entries, by their names; they are read at once.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
        >>> [(entry.name, entry.metric) for entry in store.registry.values()]
        [('text', 'cosine')]
        """
        rows = self._rows()
        return {str(name): self._entry(str(name), rows) for name, *_ in rows}.values()

    def _entry(self, name: str, rows: list[tuple[str | None, ...]]) -> Registered:
        found = _native.Registered(name, [entry for *entry, _ in rows])
        models = {called: model for called, *_, model in rows}
        path, ids_path, codes_path = _native.parse_location(found.argument)
        dataset, _, modality = found.items.partition(" ")
        codes: Path | Literal[False] | None = False if codes_path is None else self._folder / codes_path
        return Registered(
            name,
            cast("Split", dataset),
            modality,
            cast("Metric", found.metric),
            self._folder / path,
            ids_path and self._folder / ids_path,
            None if codes_path == _native.codes_beside(path) else codes,
            models[name],
            found,
        )

    @property
    def models(self) -> Models:
        """Which embeddings each model has: for its name, their names by dataset and modality.

        A model without embeddings is an `emm1.errors.UnknownNameError`, which lists those that have some.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> text = folder / "sample/embeddings/text.npy"
        >>> store.add_embeddings("captions", text, dataset="100m", modality="text", model="ours")
        >>> store.registry.models["ours"]["100m", "text"], store.registry["captions"].model
        ('captions', 'ours')
        >>> store.registry.models["theirs"]
        Traceback (most recent call last):
        emm1.errors.UnknownNameError: no embeddings are of a model 'theirs': registered are embeddings of ours; `emm1 embeddings add` takes the name of the model
        """
        models = Models()
        with self._connections.internal() as connection:
            rows = connection.execute(
                "SELECT model, dataset, modality, name FROM embeddings WHERE model IS NOT NULL ORDER BY ALL"
            ).fetchall()
        for model, dataset, modality, name in rows:
            models.setdefault(model, {})[dataset, modality] = name
        return models

    def _rows(self) -> list[tuple[str | None, ...]]:
        """All entries as the macros pass them, and their models; paths are not resolved."""
        with self._connections.internal() as connection:
            return connection.execute(
                """
                SELECT name, '', path, ids_path, codes_path, metric, dataset || ' ' || modality,
                    rows::VARCHAR, dims::VARCHAR, dtype, model
                FROM embeddings ORDER BY name
                """
            ).fetchall()

    def add(
        self,
        name: str,
        file: PathLike,
        *,
        dataset: Split,
        modality: str,
        ids: PathLike | ArrayLike | None = None,
        codes: PathLike | Literal[False] | None = None,
        metric: Metric = "cosine",
        model: str | None = None,
        replace: bool = False,
        progress: Progress = lambda _rows, _all: None,
    ) -> Registration:
        """Register an embedding file under a name, like `emm1.Store.add_embeddings`, which says what the arguments mean.

        `progress` is called from time to time with how many rows were read, and how many there are.

        Returns:
            What was found out about the file; `Store.add_embeddings` shows its notes as warnings.

        Raises:
            emm1.errors.EmbeddingError: the file or its ids do not fit the store.
            emm1.errors.StoreError: the name is taken, the model has other embeddings of these items, or the store is read-only.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> text = folder / "sample/embeddings/text.npy"
        >>> found = store.registry.add("text", text, dataset="100m", modality="text", metric="dot")
        >>> print(found)
        6,706 × 64 float32; ids from text.ids.npy; 6,706 of 6,706 text items of 100m have a vector
        >>> found.id_source, found.norms, found.zero_rows, found.notes
        ('beside', (1.0, 1.0, 1.0), 0, ())
        >>> store.registry.add("text", text, dataset="100m", modality="text")
        Traceback (most recent call last):
        emm1.errors.StoreError: the name 'text' is taken: remove it first, or register this one in its place: replace=True
        """
        named = Path(ids).absolute() if isinstance(ids, str | os.PathLike) else None
        listed = None if ids is None or isinstance(ids, str | os.PathLike) else as_ids(ids, "ids")
        place = codes if codes is None or codes is False else Path(codes).absolute()
        entry = Registered(name, dataset, modality, metric, Path(file).absolute(), named, place, model)
        with self._writing:
            self.check_new(entry, replace=replace)
            if listed is None:
                return self._register(entry, progress)
            with beside(entry, listed) as ids_path:
                return self._register(dataclasses.replace(entry, ids_path=ids_path), progress)

    def check_new(self, entry: Registered, *, replace: bool) -> None:
        """Refuse an entry that cannot be added, before its file is read, or made.

        Raises:
            emm1.errors.EmbeddingError: the entry names what there is not.
            emm1.errors.StoreError: as for `add`.

        >>> import emm1
        >>> from pathlib import Path
        >>> from emm1.store.registered import Registered
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> entry = Registered("text", "100m", "smell", "cosine", Path("text.npy"), None)
        >>> store.registry.check_new(entry, replace=False)
        Traceback (most recent call last):
        emm1.errors.EmbeddingError: unknown modality 'smell': 100m has audio, image, points, text, video
        """
        _check_entry(entry)
        if entry.name in self and not replace:
            raise StoreError(
                f"the name {entry.name!r} is taken: remove it first, or register this one in its place", replace=True
            )
        self._check_model(entry)
        with self._connections.new() as connection, _writing():
            connection.execute("DELETE FROM embeddings WHERE false")

    def _check_model(self, entry: Registered) -> None:
        """Refuse second embeddings of the same items by the same model: `models` would not know which is meant."""
        if entry.model is None:
            return
        other = self.models.get(entry.model, {}).get((entry.dataset, entry.modality), entry.name)
        if other != entry.name:
            raise StoreError(
                f"the model {entry.model!r} has embeddings of {entry.modality} items of {entry.dataset} already, {other!r}: "
                "remove those first, or name another model for these"
            )

    def _register(self, entry: Registered, progress: Progress) -> Registration:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EmbeddingsWarning)  # unused codes are rebuilt
            embeddings = entry.open()
        with self._connections.new() as connection:
            found = identify(connection, self._folder, entry, embeddings)
            found = build_codes(found, embeddings, entry, progress)
            found = measure(found, embeddings, entry, progress)
            _insert(connection, self._folder, entry, embeddings, found.ids_path)
        return found

    def remove(self, name: str) -> Registered:
        """Forget a registered file; the file itself, its ids and its codes stay.

        Returns:
            What was registered.

        Raises:
            emm1.errors.UnknownNameError: no such name; lists the known ones.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
        >>> store.registry.remove("text").path.name, list(store.registry)
        ('text.npy', [])
        """
        with self._writing:
            entry = self[name]
            with self._connections.new() as connection, _writing():
                connection.execute("DELETE FROM embeddings WHERE name = ?", [name])
        return entry

    def verify(self, name: str, *, progress: Progress = lambda _rows, _all: None) -> tuple[Embeddings, bool | None]:
        """Check a registered file: that it is as registered, that every vector is finite, and that its codes are sound.

        Args:
            name: the registered name.
            progress: called from time to time with how many rows were read, and how many there are.

        Returns:
            The embeddings, and whether they have codes, which are then sound; None if they are registered without.

        Raises:
            emm1.errors.EmbeddingError: the file or its codes are damaged; says what to do.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> text = folder / "sample/embeddings/text.npy"
        >>> store.add_embeddings("text", text, dataset="100m", modality="text", codes=False)
        >>> store.registry.verify("text")
        (Embeddings('text.npy': 6,706 × 64 float32), None)
        """
        entry = self[name]
        embeddings = entry.open()

        def heard(rows: int) -> None:
            progress(rows, len(embeddings))

        if embeddings.verify(progress=heard):  # reads every row, and refuses one that is not finite
            return embeddings, True
        norms_of(Embeddings(entry.path, ids=entry.ids_path, codes=False), heard)
        return embeddings, None if entry.codes is False else False


def _insert(
    connection: duckdb.DuckDBPyConnection, folder: Path, entry: Registered, embeddings: Embeddings, ids: Path | None
) -> None:
    """Insert an entry into the table; an entry of the same name is replaced."""
    connection.begin()
    try:
        with _writing():
            connection.execute("DELETE FROM embeddings WHERE name = ?", [entry.name])
            connection.execute(
                "INSERT INTO embeddings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    entry.name,
                    entry.dataset,
                    entry.modality,
                    entry.model,
                    entry.metric,
                    _stored(entry.path, folder),
                    _stored(ids, folder),
                    "" if entry.codes is False else _stored(entry.codes, folder),
                    len(embeddings),
                    embeddings.dim,
                    str(embeddings.dtype),
                    sum(file.stat().st_size for file in embeddings.files),
                    datetime.now(UTC).replace(tzinfo=None),
                    version("emm1"),
                ],
            )
            connection.commit()
    except (duckdb.Error, StoreError):
        connection.rollback()
        raise


@contextmanager
def _writing() -> Iterator[None]:
    """Turn DuckDB's error for a read-only store into one that says what to do."""
    try:
        yield
    except duckdb.Error as error:
        if refusal_of(error)[0] is Refusal.READ_ONLY:
            raise StoreError(
                "the store is open for reading only: open it for writing to register embeddings"
            ) from error
        raise


def _check_entry(entry: Registered) -> None:
    check_items(entry.dataset, entry.modality)
    if entry.metric not in METRICS:
        raise EmbeddingError(f"unknown metric {entry.metric!r}: {', '.join(get_args(Metric))}")
    for text in (entry.name, entry.model, entry.path, entry.ids_path, entry.codes_path):
        check_text(text)
    for path in (entry.path, entry.ids_path, entry.codes_path):
        mark = next((mark for mark in ("?ids=", "?codes=") if mark in str(path)), None)
        if mark:
            raise EmbeddingError(
                f"{path}: {mark!r} in a path means in SQL that another follows: name the ids and the codes on their own, or "
                "rename the file"
            )
    if not entry.name:
        raise EmbeddingError("embeddings need a name that is not empty")
    if entry.model == "":
        raise EmbeddingError("a model needs a name that is not empty: leave it out if none is meant")
    model: object = entry.model
    if model is not None and not (isinstance(model, str) and model.strip() and model.isprintable()):
        raise EmbeddingError(f"a model needs a name that is one line of text, not {entry.model!r}")


def _stored(path: Path | None, folder: Path) -> str | None:
    """A path as stored: relative if the file is under the store's folder, so that both can be moved, to any system."""
    if path is None:
        return None
    path = path.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
