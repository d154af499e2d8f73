"""Fuzzing: broken files and odd arguments give a right answer or a clear error, never a crash; searches are exact.

    export PYTHONPATH=.:tests/support:tests/oracle
    python tests/campaigns/fuzz.py [TARGET ...] --minutes 10 --seed 1 --keep FOLDER
    python tests/campaigns/fuzz.py TARGET --seed 1 --only 4711

Each case depends only on the seed and its number, so `--only` repeats it. A case that fails is kept as a file; one that
ends the process is the file `TARGET.last`. `EMM1_SIMD` selects the instruction set.
"""

import argparse
import csv
import io
import math
import random
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
from formats import WRITERS
from mutation import exchange_field, mutate
from numpy.typing import NDArray
from searches import Searches
from signatures import signatures
from sqlglot import exp

import emm1
from emm1.dataset import Split
from emm1.errors import EmbeddingsWarning, Error
from emm1.ingest.columns import columns_of
from emm1.ingest.fingerprint import Digest, fingerprint
from emm1.ingest.readers.categories import read_categories
from emm1.ingest.readers.contract import NewStore
from emm1.ingest.readers.duckdb_csv import read_csv
from emm1.ingest.readers.groups import read_groups
from emm1.ingest.readers.infos import find_enum_values, read_info
from emm1.ingest.readers.labels import read_labels
from emm1.ingest.schema import add_columns, declared_columns, fresh
from emm1.ingest.sources import AUDIO_CATEGORIES, Source

# The bytes of a case, and a function that tries them and raises if the outcome is wrong.
Case = tuple[bytes, Callable[[], object]]
Target = Callable[[random.Random], Case]

INFO = (
    b"encord_audio_id,source_dataset,dataset_license,youtube_id,start_time,end_time,file_name,save_folder\n"
    b'0,VGGSound,CC BY 4.0,-0abc,1,2.5,a.mp4,shared\n1,AudioSet,"",007,,,"b, ""c"".mp4",e-mm1_100m_only\n'
    b"+7,AudioCaps,MIT,x,1e3,0.5,\xe4\xb8\x80.mp4,shared\n"
)
GROUPS = (
    b"encord_text_id,encord_video_id,encord_audio_id,encord_image_id,encord_points_id,nn_index\n"
    b"0,5,7,11,13,3\n1,15,17,111,113,3\n2,25,27,211,213,3\n9,2147483647,0,0,0,3\n"
)
# Longer than a block of the native parser.
MANY_GROUPS = GROUPS + b"".join(b"%d,%d,%d,7,%d,3\n" % (i, i * i, i, i * 1000) for i in range(10, 1000))
TRIPLETS = (
    b"encord_text_id,paired_modality,annotated_modality,encord_paired_id,encord_annotated_id,annotation\n"
    b"0,audio,points,1,2,1\n0,audio,points,1,3,2\n5,image,audio,4,4,3\n"
)
LABELS = b"annotation,annotation_label\n1,Good Match\n2,Partial Match\n3,Bad Match\n"
FILLED = (
    ("e_mm1_100m", "audio"),
    ("e_mm1_100m", "groups"),
    ("e_mm1_1m", "triplets"),
    ("e_mm1_1m", "annotation_mapping"),
    ("eshot", "categories"),
)
JSON = b'{"bell": [0, 1], "a dog": [2], "\\u00e9t\\u00e9": [3, 3], "none": []}'


def vectors(rows: int = 40, dims: int = 24) -> NDArray[np.float32]:
    """Vectors that are always the same."""
    return np.random.default_rng(3).standard_normal((rows, dims)).astype(np.float32)


def number_of(field: str) -> float | None:
    """The number in a field; None if it is empty."""
    assert re.fullmatch(r"([+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)?", field), f"{field!r} was taken for a number"
    number = float(field or 0)
    assert math.isfinite(number), f"{field!r} was taken for a number"
    return number if field else None


