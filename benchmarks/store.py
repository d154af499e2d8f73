"""The build, the published examples and queries at full size, each compared with its rival in the same run.

    python -m benchmarks.store TREE WORK

TREE holds the published files, or generated ones of the same form; WORK is a folder for stores. Each task runs in its own
process, so that its peak memory can be measured; the first of each kind is the rival. The examples are measured twice:
within the process, after emm1, DuckDB and Polars are imported and the store is open, and the whole process.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

if TYPE_CHECKING:
    import emm1

Task = Callable[[Path, Path], object]
MODALITIES = ("image", "audio", "video", "points")
# How often a short query is repeated after a first run that is not counted.
REPEATS = 3
# Bytes of CSV; trees with less are samples.
FULL_SIZE = 5e9


def obvious_build(tree: Path, store: Path) -> None:
    """The obvious way: CREATE TABLE AS read_csv, with inferred types."""
    with duckdb.connect(str(store)) as connection:
        for path in sorted(tree.glob("e-mm1_*/infos/*.csv")):
            schema = path.parts[-3].replace("-", "_")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE TABLE {schema}.{path.stem} AS FROM read_csv('{path}')")
        groups = str(tree / "e-mm1_100m" / "nn_*" / "data_groups.csv")
        connection.execute(f"CREATE TABLE e_mm1_100m.groups AS FROM read_csv('{groups}')")
        for path in [*sorted(tree.glob("e-mm1_1m/*.csv")), *sorted(tree.glob("eshot/*.csv"))]:
            connection.execute(f"CREATE TABLE {path.stem} AS FROM read_csv('{path}')")


def emm1_build(memory_limit: str) -> Task:
    def task(tree: Path, store: Path) -> None:
        import emm1

        emm1.build(tree, store, memory_limit=memory_limit, force=True).close()

    return task


def script_first_example(tree: Path, _store: Path) -> None:
    """The dataset README's first script, which reads as text the columns whose types it would infer wrongly."""
    base = tree / "e-mm1_100m"
    groups = pl.read_csv(base / "nn_1" / "data_groups.csv")
    for modality in MODALITIES:
        key = f"encord_{modality}_id"
        info = pl.read_csv(base / "infos" / f"{modality}.csv", infer_schema=False).with_columns(
            pl.col(key).cast(pl.Int64)
        )
        path = pl.lit(str(tree)) + "/" + pl.col("save_folder") + "/" + pl.lit(modality) + "/" + pl.col("file_name")
        groups = groups.join(
            info.with_columns(path.alias("path")).select(key, pl.col("path").alias(f"{modality}_file_path")),
            on=key,
            how="left",
        )
    text = pl.read_csv(base / "infos" / "text.csv")
    groups = groups.join(text.select("encord_text_id", "caption"), on="encord_text_id", how="left")
    print(groups.shape, file=sys.stderr)


def script_second_example(tree: Path, _store: Path) -> None:
    """The dataset README's second script."""
    base = tree / "e-mm1_1m"
    triplets = pl.read_csv(base / "triplets.csv")
    infos = {}
    for modality in ("points", "audio"):
        path = pl.lit(str(tree)) + "/" + pl.col("save_folder") + "/" + pl.lit(modality) + "/" + pl.col("file_name")
        key = pl.col(f"encord_{modality}_id").cast(pl.Int64)
        info = pl.read_csv(base / "infos" / f"{modality}.csv", infer_schema=False)
        infos[modality] = info.select(key.alias("id"), path.alias("path"))
    parts = []
    for paired, annotated in permutations(infos, 2):
        rows = triplets.filter((pl.col("paired_modality") == paired) & (pl.col("annotated_modality") == annotated))
        for role, modality in (("paired", paired), ("annotated", annotated)):
            info = infos[modality].rename({"path": f"{role}_modality_file_path"})
            rows = rows.join(info, left_on=f"encord_{role}_id", right_on="id", how="left")
        parts.append(rows)
    text = pl.read_csv(base / "infos" / "text.csv").select("encord_text_id", "caption")
    print(pl.concat(parts).join(text, on="encord_text_id", how="left").shape, file=sys.stderr)


def emm1_example(run: Callable[[emm1.Store], object]) -> Task:
    def task(_tree: Path, store: Path) -> float:
        import emm1

        with emm1.open(store, read_only=True) as opened:
            started = time.monotonic()
            print(run(opened), file=sys.stderr)
            return time.monotonic() - started

    return task


def aggregated(store: emm1.Store) -> object:
    names = [*(f"{m}_file_path" for m in MODALITIES), "caption"]
    return store.groups(nn_index=1).aggregate(", ".join(f"sum(strlen({name}))" for name in names)).fetchall()


def obvious_view() -> str:
    """The obvious view: left joins, and then paths from their columns."""
    paths = [f"'/data/' || {m}.save_folder || '/{m}/' || {m}.file_name AS {m}_file_path" for m in MODALITIES]
    joins = [f"LEFT JOIN e_mm1_100m.{m} USING (encord_{m}_id)" for m in (*MODALITIES, "text")]
    return f"SELECT g.*, caption, {', '.join(paths)} FROM e_mm1_100m.groups g {' '.join(joins)}"


