"""What is flagged counts as not there: every evaluation gives what it gives in a store whose files never had the items."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

import emm1
from emm1.dataset import KEYS, MODALITIES, MODALITIES_OF, Split
from emm1.evaluation.groups import make, score
from emm1.store.excluded import excluded
from emm1.store.kept import kept

FLAGS = ("leak", "broken")
LEAKS = "SELECT id FROM flags WHERE dataset = '100m' AND modality::VARCHAR = ? AND flag = 'leak'"
Gone = dict[tuple[str, str], np.ndarray]


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store some of whose items are flagged, or have a media file that is not well."""
    with emm1.build(tree, tmp_path_factory.mktemp("flagged") / "emm1.duckdb") as opened:
        _register(opened, tree)
        random = np.random.default_rng(7)
        given: list[tuple[str, Split]] = [
            ("leak", "100m"),
            ("leak", "1m"),
            ("broken", "1m"),
            ("broken", "eshot"),
            ("other", "1m"),
        ]
        for flag, dataset in given:
            for modality in MODALITIES_OF[dataset]:
                ids = np.load(_vectors(tree, dataset, modality), mmap_mode="r").shape[0]
                some = _ids(tree, dataset, modality)[random.random(ids) < 0.08]
                if len(some):
                    rows = pl.DataFrame({"id": some}).with_columns(dataset=pl.lit(dataset), modality=pl.lit(modality))
                    opened.add_flags(rows, flag)
        opened.sql(
            "INSERT INTO media_status SELECT dataset, modality, id, CASE id % 5 WHEN 0 THEN 'missing' ELSE 'ok' END, NULL, now() "
            "FROM assets WHERE modality <> 'text' AND id % 7 > 0"
        )
        opened.sql(
            "INSERT INTO media_status SELECT dataset, modality, id, 'empty', NULL, now() FROM assets WHERE id % 11 = 1 AND modality <> 'text'"
        )
        yield opened


def _vectors(tree: Path, dataset: str, modality: str) -> Path:
    name = {"100m": f"{modality}.npy", "1m": f"1m/{modality}.npy", "eshot": f"eshot_{modality}.npy"}[dataset]
    return tree / "embeddings" / name


def _ids(tree: Path, dataset: str, modality: str) -> np.ndarray:
    file = _vectors(tree, dataset, modality)
    beside = file.with_name(f"{file.stem}.ids.npy")
    return np.load(beside) if beside.exists() else np.arange(len(np.load(file)))


def _register(store: emm1.Store, tree: Path) -> None:
    for dataset, modalities in MODALITIES_OF.items():
        for modality in modalities:
            file = _vectors(tree, dataset, modality)
            store.add_embeddings(f"{modality}_{dataset}", file, dataset=dataset, modality=modality, model="ours")


@pytest.fixture(scope="module")
def gone(store: emm1.Store) -> Gone:
    """The flagged items, by DuckDB."""
    return {
        (dataset, modality): np.array(
            store.sql(
                "SELECT id FROM flags WHERE dataset = ? AND modality::VARCHAR = ? AND flag IN ('leak', 'broken')",
                params=[dataset, modality],
            ).fetchall(),
            np.int64,
        ).ravel()
        for dataset, modalities in MODALITIES_OF.items()
        for modality in modalities
    }


