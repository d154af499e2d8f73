"""The native CSV reader: the files that it accepts, it reads as Python's csv module does."""

import csv
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_content import content

import emm1
from emm1.ingest.readers.native import BUFFER, FieldType, UnsupportedFileError, read_records, schema_of, to_arrow

TYPES: list[FieldType] = ["integer", "number", "text", "symbol"]
NAMES = ["id", "time", "name", "folder"]
FIELDS = st.tuples(
    st.none() | st.integers(0, 2**31 - 1),
    st.none() | st.integers(0, 10**15) | st.decimals(0, 10**6, places=3),
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9) | st.just('"a", b\r\n""'),
    st.none() | st.sampled_from(["", "x", "CC BY, 4.0", "été"]),
)
# Characters that cause trouble in CSV.
NOISE = st.text(st.sampled_from('0179,."ab \r\n\0é-+e'), max_size=40)


def written(rows: list[tuple[object, ...]], end: str) -> str:
    """Rows as CSV: None is an empty field, '' is quoted."""
    file = io.StringIO()
    for row in [tuple(NAMES), *rows]:
        fields = []
        for field in row:
            text = "" if field is None else str(field)
            quoted = text == "" or not text.isascii() or any(letter in text for letter in ',"\r\n')
            fields.append('"' + text.replace('"', '""') + '"' if quoted and field is not None else text)
        file.write(",".join(fields) + end)
    return file.getvalue()


def read(text: str, most: int = 3, held: int = BUFFER) -> list[dict[str, object]]:
    symbols: list[list[str]] = [[]]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        path.write_bytes(text.encode())
        for columns, count in read_records(path, TYPES, symbols, most=most, held=held):
            rows += to_arrow(
                columns, count, schema_of(NAMES, TYPES), [pa.array(symbols[0] or [""], pa.string())]
            ).to_pylist()
    return rows


@given(st.lists(FIELDS, max_size=12), st.sampled_from(["\n", "\r\n"]), st.integers(1, 5))
def test_gives_back_what_was_written(rows: list[tuple[object, ...]], end: str, most: int) -> None:
    expected = [
        {"id": i, "time": None if t is None else float(str(t)), "name": name, "folder": folder}
        for i, t, name, folder in rows
    ]
    assert read(written(rows, end), most) == expected


@given(st.lists(FIELDS, max_size=4), NOISE, st.sampled_from(["\n", "\r\n"]))
def test_what_it_accepts_is_what_the_csv_module_reads(rows: list[tuple[object, ...]], noise: str, end: str) -> None:
    text = written(rows, end) + noise
    try:
        found = read(text)
    except UnsupportedFileError:
        return
    expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
    assert len(found) == len(expected)
    for record, fields in zip(found, expected, strict=True):
        number, time, name, folder = fields
        assert record["id"] == (int(number) if number else None)
        assert record["time"] == (float(time) if time else None)
        assert (record["name"] or "", record["folder"] or "") == (name, folder)


@pytest.mark.parametrize("size", [60, 97, 200])
def test_rows_that_span_blocks(size: int) -> None:
    rows: list[tuple[object, ...]] = [(i, i / 4, 'a "b"\n' * (i % 4), "x") for i in range(50)]
    assert [row["id"] for row in read(written(rows, "\n"), most=7, held=size)] == list(range(50))


def test_a_row_longer_than_a_block_is_not_supported() -> None:
    with pytest.raises(UnsupportedFileError):
        read(written([(1, 2, "a" * 80, "x")], "\n"), held=60)


@pytest.mark.parametrize(
    ("usual_form", "odd_form"),
    [
        pytest.param(
            b"0,MIT,x,,,,a.mp4,f.mp4,shared\n", b'"0","MIT","x",,,,"a.mp4","f.mp4","shared"\n', id="quoted id"
        ),
        pytest.param(b'0,MIT,x,,,,a,"f"".mp4",shared\n', b'0,MIT,x,,,,a,f".mp4,shared\n', id="quote inside"),
    ],
)
def test_an_unusual_file_gives_the_same_store(
    usual_form: bytes, odd_form: bytes, own_tree: Path, tmp_path: Path
) -> None:
    """DuckDB then reads the file, and the ENUMs are created later if the first pass cannot finish."""
    path = own_tree / "e-mm1_100m" / "infos" / "video.csv"
    header, rest = path.read_bytes().split(b"\n", 1)
    stores = []
    for number, row in enumerate((usual_form, odd_form)):
        path.write_bytes(header + b"\n" + row + rest.partition(b"\n")[2])
        store = tmp_path / f"{number}.duckdb"
        emm1.build(own_tree, store, splits=["100m"], ranks=[1]).close()
        stores.append({name: rows for name, rows in content(store).items() if name != "provenance"})
    assert stores[0] == stores[1]


def test_a_quoted_empty_id_is_none(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_100m" / "nn_1" / "data_groups.csv"
    header, row, rest = path.read_bytes().split(b"\n", 2)
    first = dict(zip(header.split(b","), row.split(b","), strict=True)) | {b"encord_video_id": b'""'}
    path.write_bytes(b"\n".join([header, b",".join(first.values()), rest]))
    with emm1.build(own_tree, tmp_path / "store.duckdb", splits=["100m"], ranks=[1]) as store:
        query = "SELECT encord_text_id, encord_video_id, encord_audio_id FROM e_mm1_100m.groups LIMIT 1"
        expected = [(int(first[b"encord_text_id"]), None, int(first[b"encord_audio_id"]))]
        assert store.sql(query).fetchall() == expected


def test_an_item_needs_an_id(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_100m" / "infos" / "points.csv"
    header, row, rest = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([header, b'""' + row[row.index(b",") :], rest]))
    with pytest.raises(emm1.SourceError, match=r"points\.csv, line 2 .*column encord_points_id: no value"):
        emm1.build(own_tree, tmp_path / "store.duckdb", splits=["100m"], ranks=[1])