def query(statement: str) -> Task:
    """The median time of a warm statement about some captions."""

    def task(_tree: Path, store: Path) -> float:
        with duckdb.connect(str(store), read_only=True) as connection:
            ids = [i for (i,) in connection.sql("SELECT encord_text_id FROM e_mm1_100m.text ORDER BY ALL").fetchall()]
            one, many = ids[len(ids) // 3], ids[len(ids) // 2 :][:1000]
            scattered = ", ".join(map(str, ids[:: max(1, len(ids) // 1000)][:1000]))
            text = statement.format(one=one, first=many[0], last=many[-1], scattered=scattered)
            times = []
            for _ in range(1 + REPEATS):
                started = time.monotonic()
                connection.sql(text).to_arrow_table()
                times.append(time.monotonic() - started)
        return sorted(times[1:])[REPEATS // 2]

    return task


def queries() -> dict[str, dict[str, Task]]:
    wanted = {
        "one caption, all ranks and paths": ("encord_text_id = {one}", "[{one}]"),
        "1,000 consecutive captions": ("encord_text_id BETWEEN {first} AND {last}", "range({first}, {last} + 1)"),
        "1,000 scattered captions": ("encord_text_id IN ({scattered})", "[{scattered}]"),
    }
    tasks = {
        what: {
            "obvious view": query(f"FROM ({obvious_view()}) WHERE {condition}"),
            "emm1, view groups": query(f'FROM "groups" WHERE {condition}'),
            "emm1, groups_of": query(f"FROM groups_of({captions})"),
        }
        for what, (condition, captions) in wanted.items()
    }
    tasks["SELECT * LIMIT 200"] = {
        "obvious view": query(f"FROM ({obvious_view()}) LIMIT 200"),
        "emm1, view groups": query('FROM "groups" LIMIT 200'),
    }
    captions = "SELECT g.*, caption FROM e_mm1_100m.groups g LEFT JOIN e_mm1_100m.text USING (encord_text_id)"
    measured = "SELECT count(*), sum(strlen(caption)) FROM {} WHERE nn_index = 1"
    tasks["captions of a rank, measured in SQL"] = {
        "obvious view": query(measured.format(f"({captions})")),
        "emm1, view group_captions": query(measured.format("group_captions")),
    }
    counted = query("SELECT source_dataset, dataset_license, count(*) FROM e_mm1_100m.image GROUP BY ALL")
    tasks["images by source and licence"] = {"obvious table": counted, "emm1, table": counted}
    return tasks


TASKS: dict[str, dict[str, Task]] = {
    "build": {
        "obvious DuckDB script": obvious_build,
        "emm1, memory limit 1 GB": emm1_build("1GB"),
        "emm1": emm1_build("2GB"),
    },
    "first example": {
        "published script (Polars)": script_first_example,
        "emm1 to Polars": emm1_example(lambda store: store.groups_frame(nn_index=1).shape),
        "emm1, aggregated in SQL": emm1_example(aggregated),
    },
    "second example": {
        "published script (Polars)": script_second_example,
        "emm1 to Polars": emm1_example(lambda store: store.triplets_frame(["points", "audio"]).shape),
        "emm1, relation to Polars": emm1_example(lambda store: store.triplets(["points", "audio"]).pl().shape),
    },
    **queries(),
}


def run_one(what: str, who: str, tree: Path, store: Path) -> None:
    started = time.monotonic()
    seconds = TASKS[what][who](tree, store)
    if not isinstance(seconds, float):
        seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    result = {"seconds": seconds, "peak memory, GB": used.ru_maxrss / 1e6}
    if what == "build" or "example" in what:
        result["processor seconds"] = used.ru_utime + used.ru_stime
    print(json.dumps(result))


def main() -> None:
    tree, work = (Path(argument).resolve() for argument in sys.argv[1:3])
    if sys.argv[3:]:
        run_one(sys.argv[3], sys.argv[4], tree, work)
        return
    from benchmarks.record import Row, measured
    from benchmarks.report import finish

    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    rows = []
    for what, runners in TASKS.items():
        for who in runners:
            store = work / ("obvious.duckdb" if "obvious" in who else "emm1.duckdb")
            command = [sys.executable, "-m", "benchmarks.store", str(tree), str(store), what, who]
            started = time.monotonic()
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            whole = {"whole": time.monotonic() - started}
            result = json.loads(output.splitlines()[-1])
            size = {"store, GB": store.stat().st_size / 1e9} if what == "build" else {}
            rows.append(Row(what, who, result | (whole if "example" in what else {}) | size))
            print(rows[-1], file=sys.stderr)
    published = sum(file.stat().st_size for file in tree.rglob("*.csv"))
    finish(measured("store", rows, csv_bytes=published), work, documented=published > FULL_SIZE)


if __name__ == "__main__":
    main()
