"""In files with one defect, the message names the file and the place; in intact files, nothing is found."""

import csv
import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import emm1
from emm1.ingest.diagnose import Expected, first_defect

ID = "encord_text_id"
# The columns of text.csv, and more that only this test has.
TEXT = {
    ID: Expected("INTEGER", required=True, unique=True),
    "source_dataset": Expected(),
    "dataset_license": Expected(),
    "caption": Expected(),
}
COLUMNS = {
    **TEXT,
    "rank": Expected("SMALLINT"),
    "start_time": Expected("DOUBLE"),
    "kind": Expected(allowed=("x", "y"), what="x or y"),
}
VALUES = {
    "rank": st.sampled_from(["", "1", "-32768", "+7", "0016"]),
    "start_time": st.sampled_from(["", "1", "2.5", "-1e3"]),
    "kind": st.sampled_from(["", "x", "y"]),
}
ODD_TEXTS = [
    "",
    "NA",
    "null",
    "12345",
    '"',
    '""',
    "a, b",
    'She said "stop"',
    "two\nlines",
    "a\r\nb",
    "一只猫 🎸",
    "  x ",
    "\u2028",
    "﻿",
]
NOT_INTEGERS = ["1.5", "1e3", "0x10", " 1", "1 ", "one", "1_000", "--1", "+", "٣", "NaN", "None", "1,5", "1\n"]

texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@dataclass(frozen=True)
class Table:
    """A CSV file: its fields, and how they are written."""

    header: list[str]
    rows: list[list[str]]
    eol: bytes
    bom: bool
    quoted: bool
    blank: frozenset[int]
    last_eol: bool

    def record(self, fields: list[str]) -> bytes:
        """A row as text, without its line end."""
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL if self.quoted else csv.QUOTE_MINIMAL, lineterminator="\n").writerow(
            fields
        )
        return out.getvalue().encode()[:-1]

    def records(self) -> list[bytes]:
        """The header and all rows, with an empty line before some."""
        rows = (self.eol * (at in self.blank) + self.record(row) for at, row in enumerate(self.rows))
        return [self.record(self.header), *rows]

    def whole(self, records: list[bytes]) -> bytes:
        """The file with these records."""
        return b"\xef\xbb\xbf" * self.bom + self.eol.join(records) + self.eol * self.last_eol

    def line(self, at: int) -> int:
        """The number of the line in which a row begins."""
        return self.eol.join([*self.records()[: at + 1], self.eol * (at in self.blank)]).count(b"\n") + 1


@dataclass(frozen=True)
class Broken:
    """The bytes of a file with one defect, and what the message must say after the file's name."""

    content: bytes
    place: str
    words: str


@st.composite
def tables(draw: st.DrawFn, columns: dict[str, Expected], least: int = 0) -> Table:
    header = draw(st.permutations(list(columns)))
    ids = draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=least, max_size=8, unique=True))
    others = [draw(st.fixed_dictionaries({name: VALUES.get(name, texts) for name in header})) for _ in ids]
    rows = [
        [str(number) if name == ID else row[name] for name in header] for number, row in zip(ids, others, strict=True)
    ]
    # Python quotes a CR only if it quotes everything.
    carriage_return = any("\r" in value for row in rows for value in row)
    return Table(
        header,
        rows,
        eol=draw(st.sampled_from([b"\n", b"\r\n"])),
        bom=draw(st.booleans()),
        quoted=carriage_return or draw(st.booleans()),
        blank=draw(st.frozensets(st.integers(0, 7), max_size=2)),
        last_eol=draw(st.booleans()),
    )


def changed(table: Table, at: int, fields: list[str], place: str, words: str) -> Broken:
    rows = [*table.rows[:at], fields, *table.rows[at + 1 :]]
    spoilt = replace(table, rows=rows)
    return Broken(table.whole(spoilt.records()), f"line {table.line(at)} (row {at + 1}){place}", words)


def with_field(table: Table, at: int, column: int, value: str, words: str) -> Broken:
    fields = [*table.rows[at]]
    fields[column] = value
    return changed(table, at, fields, f", column {table.header[column]}: ", words)


def not_an_integer(draw: st.DrawFn, table: Table, at: int) -> Broken:
    column = draw(st.sampled_from([i for i, name in enumerate(table.header) if name in (ID, "rank")]))
    value = draw(st.sampled_from(NOT_INTEGERS))
    return with_field(table, at, column, value, f"{value!r} is not an integer")


def out_of_range(draw: st.DrawFn, table: Table, at: int) -> Broken:
    value = draw(st.sampled_from([str(2**31), str(-(2**31) - 1), "9" * 30, "9" * 5000]))
    return with_field(table, at, table.header.index(ID), value, "is out of range for INTEGER")


