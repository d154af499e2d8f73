"""Read EShot's two JSON files: which samples belong to which category."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from emm1.checks import shown
from emm1.dataset import KEYS
from emm1.errors import SourceError
from emm1.ingest.content import open_content
from emm1.ingest.fingerprint import fingerprint
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.sources import AUDIO_CATEGORIES, POINT_CATEGORIES, Source

Categories = Mapping[str, list[int | str]]
SURROGATE = re.compile("[\ud800-\udfff]")
MOST_DIGITS = 20


def read_categories(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult]:
    """Fill ``eshot.categories`` from ``category_to_audio_ids.json`` and ``category_to_point_ids.json``, or one of them.

    The classes are the audio categories in code-point order, as the published script sorts them. The store's
    ``eshot.audio`` and ``eshot.points`` are filled before.

    Raises:
        SourceError: broken JSON, another shape than lists of ids by category, or an id that no CSV row has.
    """
    listed: dict[str, Categories] = {}
    digests = {}
    for source in sources:
        digests[source.name] = new_store.begin(source)
        listed[source.name] = categories_in(source.path)
    spelt = _spelt_alike(listed)
    classes = {name: i for i, name in enumerate(sorted(listed.get(AUDIO_CATEGORIES, ())))}
    results = []
    for source in sources:
        named = "file_id" if source.name == POINT_CATEGORIES and _lists_text(listed[source.name]) else None
        rows = _rows(new_store.connection, source, listed[source.name], classes, named)
        new_store.connection.register("listed", rows.to_arrow())
        new_store.connection.execute("INSERT INTO eshot.categories BY NAME FROM listed")
        new_store.connection.unregister("listed")
        notes = [f"{source.name} lists {named} values, not ids"] if named else []
        if source.name == POINT_CATEGORIES:
            notes = [*spelt, *notes]
        remarks = _differences(listed) if source is sources[-1] else []
        results.append(ReadResult(len(rows), fingerprint(source, digests[source.name]), notes, remarks))
    return results


def categories_in(path: Path) -> Categories:
    """The ids by category of one of the two JSON files: an object of lists, integers or all strings.

    Raises:
        SourceError: the file has another structure; the message says where.
    """
    try:
        with open_content(path) as file:
            content = file.readall()
        listed = json.loads(content, object_pairs_hook=_unique_keys, parse_int=_integer)
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
    """Valid JSON, but not the content of a category file."""


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


def _lists_text(listed: Categories) -> bool:
    return any(isinstance(sample, str) for ids in listed.values() for sample in ids)


def _rows(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    listed: Categories,
    classes: Mapping[str, int],
    named: str | None,
) -> pl.DataFrame:
    """The rows of ``eshot.categories`` that a file gives; its samples are ids, or values of the column `named`."""
    modality = "audio" if source.name == AUDIO_CATEGORIES else "points"
    id_of = _ids_by_sample(connection, source, modality, named)
    key = KEYS["eshot", modality]
    for name, ids in listed.items():
        for sample in ids:
            if _composed(sample) not in id_of:
                raise SourceError(
                    f"{source.path}, category {name!r}: {shown(sample)} is no {named or key} of eshot_{modality}_info.csv "
                    f"({len(id_of):,} rows): the two files must be of the same version"
                )
    return pl.DataFrame(
        [
            (name, classes.get(name), modality, id_of[_composed(sample)])
            for name, ids in listed.items()
            for sample in ids
        ],
        schema={"category": pl.String, "class_index": pl.Int16, "modality": pl.String, "eshot_id": pl.Int32},
        orient="row",
    )


def _ids_by_sample(
    connection: duckdb.DuckDBPyConnection, source: Source, modality: str, named: str | None
) -> dict[int | str, int]:
    """The id of each sample by what the JSON file calls it: its id, or its value in the column `named`."""
    key = KEYS["eshot", modality]
    table = connection.table(f"eshot.{modality}")
    rows = table.select(duckdb.ColumnExpression(named or key), duckdb.ColumnExpression(key)).fetchall()
    id_of = {_composed(sample): number for sample, number in rows}
    if named and len(id_of) < len(rows):
        csv_name = f"eshot_{modality}_info.csv"
        raise SourceError(f"{source.path} names samples by {named}, but {csv_name} has a {named} more than once")
    return id_of


def _spelt_alike(listed: dict[str, Categories]) -> list[str]:
    """Rename categories of the points that differ from the audio file's only in Unicode form (é, or e and an accent)."""
    if len(listed) == 1:
        return []
    by_form = {_composed(name): name for name in listed[AUDIO_CATEGORIES]}
    points = listed[POINT_CATEGORIES]
    listed[POINT_CATEGORIES] = {by_form.get(_composed(name), name): ids for name, ids in points.items()}
    other = [name for name in points if name not in listed[POINT_CATEGORIES]]
    if not other:
        return []
    return [f"{POINT_CATEGORIES} writes {', '.join(other)} in another Unicode form than {AUDIO_CATEGORIES}"]


def _differences(listed: dict[str, Categories]) -> list[str]:
    """The categories that only one of the two files has."""
    if len(listed) == 1:
        return []
    audio, points = listed[AUDIO_CATEGORIES].keys(), listed[POINT_CATEGORIES].keys()
    only = {AUDIO_CATEGORIES: sorted(audio - points), POINT_CATEGORIES: sorted(points - audio)}
    return [f"only {name} has the categories {', '.join(names)}" for name, names in only.items() if names]


def _composed(key: int | str) -> int | str:
    """Text in Unicode's NFC, in which texts that look the same are equal."""
    return unicodedata.normalize("NFC", key) if isinstance(key, str) else key