class Sources:
    """Source files are mutated and loaded into the empty tables of a store, which are then emptied again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = fresh(folder / "store.duckdb", folder, {"threads": 1})
        self.connection.execute("INSERT INTO eshot.audio (eshot_audio_id) FROM range(4)")
        self.declared = declared_columns(self.connection)

    def csv(self, dice: random.Random) -> Case:
        """An info file, triplets or groups; as many rows must be loaded as Python's csv module finds."""
        files: list[tuple[bytes, Split, str, int | None]] = [
            (INFO, "100m", "audio", None),
            (TRIPLETS, "1m", "triplets", None),
            (GROUPS, "100m", "groups", 3),
            (MANY_GROUPS, "100m", "groups", 3),
        ]
        whole, split, table, rank = dice.choice(files)
        content = exchange_field(dice, whole) if dice.random() < 0.3 else mutate(dice, whole)
        source = Source("fuzz.csv", self.folder / "fuzz.csv", split, table, rank)

        def run() -> None:
            new_store = self._opened(source)
            natively, found = self._natively(new_store, source)
            (result,) = read_csv(new_store, [source]) or []
            loaded = result.rows
            rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]
            assert loaded == len(rows) - 1, f"{loaded} rows loaded, {len(rows) - 1} in the file"
            if table == "audio" and "start_time" in rows[0]:
                at = rows[0].index("start_time")
                times = self.connection.execute(
                    f"SELECT start_time FROM {source.schema}.audio ORDER BY rowid"
                ).fetchall()
                assert times == [(number_of(row[at]),) for row in rows[1:]]
            if natively is not None:
                expected = self.connection.execute(f"FROM {source.schema}.{table} ORDER BY rowid").fetchall()
                assert (natively, found) == (loaded, expected)

        return content, lambda: self._tried(source.path, content, run)

    def _opened(self, source: Source) -> NewStore:
        """The store with the columns of a file."""
        columns = columns_of(source, self.declared[source.schema, source.table])
        add_columns(self.connection, source.schema, source.table, (c.name for c in columns if not c.known))
        found = {source.name: columns}
        enums = find_enum_values([source], found) if source.table == "audio" else None
        return NewStore(self.connection, found, enums, lambda _: Digest())

    def _natively(self, new_store: NewStore, source: Source) -> tuple[int | None, list[tuple[object, ...]]]:
        """How many rows the native parser reads, and which; then the table is emptied."""
        results = None
        if source.table != "triplets":
            results = (read_groups if source.rank else read_info)(new_store, [source])
        table = f"{source.schema}.{source.table}"
        rows = self.connection.execute(f"FROM {table} ORDER BY rowid").fetchall()
        self.connection.execute(f"DELETE FROM {table}")
        if results is None:
            return None, rows
        (result,) = results
        assert result.content == fingerprint(source, Digest())
        return result.rows, rows

    def json(self, dice: random.Random) -> Case:
        """A file of categories or the labels; each loaded id must be one of the four that exist."""
        new_store = NewStore(self.connection, {}, None, lambda _: Digest())
        if dice.random() < 0.25:
            content = mutate(dice, LABELS)
            labels = Source("fuzz.csv", self.folder / "fuzz.csv", "1m", "annotation_mapping")
            return content, lambda: self._tried(labels.path, content, lambda: read_labels(new_store, [labels]))
        content = mutate(dice, JSON)
        source = Source(AUDIO_CATEGORIES, self.folder / "fuzz.json", "eshot", "categories")

        def run() -> None:
            read_categories(new_store, [source])
            query = "SELECT count(*) FROM eshot.categories WHERE eshot_id NOT BETWEEN 0 AND 3"
            assert self.connection.execute(query).fetchall() == [(0,)]

        return content, lambda: self._tried(source.path, content, run)

    def _tried(self, path: Path, content: bytes, run: Callable[[], object]) -> None:
        path.write_bytes(content)
        try:
            run()
        except Error as error:
            _clear(str(error), str(path))
        finally:
            self._empty()

    def _empty(self) -> None:
        """Tables as they were: no transaction, since what is wrong is looked up after DuckDB has given up."""
        for (schema, table), columns in declared_columns(self.connection).items():
            if (schema, table) not in FILLED:
                continue
            self.connection.execute(f"DELETE FROM {schema}.{table}")
            for name in columns.keys() - self.declared[schema, table].keys():
                column = exp.to_identifier(name, quoted=True).sql("duckdb")
                self.connection.execute(f"ALTER TABLE {schema}.{table} DROP COLUMN {column}")


