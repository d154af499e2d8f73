"""Hard negatives against a full sort of all rows by NumPy in float64, and rules of belonging by sets in Python."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import emm1
from emm1.curation.captions import normalised
from emm1.dataset import Split
from emm1.negatives import mine, search

NAMES = ("text_1m", "image_1m", "audio_1m", "text_100m", "image_100m")


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store in which captions repeat and files are there under other ids; vectors are of few values, so that scores tie."""
    with emm1.build(tree, tmp_path_factory.mktemp("negatives") / "emm1.duckdb") as opened:
        for name in NAMES:
            modality = name.split("_")[0]
            dataset: Split = "1m" if name.endswith("_1m") else "100m"
            file = tree / "embeddings" / ("1m" if dataset == "1m" else "") / f"{modality}.npy"
            opened.add_embeddings(name, file, dataset=dataset, modality=modality)
        for table in ("e_mm1_1m", "e_mm1_100m"):
            opened.sql(f"UPDATE {table}.text SET caption = upper(caption) || '!' WHERE encord_text_id % 3 = 0")
            opened.sql(
                f"UPDATE {table}.text SET caption = (SELECT caption FROM {table}.text WHERE encord_text_id = 3) WHERE encord_text_id % 5 = 1"
            )
        opened.sql(
            "UPDATE e_mm1_1m.image SET file_name = i.file_name, save_folder = i.save_folder FROM e_mm1_1m.image i "
            "WHERE i.encord_image_id = e_mm1_1m.image.encord_image_id + 1 AND i.encord_image_id % 4 = 0"
        )
        rows = pl.DataFrame({"id": [5, 9, 12]})
        opened.add_flags(rows.with_columns(dataset=pl.lit("1m"), modality=pl.lit("image")), "leak")
        yield opened


def keys_of(store: emm1.Store, name: str) -> dict[int, str]:
    """What items of one text or one file share."""
    modality, dataset = name.split("_")
    if modality == "text":
        rows = store.sql(f"SELECT encord_text_id, caption FROM e_mm1_{dataset}.text").fetchall()
        return {item: f"text {normalised(caption)}" for item, caption in rows}
    columns = f"encord_{modality}_id, file_name, save_folder::VARCHAR"
    rows = store.sql(f"SELECT {columns} FROM e_mm1_{dataset}.{modality}").fetchall()
    return {item: f"{folder if modality == 'image' else ''}/{file}" for item, file, folder in rows}


def cosines(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float32]:
    x, y = one.astype(np.float64), other.astype(np.float64)
    scale = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    return (x @ y.T / np.where(scale == 0, 1, scale)).astype(np.float32)


def by_sorting(
    store: emm1.Store,
    names: tuple[str, str],
    pairs: pl.DataFrame,
    together: set[tuple[int, int]],
    out: tuple[set[int], set[int]],
    **options: Any,
) -> list[tuple[Any, ...]]:
    """The rows, one query after the other."""
    queries, base = (store.embeddings(name) for name in names)
    one, other = (keys_of(store, name) for name in names)
    x, y = np.asarray(queries), np.asarray(base)
    scores, among_base = cosines(x, y), cosines(y, y)
    row = {item: i for i, item in enumerate(base.ids.tolist()) if item not in out[1]}
    right: dict[int, list[int]] = {}
    for query, item in pairs.filter(pl.col("grade") > 0).select("query_id", "id").iter_rows():
        right.setdefault(query, []).append(item)
    belongs = {(one[q], other[i]) for q, items in right.items() for i in items if q not in out[0]}
    belongs |= {(one[q], other[i]) for q, i in together}
    found = []
    for place, query in sorted(enumerate(queries.ids.tolist()), key=lambda each: each[1]):
        positives = [item for item in right.get(query, ()) if item in row]
        if query in out[0] or not positives:
            continue
        ranked = sorted(row, key=lambda item: (-scores[place, row[item]], item))
        score, worst = min((scores[place, row[item]], item) for item in positives)
        kept = 0
        for rank, item in enumerate(ranked[: options.get("range_max", 100)], 1):
            own, cosine = float(scores[place, row[item]]), [among_base[row[p], row[item]] for p in positives]
            if rank <= options.get("range_min", 0) or kept == options.get("num_negatives", 3):
                continue
            if (one[query], other[item]) in belongs or one[query] == other[item]:
                continue
            if (margin := options.get("relative_margin")) is not None and own > score.item() - abs(
                score.item()
            ) * margin:
                continue
            if own > options.get("max_score", 9) or max(cosine) >= options.get("near_duplicates", 9):
                continue
            found.append((query, worst, item, rank, own, score.item()))
            kept += 1
    return found