@pytest.fixture(scope="module")
def without(tree: Path, gone: Gone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store of the same files without the flagged items, and without all rows that name them."""
    root = tmp_path_factory.mktemp("without") / "tree"
    for file in (*tree.rglob("*.csv"), *tree.rglob("*.json")):
        to = root / file.relative_to(tree)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(file.read_bytes())
    for (dataset, modality), ids in gone.items():
        place = {"100m": f"e-mm1_100m/infos/{modality}.csv", "1m": f"e-mm1_1m/infos/{modality}.csv"}
        _drop(root / place.get(dataset, f"eshot/eshot_{modality}_info.csv"), KEYS[dataset, modality], ids)
        vectors, every = np.load(_vectors(tree, dataset, modality)), _ids(tree, dataset, modality)
        left = ~np.isin(every, ids)
        to = _vectors(root, dataset, modality)
        to.parent.mkdir(parents=True, exist_ok=True)
        np.save(to, vectors[left])
        np.save(to.with_name(f"{to.stem}.ids.npy"), every[left])
        for groups in root.glob("e-mm1_100m/nn_*/data_groups.csv") if dataset == "100m" else ():
            _drop(groups, f"encord_{modality}_id", ids)
        if dataset == "1m":
            triplets = root / "e-mm1_1m/triplets.csv"
            if modality == "text":
                _drop(triplets, "encord_text_id", ids)
            else:
                for side in ("paired", "annotated"):
                    _drop(triplets, f"encord_{side}_id", ids, (f"{side}_modality", modality))
    names = pl.read_csv(tree / "eshot/eshot_points_info.csv").filter(
        pl.col("eshot_point_id").is_in(gone["eshot", "points"])
    )
    for what, dropped in (("audio", gone["eshot", "audio"].tolist()), ("point", names["file_id"].to_list())):
        listed = json.loads((tree / f"eshot/category_to_{what}_ids.json").read_text())
        left_of = {name: [each for each in own if each not in dropped] for name, own in listed.items()}
        (root / f"eshot/category_to_{what}_ids.json").write_text(json.dumps(left_of))
    with emm1.build(root, root.with_name("emm1.duckdb")) as opened:
        _register(opened, root)
        yield opened


def _drop(file: Path, column: str, ids: np.ndarray, where: tuple[str, str] | None = None) -> None:
    rows = pl.read_csv(file, infer_schema=False)
    out = pl.col(column).cast(pl.Int64).is_in(ids.tolist()).fill_null(False)
    if where:
        out &= pl.col(where[0]) == where[1]
    rows.filter(~out).write_csv(file)


def test_there_is_something_to_exclude(store: emm1.Store, without: emm1.Store, gone: Gone) -> None:
    assert all(len(ids) for (dataset, _), ids in gone.items() if dataset == "eshot")
    assert sum(map(len, gone.values())) > 300
    triplets = "SELECT count(*) FROM e_mm1_1m.triplets"
    assert 50 < without.sql(triplets).fetchall()[0][0] < store.sql(triplets).fetchall()[0][0]


@pytest.mark.parametrize(
    ("queries", "base", "pairs"),
    [
        ("text_1m", "image_1m", "triplets"),
        ("audio_1m", "image_1m", "triplets"),
        ("image_100m", "image_100m", "same-id"),
    ],
)
def test_retrieval(store: emm1.Store, without: emm1.Store, queries: str, base: str, pairs: str) -> None:
    report = store.retrieval(queries, base, pairs, resamples=0, exclude=FLAGS)
    expected = without.retrieval(queries, base, pairs, resamples=0)
    assert report.hashes == expected.hashes
    assert report.to_frame().equals(expected.to_frame())
    assert report.hits.equals(expected.hits)
    assert not report.to_frame().equals(store.retrieval(queries, base, pairs, resamples=0).to_frame())


@pytest.mark.parametrize(
    ("queries", "base", "pairs"), [("text_1m", "audio_1m", "captions"), ("image_100m", "text_100m", "groups")]
)
def test_pairs_count_if_both_items_are_left(
    store: emm1.Store, without: emm1.Store, gone: Gone, queries: str, base: str, pairs: str
) -> None:
    """Whatever else a triplet or a group has: the pair does not name it."""
    given = store.retrieval(queries, base, pairs, resamples=0).task.pairs.frame
    kinds = [(dataset, modality) for modality, dataset in (name.split("_") for name in (queries, base))]
    for column, kind in zip(("query_id", "id"), kinds, strict=True):
        given = given.filter(~pl.col(column).is_in(gone[kind].tolist()))
    report = store.retrieval(queries, base, pairs, resamples=0, exclude=FLAGS, where="true")
    expected = without.retrieval(queries, base, given, resamples=0)
    assert report.hits.equals(expected.hits)
    for name in ("hit@1", "mAP", "median_rank"):
        assert (
            report.to_frame().row(by_predicate=pl.col("metric") == name)[:2]
            == expected.to_frame().row(by_predicate=pl.col("metric") == name)[:2]
        )
    assert "leak (" in report.__str__().split("Excluded: ")[1]


def test_ratings(store: emm1.Store, without: emm1.Store) -> None:
    names = {modality: f"{modality}_1m" for modality in MODALITIES}
    report, expected = store.ratings(names, resamples=0, exclude=FLAGS), without.ratings(names, resamples=0)
    assert report.to_frame().equals(expected.to_frame())
    assert report.text().equals(expected.text())
    assert report.coverage().equals(expected.coverage())
    assert "Excluded: leak (" in str(report)


def test_eshot_and_zero_shot(store: emm1.Store, without: emm1.Store, gone: Gone, tmp_path: Path) -> None:
    names = "audio_eshot", "points_eshot"
    report, expected = store.eshot(*names, exclude=FLAGS), without.eshot(*names)
    assert report.to_frame().equals(expected.to_frame())
    assert report.coverage.equals(expected.coverage)
    found = json.loads((report.save(tmp_path) / "report.json").read_text())["provenance"]["excluded"]["items"]
    assert found["audio"] == {"leak": 0, "broken": len(gone["eshot", "audio"])}
    compared = store.eshot(models={"one": names, "other": names}, exclude=FLAGS)
    assert compared.common["one"].to_frame().equals(expected.to_frame())
    labels = "SELECT eshot_id AS id, category AS label FROM eshot.categories WHERE modality = '{}'"
    own, other = (labels.format(modality) for modality in ("audio", "points"))
    one, two = (
        each.zero_shot(*names, own, class_labels=other, exclude=FLAGS if each is store else ())
        for each in (store, without)
    )
    assert one.overall.equals(two.overall)
    assert one.coverage.equals(two.coverage)
    assert str(one).count("Excluded: leak (0 of samples") == 1


def test_evaluate(store: emm1.Store, without: emm1.Store) -> None:
    report, expected = store.evaluate(["ours"], resamples=0, exclude=FLAGS), without.evaluate(["ours"], resamples=0)
    own, other = (
        each.to_frame().filter(pl.col("evaluation") != "retrieval").drop("protocol") for each in (report, expected)
    )
    assert own.equals(other)
    assert "Excluded: leak (" in str(report)


def test_groups(store: emm1.Store, without: emm1.Store, tmp_path: Path) -> None:
    names = {modality: f"{modality}_100m" for modality in ("text", "image", "audio")}
    for each, exclude in ((store, FLAGS), (without, ())):
        folder = tmp_path / ("own" if exclude else "other")
        each.make_groups(folder, names, k=2, exclude=exclude)
        each.score_groups(folder / "scores.parquet", names, [1, 3], exclude=exclude)
    for file in ("nn_1/data_groups.csv", "nn_2/data_groups.csv"):
        assert (tmp_path / "own" / file).read_text() == (tmp_path / "other" / file).read_text()
    own, other = (pl.read_parquet(tmp_path / each / "scores.parquet") for each in ("own", "other"))
    assert own.equals(other)
    assert len(own)


def test_groups_say_what_was_left_out(store: emm1.Store, gone: Gone, tmp_path: Path) -> None:
    names = {modality: f"{modality}_100m" for modality in ("text", "image")}
    notes: list[str] = []
    make(store, tmp_path / "own", names, k=1, exclude=["leak"], note=notes.append)
    counts = {m: store.embeddings(name).ids for m, name in names.items()}
    leaks = {
        m: len(set(ids.tolist()) & {i for (i,) in store.sql(LEAKS, params=[m]).fetchall()}) for m, ids in counts.items()
    }
    assert notes == [f"Excluded: leak ({leaks['text']:,} of text, {leaks['image']:,} of image)"]
    assert sum(leaks.values()) > 0
    rows = score(store, names, tmp_path / "scores.parquet", 1, exclude=FLAGS, note=notes.append)
    groups = store.sql("SELECT * EXCLUDE nn_index FROM e_mm1_100m.groups WHERE nn_index = 1").pl()
    out = [groups[f"encord_{m}_id"].is_in(ids.tolist()).fill_null(False) for (d, m), ids in gone.items() if d == "100m"]
    left_out = int(
        pl.DataFrame({str(i): each for i, each in enumerate(out)}).select(pl.any_horizontal(pl.all())).sum().item()
    )
    assert notes[1] == f"Excluded: leak, broken ({left_out:,} of {len(groups):,} groups)"
    assert rows == len(groups) - left_out < len(groups)
    kept_in = pq.read_schema(tmp_path / "scores.parquet").metadata[b"excluded"]
    assert json.loads(kept_in) == {"flags": list(FLAGS), "available": False, "groups": left_out}
    score(store, names, tmp_path / "all.parquet", 1, note=notes.append)
    assert len(notes) == 2


@pytest.mark.parametrize(
    "query",
    [
        "FROM triplets",
        "SELECT * FROM e_mm1_1m.triplets",
        "FROM triplets_between(['image', 'audio'])",
        "FROM group_captions",
        "FROM e_mm1_1m.image",
        "FROM e_mm1_100m.text",
        "FROM eshot_categories",
        "FROM assets",
        "SELECT encord_text_id AS ENCORD_TEXT_ID, '1m' AS dataset FROM e_mm1_1m.text JOIN e_mm1_100m.groups USING (encord_text_id)",
    ],
)
def test_rows_of_a_query(store: emm1.Store, gone: Gone, query: str) -> None:
    with store.cursor() as connection:
        rows = pl.DataFrame(kept(connection, query, excluded(connection, FLAGS)).order("ALL").to_arrow_table())
        every = pl.DataFrame(connection.sql(query).order("ALL").to_arrow_table())
    split = "1m" if "triplets" in query or "1m" in query else "100m"
    out = pl.lit(False)
    for (dataset, modality), ids in gone.items():
        keys = {f"encord_{modality}_id", f"ENCORD_{modality.upper()}_ID"} if dataset == split else set()
        for key in keys & set(every.columns):
            out |= pl.col(key).is_in(ids.tolist()).fill_null(False)
        for side in ("paired", "annotated") if dataset == split and "encord_paired_id" in every.columns else ():
            own = pl.col(f"{side}_modality").cast(pl.String) == modality
            out |= own & pl.col(f"encord_{side}_id").is_in(ids.tolist())
        own = pl.col("modality").cast(pl.String) == modality
        if "eshot_id" in every.columns and dataset == "eshot":
            out |= own & pl.col("eshot_id").is_in(ids.tolist())
        if "id" in every.columns:
            out |= own & (pl.col("dataset") == dataset) & pl.col("id").is_in(ids.tolist())
    assert rows.equals(every.filter(~out))
    assert 0 < len(rows) < len(every)


def test_the_order_of_a_query_stays(store: emm1.Store) -> None:
    query = "FROM e_mm1_100m.groups ORDER BY hash(encord_image_id, nn_index), encord_text_id"
    with store.cursor() as connection:
        rows = kept(connection, query, excluded(connection, FLAGS)).fetchall()
        every = connection.sql(query).fetchall()
    there = set(rows)
    assert rows == [row for row in every if row in there]
    assert len(rows) > 1000


def test_available(store: emm1.Store) -> None:
    query = "FROM e_mm1_1m.triplets"
    with store.cursor() as connection:
        out = excluded(connection, available=True)
        rows = kept(connection, query, out).order("ALL").fetchall()
        expected = connection.sql(
            """
            WITH well AS (SELECT modality, id FROM media_status WHERE dataset = '1m' GROUP BY ALL HAVING count(*) = count(*) FILTER (status = 'ok'))
            FROM e_mm1_1m.triplets
            WHERE (paired_modality, encord_paired_id) IN (FROM well) AND (annotated_modality, encord_annotated_id) IN (FROM well)
            ORDER BY ALL
            """
        ).fetchall()
        well = connection.sql(
            "SELECT id FROM media_status WHERE dataset = '1m' AND modality = 'image' GROUP BY id HAVING min(status) = max(status) "
            "AND min(status) = 'ok'"
        ).fetchall()
    assert rows == expected
    assert rows
    assert out.has("1m", "image", np.arange(40)).tolist() == [(item,) not in well for item in range(40)]
    assert not out.has("1m", "text", np.arange(40)).any()
    names = {modality: f"{modality}_1m" for modality in MODALITIES}
    assert len(store.ratings(names, resamples=0, available=True)._triplets) == len(rows)


def test_wrong_requests(store: emm1.Store, without: emm1.Store, tree: Path) -> None:
    wrong: list[tuple[Any, str]] = [
        (["nonsense"], "no item has the flag 'nonsense': the flags are broken, leak, other"),
        ([3], "no item has the flag 3"),
        ("leak", "exclude must be a list, such as"),
    ]
    for exclude, words in wrong:
        with pytest.raises(emm1.Error, match=words):
            store.eshot("audio_eshot", "points_eshot", exclude=exclude)
    with pytest.raises(emm1.Error, match="no item has the flag 'odd': no item has any"):
        without.retrieval("text_1m", "image_1m", exclude=["odd"])
    # What a command of emm1 writes may be asked for where it found nothing.
    nothing = without.retrieval("text_1m", "image_1m", exclude=["leak"], resamples=0)
    assert nothing.to_frame().equals(without.retrieval("text_1m", "image_1m", resamples=0).to_frame())
    with pytest.raises(emm1.Error, match="no media file is known to be well"):
        without.ratings({"text": "text_1m", "image": "image_1m"}, available=True)
    with pytest.raises(emm1.Error, match=r"not known of the file image\.npy: register it"):
        store.retrieval("text_1m", tree / "embeddings/1m/image.npy", {"query_id": [0], "id": [0]}, exclude=["leak"])
    with store.cursor() as connection:
        out = excluded(connection, ["leak"])
        for query, words in (
            ("SELECT 1 AS one", "the rows of the query name no items"),
            (
                "SELECT i.encord_image_id FROM e_mm1_1m.image i JOIN e_mm1_100m.groups USING (encord_image_id)",
                "not known of which dataset",
            ),
            (
                "SELECT * FROM e_mm1_1m.image i JOIN e_mm1_100m.image j USING (encord_image_id)",
                "two columns of the query are called",
            ),
        ):
            with pytest.raises(emm1.StoreError, match=words):
                kept(connection, query, out)


def test_commands(store: emm1.Store) -> None:  # the last one: it closes the store
    store.close()

    def text(command: str, *options: str, status: int = 0) -> str:
        arguments = [sys.executable, "-m", "emm1", *command.split(), str(store.path), *options]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == status, done.stderr
        return done.stderr if status else done.stdout

    found = text("retrieval", "text_1m", "audio_1m", "--exclude", "leak, broken", "--available", "--resamples", "0")
    assert "Excluded: leak (" in found
    assert "not available (0 of queries, " in found
    assert "no item has the flag 'x'" in text(
        "eshot", "--audio", "audio_eshot", "--points", "points_eshot", "--exclude", "x", status=1
    )
    rows = text("flags list", "--format", "csv").splitlines()
    assert rows[0] == "flag,source,dataset,modality,items"
    assert rows[1].startswith("broken,basket,1m,")
    assert "no item has the flag 'leak' of the source 'x': the flags are broken (basket), " in text(
        "flags remove", "--flag", "leak", "--source", "x", status=1
    )
    assert " flags leak removed" in text("flags remove", "--flag", "leak", "--source", "basket")
    assert "leak" not in text("flags list", "--format", "csv")