def no_id(_draw: st.DrawFn, table: Table, at: int) -> Broken:
    return with_field(table, at, table.header.index(ID), "", "no value")


def twice(draw: st.DrawFn, table: Table, at: int) -> Broken:
    assume(at > 0)
    first = draw(st.integers(0, at - 1))
    column = table.header.index(ID)
    value = table.rows[first][column]
    if not value.startswith("-"):
        value = draw(st.sampled_from(["", "+", "0", "+00"])) + value
    return with_field(table, at, column, value, f"appears twice, first in line {table.line(first)}:")


def too_few(draw: st.DrawFn, table: Table, at: int) -> Broken:
    kept = draw(st.integers(1, len(table.header) - 1))
    return changed(table, at, table.rows[at][:kept], f": {kept} fields where the header has ", "too few")


def too_many(draw: st.DrawFn, table: Table, at: int) -> Broken:
    fields = [*table.rows[at], *draw(st.lists(st.sampled_from(["x", "1", "a, b"]), min_size=1, max_size=3))]
    return changed(table, at, fields, f": {len(fields)} fields where the header has ", "too many")


def unclosed_quote(_draw: st.DrawFn, table: Table, at: int) -> Broken:
    # The next quote closes the field. If a separator followed it, the only defect would be too many fields or lines.
    later = [text.lstrip('"') for row in table.rows[at:] for text in row]
    assume(not any(text.startswith((",", "\n", "\r")) for text in later))
    caption = table.header.index("caption")
    quoted = [
        replace(table, quoted=table.quoted or i == caption).record([field]) for i, field in enumerate(table.rows[at])
    ]
    quoted[caption] = quoted[caption].removesuffix(b'"')
    records = table.records()
    records[at + 1] = table.eol * (at in table.blank) + b",".join(quoted)
    return Broken(table.whole(records), f"line {table.line(at)}: a quote ", "never closed")


def not_utf8(draw: st.DrawFn, table: Table, at: int) -> Broken:
    records = table.records()
    where = draw(st.integers(0, len(records[at + 1])))
    before, after = records[at + 1][:where], records[at + 1][where:]
    records[at + 1] = before + b"\xff" + after
    line = table.eol.join([*records[: at + 1], before]).count(b"\n") + 1
    return Broken(table.whole(records), f"line {line}: ", "not UTF-8")


DEFECTS = [not_an_integer, out_of_range, no_id, twice, too_few, too_many, unclosed_quote, not_utf8]


@st.composite
def broken(draw: st.DrawFn, columns: dict[str, Expected]) -> Broken:
    table = draw(tables(columns, least=1))
    at = draw(st.integers(0, len(table.rows) - 1))
    return draw(st.sampled_from(DEFECTS))(draw, table, at)


def diagnosis(content: bytes) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.csv"
        path.write_bytes(content)
        message = first_defect(path, COLUMNS)
        assert message is None or message.startswith(f"{path}")
        return message and message.removeprefix(f"{path}")


@settings(max_examples=300, deadline=None)
@given(tables(COLUMNS))
def test_nothing_is_found_in_a_sound_file(table: Table) -> None:
    assert diagnosis(table.whole(table.records())) is None


@settings(max_examples=300, deadline=None)
@given(broken(COLUMNS))
def test_the_defect_is_found_where_it_is(defect: Broken) -> None:
    message = diagnosis(defect.content)
    assert message is not None
    assert message.startswith(f", {defect.place}")
    assert defect.words in message


def build(content: bytes) -> list[dict[str, object]]:
    """The captions of a store built from a tree with only this text.csv."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e-mm1_1m" / "infos" / "text.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        try:
            store = emm1.build(folder, Path(folder) / "emm1.duckdb")
        except emm1.SourceError as error:
            raise emm1.SourceError(str(error).removeprefix(f"{path}")) from None
        with store:
            rows: list[dict[str, object]] = store.sql("FROM e_mm1_1m.text ORDER BY rowid").pl().to_dicts()
            return rows


@settings(max_examples=12, deadline=None)
@given(tables(TEXT))
def test_a_sound_file_is_built_as_it_was_written(table: Table) -> None:
    absent = "" if table.quoted else None
    written = [dict(zip(table.header, [value or absent for value in row], strict=True)) for row in table.rows]
    assert build(table.whole(table.records())) == [{**row, ID: int(row[ID] or 0)} for row in written]


@settings(max_examples=20, deadline=None)
@given(broken(TEXT))
def test_a_build_stops_at_the_defect(defect: Broken) -> None:
    with pytest.raises(emm1.SourceError) as raised:
        build(defect.content)
    assert str(raised.value).startswith(f", {defect.place}")
    assert defect.words in str(raised.value)
