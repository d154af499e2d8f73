"""Both editions together are compared; a store that is brought up to date equals a new one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hub_files import HUNDRED, ONE, edit
from store_content import content, rows_of
from trees import copied

import emm1
from emm1.ingest.run import build_store


@pytest.fixture(scope="module")
def four(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Hub's files of four ranks."""
    root = copied(hub, tmp_path_factory.mktemp("four") / "sample")
    for rank in range(5, 17):
        (root / HUNDRED / f"nn_{rank:02}.parquet").unlink()
    return root


@pytest.fixture
def both(tree: Path, four: Path, tmp_path: Path) -> Path:
    root = copied(tree, tmp_path / "both")
    for name in ("E-MM1-1M", "E-MM1-100M"):
        shutil.copytree(four / name, root / name)
    return root


def edit_csv(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_csv(path, infer_schema=False)).write_csv(path)


def notes(store: Path, name: str) -> str:
    """What provenance says of all files of a dataset of the Hub."""
    with emm1.open(store, read_only=True) as opened:
        found = opened.sql(f"SELECT DISTINCT note FROM provenance WHERE source LIKE '{name}/%'").fetchall()
    ((note,),) = found
    return str(note)


def test_equal_editions(both: Path, store_path: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    build_store(both, store)
    assert rows_of(store) == rows_of(store_path)  # from the CSV files, which have more
    assert notes(store, "E-MM1-100M") == "compared with the CSV files: no difference"
    # Only the Hub has a file_id for clips with times.
    assert "items differ" not in notes(store, "E-MM1-1M")
    assert "video items have file_id in one of the editions only" in notes(store, "E-MM1-1M")
    assert build_store(both, store).up_to_date


def test_differences_are_counted(both: Path, tmp_path: Path) -> None:
    groups_4 = both / HUNDRED / "nn_04.parquet"
    rows = pl.read_parquet(groups_4).height
    edit(groups_4, lambda f: f.with_columns(pl.col("^.*audio.*$").head(1).extend_constant(None, f.height - 1)).head(-2))
    edit_csv(
        both / "e-mm1_1m/infos/image.csv",
        lambda f: f.with_columns(file_name=pl.lit("x.jpg"), dataset_license=pl.lit(None)),
    )
    edit_csv(both / "e-mm1_1m/infos/text.csv", lambda f: f.head(3))
    edit_csv(both / "e-mm1_1m/triplets.csv", lambda f: f.head(-2))
    store = tmp_path / "emm1.duckdb"
    report = build_store(both, store, ranks=range(1, 5))
    groups, ones = notes(store, "E-MM1-100M"), notes(store, "E-MM1-1M")
    assert f"{rows - 3:,} groups of rank 4 are not in CSV; {rows - 1:,} groups of rank 4 are in CSV only" in groups
    assert "2 triplets are not in CSV" in ones
    assert "text ids are not in its info file" in ones
    assert "image items differ in file_name: image " in ones
    assert "and 'x.jpg' in CSV" in ones
    assert "image items have dataset_license in one of the editions only" in ones
    assert (groups in report.notes, ones in report.notes) == (True, True)


def test_each_fills_what_the_other_lacks(both: Path, store_path: Path, tmp_path: Path) -> None:
    """The Hub's files fill the tables and the ranks of which there is no CSV file."""
    for name in ("e-mm1_1m/infos/image.csv", "e-mm1_1m/triplets.csv", "e-mm1_1m/annotation_mapping.csv"):
        (both / name).unlink()
    for rank in (3, 4):
        shutil.rmtree(both / f"e-mm1_100m/nn_{rank}")
    store = tmp_path / "emm1.duckdb"
    assert build_store(both, store).missing == []
    ours, theirs = rows_of(store), rows_of(store_path)
    assert sorted(ours["e_mm1_100m.groups"]) == sorted(theirs["e_mm1_100m.groups"])
    assert sorted(ours["e_mm1_1m.triplets"]) == sorted(theirs["e_mm1_1m.triplets"])
    assert ours["e_mm1_1m.audio"] == theirs["e_mm1_1m.audio"]
    assert set(ours["e_mm1_1m.image"]) <= set(theirs["e_mm1_1m.image"])
    assert ours["e_mm1_1m.annotation_mapping"] == theirs["e_mm1_1m.annotation_mapping"]
    # And brought up to date: all rows are copied.
    shutil.rmtree(both / "eshot")
    assert build_store(both, store).read == []
    build_store(both, tmp_path / "fresh.duckdb")
    assert content(store) == content(tmp_path / "fresh.duckdb")


# The change, and the files of the Hub that are read because of it.
CHANGES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "a caption": (
        lambda root: edit(root / HUNDRED / "nn_01.parquet", lambda f: f.with_columns(caption=pl.lit("c"))),
        HUNDRED,
    ),
    "a rank less": (lambda root: (root / HUNDRED / "nn_04.parquet").unlink(), HUNDRED),
    "a pair less": (lambda root: (root / ONE / "audio_to_image.parquet").unlink(), ONE),
    "a column more": (
        lambda root: edit(root / ONE / "audio_to_image.parquet", lambda f: f.with_columns(x=pl.lit(1))),
        ONE,
    ),
    "EShot less": (lambda root: shutil.rmtree(root / "eshot"), None),
    "a split less": (lambda root: shutil.rmtree(root / "E-MM1-1M"), None),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_update_equals_a_fresh_build(case: str, four: Path, tmp_path: Path) -> None:
    change, read = CHANGES[case]
    own = copied(four, tmp_path / "own")
    updated, fresh = tmp_path / "updated.duckdb", tmp_path / "fresh.duckdb"
    build_store(own, updated)
    assert build_store(own, updated).up_to_date
    change(own)
    report = build_store(own, updated)
    build_store(own, fresh)
    assert (
        sorted(report.read) == sorted(f"{read}/{path.name}" for path in (own / read).iterdir() if read)
        if read
        else report.read == []
    )
    assert content(updated) == content(fresh)


def test_from_one_edition_to_the_other(tree: Path, four: Path, both: Path, tmp_path: Path) -> None:
    updated, fresh = tmp_path / "updated.duckdb", tmp_path / "fresh.duckdb"
    build_store(tree, updated)
    for root in (four, both, tree, both):
        build_store(root, updated, media_root=tmp_path)
        build_store(root, fresh, media_root=tmp_path, force=True)
        assert content(updated) == content(fresh)