class Vectors:
    """Embedding files and codes are mutated and searched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = vectors()
        self.files: dict[str, bytes] = {}
        for i, (write, dtype) in enumerate(WRITERS):
            made = folder / f"{i}"
            made.mkdir()
            file = made / write(made, (rows * 10).astype(np.int8).astype(dtype))
            if file.is_file():
                self.files[f"{dtype}{file.suffix}"] = file.read_bytes()
        np.save(folder / "whole.npy", rows)
        self.exact = emm1.Embeddings(folder / "whole.npy", codes=False)
        self.codes = emm1.Embeddings(folder / "whole.npy").build_codes(folder / "whole.codes").read_bytes()

    def headers(self, dice: random.Random) -> Case:
        """An embedding file (mostly its header) or its ids."""
        name = dice.choice(list(self.files))
        content = mutate(dice, self.files[name], first=dice.choice((16, 128, 128, None)))
        path = self.folder / name

        def run() -> None:
            path.write_bytes(content)
            try:
                embeddings = emm1.Embeddings(path, codes=False)
                assert embeddings.dim * len(embeddings) <= len(content)
                embeddings.search(np.ones(embeddings.dim, np.float32), k=3, metric="dot")
                embeddings.vectors([0])
            except Error as error:
                _clear(str(error), name)

        return content, run

    def codes_file(self, dice: random.Random) -> Case:
        """A codes file: the answer must be exact, whether the codes are intact, refused or found to be damaged."""
        content = mutate(dice, self.codes, first=dice.choice((64, None)))
        path = self.folder / "fuzz.codes"
        query = np.array([dice.gauss(0, 1) for _ in range(24)], np.float32)

        def run() -> None:
            path.write_bytes(content)
            try:
                with warnings.catch_warnings(action="ignore", category=EmbeddingsWarning):
                    embeddings = emm1.Embeddings(self.folder / "whole.npy", codes=path)
                    hits, expected = embeddings.search(query, k=5), self.exact.search(query, k=5)
                same = np.array_equal(hits.ids, expected.ids) and np.array_equal(hits.scores, expected.scores)
                assert same, "codes change the answer"
                embeddings.verify()
            except Error as error:
                _clear(str(error), "fuzz.codes")

        return content, run


class SQL:
    """The functions of the extension, called with odd arguments."""

    def __init__(self, folder: Path) -> None:
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": True, "threads": 1})
        emm1.load_extension(self.connection)
        np.save(folder / "a.npy", vectors())
        np.save(folder / "b.npy", vectors(7))
        np.save(folder / "b.ids.npy", np.arange(7) * 10)
        np.save(folder / "none.npy", vectors(0))
        (folder / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")
        names = ["a.npy", "b.npy", "none.npy", "bad.npy", "absent.npy", "", "a.npy?ids=b.ids.npy", "a.npy?", "x\\0"]
        files = [f"'{folder / name}'" for name in names] + ["''", "NULL", "'ä\U0001f3b8'"]
        usual = files[:2] * 4
        self.pools = {
            "file": usual + files,
            "query": ["[1.0]::FLOAT[]", "[]::FLOAT[]", "NULL", "['nan'::FLOAT]", f"{[1.0] * 24}::FLOAT[]"]
            + [f"emm1_vector({usual[0]}, {i})" for i in (0, 1, 39, 40, -1)]
            + [f"{[1e38] * 24}::FLOAT[]", f"{[1e300] * 24}::DOUBLE[]", "list_transform(range(24), x -> NULL)::FLOAT[]"],
            "k": ["1", "3", "0", "-1", "NULL", "9223372036854775807", "-9223372036854775808", "100", "i"],
            "metric": ["'cosine'"] * 3 + ["'dot'", "'l2'", "'L2'", "''", "NULL", "'hamming'"],
            "id": ["0", "10", "-1", "NULL", "9223372036854775807", "i"],
            "ids": ["[0, 1]::BIGINT[]", "[]::BIGINT[]", "NULL", "[NULL, 3]::BIGINT[]", "range(1000)", "[i, i, -i]"],
            "threshold": ["0.5", "-1", "'nan'::FLOAT", "'inf'::FLOAT", "NULL", "1e300"],
            "name": ["'a'", "'b'", "''", "NULL"],
            "known": ["NULL", "[]::VARCHAR[][]", "[NULL]::VARCHAR[][]", "[['a']]"]
            + [f"[['a', 'store', {file}, NULL, NULL, 'dot', 'x', '40', '24', 'float32']]" for file in files],
        }
        self.functions = signatures()

    def statements(self, dice: random.Random) -> Case:
        """A statement; DuckDB may refuse it, but not fail internally."""

        def pick(kind: str) -> str:
            return dice.choice(self.pools[dice.choice(list(self.pools)) if dice.random() < 0.03 else kind])

        function = dice.choice(self.functions)
        call = function.call(*map(pick, function.kinds))
        if function.rows:  # whose arguments are no columns
            text = f"SELECT count(*), count(COLUMNS(*)) FROM {call.replace(':= i', ':= 2')}"
        else:
            text = f"SELECT {call} FROM range({dice.choice((0, 1, 2, 5, 3000))}) r(i)"
            if dice.randrange(6) == 0:
                text += f" WHERE i % {dice.randint(1, 3)} = 0 LIMIT {dice.randint(0, 9)}"

        def run() -> None:
            try:
                self.connection.execute(text).fetchall()
            except (duckdb.InternalException, duckdb.FatalException):
                raise
            except duckdb.Error as error:
                if "panic" in str(error).lower():
                    raise

        return text.encode(), run


def _clear(message: str, name: str) -> None:
    """An error must name the file, be short, and be readable."""
    assert name in message, message
    assert len(message) < 1500, message
    assert "Error:" not in message, message


def targets(folder: Path) -> dict[str, Target]:
    """The targets of fuzzing."""
    for name in ("sources", "vectors", "sql", "searches"):
        (folder / name).mkdir(exist_ok=True)
    sources, files, sql = Sources(folder / "sources"), Vectors(folder / "vectors"), SQL(folder / "sql")
    return {
        "csv": sources.csv,
        "json": sources.json,
        "headers": files.headers,
        "codes": files.codes_file,
        "sql": sql.statements,
        "search": Searches(folder / "searches").search,
    }


def run(
    name: str, target: Target, seed: int, keep: Path, *, cases: int | None, seconds: float, first: int = 0
) -> tuple[int, int]:
    """Try cases up to a number or a time; returns how many were tried and how many failed."""
    number, failed = first, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and number - first < (cases or math.inf):
        content, attempt = target(random.Random(f"{name} {seed} {number}"))
        last = keep / f"{name}.last"
        last.write_bytes(content)
        try:
            attempt()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the native module is not an Exception
            failed += 1
            last.rename(keep / f"{name}-{seed}-{number}")
            print(f"{name} {seed} {number}: {type(error).__name__}: {error}"[:600], flush=True)
        number += 1
    (keep / f"{name}.last").unlink(missing_ok=True)
    return number - first, failed


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of a case to repeat")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    arguments = parser.parse_args()
    arguments.keep.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        wanted = arguments.targets or list(known)
        cases, first = (None, 0) if arguments.only is None else (1, arguments.only)
        seconds = 60 * arguments.minutes / len(wanted)
        failures = 0
        for name in wanted:
            tried, failed = run(
                name, known[name], arguments.seed, arguments.keep, cases=cases, seconds=seconds, first=first
            )
            failures += failed
            print(f"{name}, seed {arguments.seed}: {tried:,} cases, {failed} failed", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
