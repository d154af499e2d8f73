"""The build and the first published example at full size, each beside its rival in the same run.

    python benchmarks/store.py TREE WORK

TREE holds the published files, or a stand-in of their shape; WORK is a folder for stores. Each task runs in a process
of its own, so that its peak memory is its own.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

import emm1

MODALITIES = ("image", "audio", "video", "points")


def obvious_build(tree: Path, store: Path) -> None:
    """What one writes first: CREATE TABLE AS read_csv, types guessed."""
    with duckdb.connect(str(store)) as connection:
        for path in sorted(tree.glob("e-mm1_*/infos/*.csv")):
            schema = path.parts[-3].replace("-", "_")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE TABLE {schema}.{path.stem} AS FROM read_csv('{path}')")
        groups = str(tree / "e-mm1_100m" / "nn_*" / "data_groups.csv")
        connection.execute(f"CREATE TABLE e_mm1_100m.groups AS FROM read_csv('{groups}')")
        for path in [*sorted(tree.glob("e-mm1_1m/*.csv")), *sorted(tree.glob("eshot/*.csv"))]:
            connection.execute(f"CREATE TABLE {path.stem} AS FROM read_csv('{path}')")


def emm1_build(tree: Path, store: Path) -> None:
    emm1.build(tree, store).close()


def script_first_example(tree: Path, _store: Path) -> None:
    """The dataset README's first script, with types that its own guess would trip over read as text."""
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


def emm1_first_example(_tree: Path, store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        print(opened.groups(nn_index=1).pl().shape, file=sys.stderr)


TASKS: dict[str, Callable[[Path, Path], None]] = {
    "build, obvious DuckDB script": obvious_build,
    "build, emm1": emm1_build,
    "first example, published script (Polars)": script_first_example,
    "first example, emm1 to Polars": emm1_first_example,
}


def run_one(name: str, tree: Path, store: Path) -> None:
    started = time.monotonic()
    TASKS[name](tree, store)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": time.monotonic() - started, "gigabytes": peak / 1e6}))


def main() -> None:
    tree, work = (Path(argument).resolve() for argument in sys.argv[1:3])
    if sys.argv[3:]:
        run_one(sys.argv[3], tree, work)
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print(f"{os.cpu_count()} cores, {platform.machine()}, DuckDB {duckdb.__version__}, Polars {pl.__version__}\n")
    print("| task | seconds | peak memory, GB | store, GB |\n|---|---|---|---|")
    for name in TASKS:
        store = work / ("obvious.duckdb" if "obvious" in name else "emm1.duckdb")
        command = [sys.executable, __file__, str(tree), str(store), name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result = json.loads(output.splitlines()[-1])
        size = f"{store.stat().st_size / 1e9:.2f}" if name.startswith("build") else ""
        print(f"| {name} | {result['seconds']:.1f} | {result['gigabytes']:.2f} | {size} |", flush=True)


if __name__ == "__main__":
    main()
