"""Load EShot's two JSON files: which samples belong to which category."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import polars as pl

from emm1.arguments import shown
from emm1.errors import SourceError

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

Categories = Mapping[str, list[int | str]]
SURROGATE = re.compile("[\ud800-\udfff]")
MOST_DIGITS = 20


class Note(NamedTuple):
    """What is to be noted; `source` is the published name of the file that it is about, where it is one."""

    source: str | None
    text: str


def load_categories(
    connection: duckdb.DuckDBPyConnection, audio: Source | None, points: Source | None
) -> tuple[dict[str, int], list[Note]]:
    """Fill ``eshot.categories`` from ``category_to_audio_ids.json`` and ``category_to_point_ids.json``.

    The classes are the audio categories in code-point order, as the published script sorts them.

    Args:
        connection: of a store whose ``eshot.audio`` and ``eshot.points`` are filled.
        audio: the file of the audio categories, where there is one.
        points: the file of the point cloud categories, where there is one.

    Returns:
        The number of ids listed, by the file's published name, and what is to be noted about the files.

    Raises:
        SourceError: broken JSON, another shape than lists of ids by category, or an id that no CSV row has.
    """
    read = {source.name: read_categories(source.path) for source in (audio, points) if source}
    classes = {name: i for i, name in enumerate(sorted(read[audio.name]))} if audio else {}
    notes = _spelt_alike(audio, points, read) + _differences(audio, points, read)
    for source, modality, key in ((audio, "audio", None), (points, "points", "file_id")):
        if source is None:
            continue
        listed = read[source.name]
        id_of, found = _ids_by_key(connection, source, modality, key, listed)
        notes += found
        frame = pl.DataFrame(
            [
                (name, classes.get(name), modality, id_of[_composed(sample)])
                for name, ids in listed.items()
                for sample in ids
            ],
            schema={
                "category": pl.String,
                "class_index": pl.Int16,
                "modality": pl.String,
                "eshot_id": pl.Int32,
            },
            orient="row",
        )
        connection.register("listed", frame.to_arrow())
        connection.execute("INSERT INTO eshot.categories BY NAME FROM listed")
        connection.unregister("listed")
    return {name: sum(map(len, listed.values())) for name, listed in read.items()}, notes


def read_categories(path: Path) -> Categories:
    """Read one of the two JSON files: an object of lists, integers or all strings.

    Raises:
        SourceError: the file is not that; says where.
    """
    try:
        listed = json.loads(path.read_bytes(), object_pairs_hook=_unique_keys, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: byte {error.start} is not UTF-8: download the file again") from error
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}): download the file again"
        ) from error
    except RecursionError as error:
        raise SourceError(f"{path} is nested too deeply: download the file again") from error
    except _ContentError as error:
        raise SourceError(f"{path}: {error}") from error
    shape = "it must map each category to a list of ids"
    if not isinstance(listed, dict):
        raise SourceError(f"{path} holds a JSON {type(listed).__name__}: {shape}")
    for name, ids in listed.items():
        if not isinstance(ids, list):
            raise SourceError(f"{path}, category {shown(name)}: {shape}, found {json.dumps(ids)[:60]}")
        for sample in ids:
            if isinstance(sample, bool) or not isinstance(sample, int | str):
                raise SourceError(f"{path}, category {name!r}: {json.dumps(sample)[:60]} is not an id")
    return listed


class _ContentError(ValueError):
    """JSON that says what a category file cannot say."""


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _ContentError(f"the key {twice!r} appears twice: merge the two or remove one")
    forms: dict[int | str, str] = {}
    for name in result:
        first = forms.setdefault(_composed(name), name)
        if first != name:
            raise _ContentError(
                f"the keys {first!a} and {name!a} are the same text in two Unicode forms: merge the two"
            )
        if SURROGATE.search(name):
            raise _ContentError(f"the key {name!r} is not Unicode text: it has half of a surrogate pair")
    return result


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _ContentError(f"{shown(digits)} is not an id")
    return int(digits)


def _ids_by_key(
    connection: duckdb.DuckDBPyConnection, source: Source, modality: str, key: str | None, listed: Categories
) -> tuple[dict[int | str, int], list[Note]]:
    """The id of each sample by what the JSON file calls it: its id, or its ``key`` column where it lists strings."""
    samples = [(name, sample) for name, ids in listed.items() for sample in ids]
    texts = sum(isinstance(sample, str) for _, sample in samples)
    column = f"eshot_{modality.rstrip('s')}_id"
    by = key if key and texts else column
    rows = (
        connection.table(f"eshot.{modality}")
        .select(duckdb.ColumnExpression(by), duckdb.ColumnExpression(column))
        .fetchall()
    )
    id_of: dict[int | str, int] = {_composed(key): number for key, number in rows}
    csv_name = f"eshot_{modality}_info.csv"
    for name, sample in samples:
        if _composed(sample) not in id_of:
            raise SourceError(
                f"{source.path}, category {name!r}: {shown(sample)} is no {by} of {csv_name} "
                f"({len(id_of):,} rows): the two files must be of the same version"
            )
    if by == key and len(id_of) < len(rows):
        raise SourceError(f"{source.path} names samples by {key}, but {csv_name} has a {key} more than once")
    return id_of, [Note(source.name, f"{source.name} lists {key} values, not ids")] if by == key else []


def _spelt_alike(audio: Source | None, points: Source | None, read: dict[str, Categories]) -> list[Note]:
    """Give categories of the points that the audio file writes in another Unicode form (é, or e and an accent) its form."""
    if not audio or not points:
        return []
    by_form = {_composed(name): name for name in read[audio.name]}
    listed = read[points.name]
    read[points.name] = {by_form.get(_composed(name), name): ids for name, ids in listed.items()}
    other = [name for name in listed if name not in read[points.name]]
    text = f"{points.name} writes {', '.join(other)} in another Unicode form than {audio.name}"
    return [Note(points.name, text)] if other else []


def _composed(key: int | str) -> int | str:
    """Text in Unicode's NFC: what is read alike is equal."""
    return unicodedata.normalize("NFC", key) if isinstance(key, str) else key


def _differences(audio: Source | None, points: Source | None, read: dict[str, Categories]) -> list[Note]:
    if not audio or not points:
        return []
    only = {
        audio.name: sorted(read[audio.name].keys() - read[points.name].keys()),
        points.name: sorted(read[points.name].keys() - read[audio.name].keys()),
    }
    return [Note(None, f"only {name} has the categories {', '.join(names)}") for name, names in only.items() if names]