def together_of(store: emm1.Store, queries: str, base: str) -> set[tuple[int, int]]:
    """Of the triplets: a caption and its paired item, and what was rated Good."""
    found = set()
    rows = store.sql(
        "SELECT encord_text_id, paired_modality::VARCHAR, encord_paired_id, annotated_modality::VARCHAR, encord_annotated_id, annotation "
        "FROM e_mm1_1m.triplets"
    ).fetchall()
    for text, paired, paired_id, annotated, annotated_id, rating in rows:
        items = [("text", text), (paired, paired_id), (annotated, annotated_id)]
        for one in range(3):
            for other in range(3):
                if (
                    one != other
                    and (rating == 1 or {one, other} == {0, 1})
                    and [items[one][0], items[other][0]] == [queries, base]
                ):
                    found.add((items[one][1], items[other][1]))
    return found


def read(file: Path) -> list[tuple[Any, ...]]:
    return pl.read_parquet(file).rows()


def same(rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    """Equal but for the last bits of scores, which NumPy adds up in another order."""
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    np.testing.assert_allclose([row[4:] for row in rows], [row[4:] for row in expected], atol=1e-6)


@pytest.mark.parametrize(
    ("queries", "base", "pairs", "options"),
    [
        ("text_1m", "image_1m", "captions", {}),
        ("text_1m", "image_1m", "triplets", {"num_negatives": 5, "near_duplicates": 0.5}),
        ("audio_1m", "image_1m", "triplets", {"range_min": 3, "range_max": 20, "relative_margin": 0.1}),
        ("image_1m", "text_1m", "captions", {"max_score": 0.4, "num_negatives": 8}),
        ("text_100m", "image_100m", "groups", {"range_max": 50, "relative_margin": 0.02}),
    ],
)
@pytest.mark.parametrize("exclude", [(), ("leak",)])
def test_against_sorting(
    store: emm1.Store,
    tmp_path: Path,
    queries: str,
    base: str,
    pairs: str,
    options: dict[str, Any],
    exclude: tuple[str, ...],
) -> None:
    known = store.retrieval(queries, base, pairs, resamples=0, exclude=exclude).task.pairs.frame
    leak = {5, 9, 12} if exclude else set()
    out = leak if queries == "image_1m" else set(), leak if base == "image_1m" else set()
    modalities = [name.split("_")[0] for name in (queries, base)]
    together = together_of(store, *modalities) if queries.endswith("_1m") else set()
    expected = by_sorting(store, (queries, base), known, together, out, **options)
    report = store.negatives(queries, base, tmp_path / "n.parquet", pairs, exclude=exclude, **options)
    rows = read(tmp_path / "n.parquet")
    same(rows, expected)
    counts = np.unique([row[0] for row in rows], return_counts=True)[1]
    wanted = options.get("num_negatives", 3)
    assert report.rows == len(rows) > 20
    assert (report.none, report.fewer) == (report.queries - len(counts), report.queries - (counts == wanted).sum())
    assert ("Excluded: leak (" in str(report)) == bool(exclude)


def test_an_interrupted_run_goes_on(store: emm1.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and parts of any size give the same rows, and finished parts are not made again."""
    store.negatives("text_1m", "image_1m", tmp_path / "whole.parquet", near_duplicates=0.5)
    monkeypatch.setattr(mine, "BLOCK", 7)
    monkeypatch.setattr(mine, "PART", 2)
    monkeypatch.setattr(search, "PAIRS", 3)
    seen: list[int] = []

    def stop(done: int, _all: int) -> None:
        seen.append(done)
        if done == 28:
            raise KeyboardInterrupt

    output = tmp_path / "parts.parquet"
    with pytest.raises(KeyboardInterrupt):
        store.negatives("text_1m", "image_1m", output, near_duplicates=0.5, progress=stop)
    assert not output.exists()
    with pytest.raises(emm1.EmbeddingError, match="holds parts of a run with other files or settings"):
        store.negatives("text_1m", "image_1m", output, near_duplicates=0.4)
    again: list[int] = []
    store.negatives("text_1m", "image_1m", output, near_duplicates=0.5, progress=lambda done, _all: again.append(done))
    assert again[0] == 28
    assert read(output) == read(tmp_path / "whole.parquet")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(*[st.integers(-2, 2)] * 2).filter(any), min_size=2, max_size=9),
    asking=st.lists(st.tuples(*[st.integers(-2, 2)] * 2).filter(any), min_size=1, max_size=4),
    pairs=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=8),
    num_negatives=st.integers(1, 3),
    range_min=st.integers(0, 3),
    margin=st.none() | st.sampled_from([0, 0.25, 0.5, 1]),
    near=st.none() | st.sampled_from([-0.5, 0.25, 0.9]),
    metric=st.sampled_from(["dot", "l2"]),
)
def test_files_with_ties(
    store: emm1.Store,
    tmp_path: Path,
    rows: Any,
    asking: Any,
    pairs: Any,
    num_negatives: int,
    range_min: int,
    margin: Any,
    near: Any,
    metric: Any,
) -> None:
    """Whole numbers, whose scores are exact, with every tie that there is; the ids of files are only ids."""
    base, queries = np.array(rows, np.float32), np.array(asking, np.float32)
    np.save(tmp_path / "base.npy", base)
    np.save(tmp_path / "queries.npy", queries)
    output = tmp_path / "n.parquet"
    output.unlink(missing_ok=True)
    known = pl.DataFrame(sorted(pairs), ["query_id", "id"], orient="row")
    options = {
        "num_negatives": num_negatives,
        "range_min": range_min,
        "range_max": range_min + 4,
        "near_duplicates": near,
    }
    if metric == "dot":
        options["relative_margin"] = margin
    expected = []
    counting = 0
    for query in range(len(queries)):
        positives = [item for q, item in sorted(pairs) if q == query and item < len(base)]
        if not positives:
            continue
        counting += 1
        score = (
            base @ queries[query]
            if metric == "dot"
            else np.linalg.norm(base.astype(np.float64) - queries[query], axis=1)
        )
        better = -score if metric == "dot" else score
        ranked = sorted(range(len(base)), key=lambda item: (better[item], item))
        worst = max(positives, key=lambda item: (better[item], -item))
        kept = []
        for rank, item in enumerate(ranked, 1):
            cosine = max(cosines(base[[item]], base[positives])[0])
            if not range_min < rank <= range_min + 4 or (query, item) in pairs:
                continue
            if metric == "dot" and margin is not None and score[item] > score[worst] - abs(score[worst]) * margin:
                continue
            if near is not None and cosine >= near:
                continue
            kept.append((query, worst, item, rank, np.float32(score[item]), np.float32(score[worst])))
        expected += kept[:num_negatives]
    files = tmp_path / "queries.npy", tmp_path / "base.npy", output
    if not counting:
        with pytest.raises(emm1.EmbeddingError, match="queries has a vector in"):
            store.negatives(*files, known, metric=metric, **options)
        return
    assert store.negatives(*files, known, metric=metric, **options).queries == counting
    assert read(output) == expected


def test_wrong_requests(store: emm1.Store, tmp_path: Path) -> None:
    output = tmp_path / "n.parquet"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"num_negatives": 0}, "num_negatives"),
        ({"num_negatives": 2.5}, "num_negatives"),
        ({"range_min": -1}, "range_min must be a whole number of at least 0, not -1"),
        ({"range_min": 98}, "3 negatives cannot be taken from the ranks 99 to 100"),
        ({"relative_margin": 1.5}, "relative_margin must be a number from 0 to 1, not 1.5"),
        ({"relative_margin": float("nan")}, "relative_margin must be a number from 0 to 1"),
        ({"max_score": float("inf")}, "max_score must be a number, not inf"),
        ({"near_duplicates": "0.9"}, "near_duplicates must be a number from -1 to 1"),
        ({"metric": "l2", "max_score": 1}, "max_score is about scores that are high for similar items"),
        ({"pairs": "groups"}, "the pairs groups are between"),
        ({"exclude": ["nonsense"]}, "no item has the flag"),
    ]
    for options, words in wrong:
        with pytest.raises(emm1.Error, match=words):
            store.negatives("text_1m", "image_1m", output, **options)
    assert list(tmp_path.iterdir()) == []
    output.write_text("mine")
    with pytest.raises(emm1.EmbeddingError, match="exists: remove it or name another file"):
        store.negatives("text_1m", "image_1m", output)
    assert output.read_text() == "mine"


def test_command(store: emm1.Store, tmp_path: Path) -> None:  # the last one: it closes the store
    store.negatives(
        "text_1m", "image_1m", tmp_path / "python.parquet", num_negatives=40, range_max=60, relative_margin=0.05
    )
    store.close()
    command = [
        sys.executable,
        "-m",
        "emm1",
        "negatives",
        str(store.path),
        "text_1m",
        "image_1m",
        "--num-negatives",
        "40",
    ]
    options = [
        "--range-min",
        "0",
        "--range-max",
        "60",
        "--relative-margin",
        "0.05",
        "--output",
        str(tmp_path / "n.parquet"),
    ]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "n.parquet: " in done.stdout
    assert "Queries with fewer than asked for: " in done.stdout
    assert read(tmp_path / "n.parquet") == read(tmp_path / "python.parquet")
