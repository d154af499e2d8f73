"""Agreement with people over a store: every row of the triplets counted or accounted for, by the definitions."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from html_tree import Reader
from numpy.typing import NDArray
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.measures import MEASURES, Measured
from emm1.evaluation.ratings.report import RatingsReport

FIXED = [
    *("paired_modality", "annotated_modality", "pairs", "queries", "somers_d", "auc_good_bad", "auc_good_partial"),
    *("auc_partial_bad", "auc_mean", "ap_good", "prevalence", "within_query", "ceiling", "ceiling_pairs"),
]
MODALITIES = ("text", "image", "audio", "video", "points")


def files_of(tree: Path, *modalities: str) -> dict[str, Path]:
    return {modality: tree / f"embeddings/1m/{modality}.npy" for modality in modalities or MODALITIES}


def cosines(tree: Path, modality: str, ids: pl.Series) -> NDArray[np.float64]:
    """Unit vectors of ids, read without emm1."""
    vectors = np.load(tree / f"embeddings/1m/{modality}.npy").astype(np.float64)
    ids_file = tree / f"embeddings/1m/{modality}.ids.npy"
    known = np.load(ids_file) if ids_file.exists() else np.arange(len(vectors))
    place = {int(item): row for row, item in enumerate(known)}
    chosen = vectors[[place[item] for item in ids]]
    unit: NDArray[np.float64] = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def report(tree: Path, store_path: Path) -> RatingsReport:
    return emm1.open(store_path, read_only=True).ratings(files_of(tree), resamples=0)


@pytest.mark.parametrize("against", ["paired", "caption"])
def test_values_by_their_definitions(tree: Path, report: RatingsReport, against: str) -> None:
    triplets = pl.read_csv(tree / "e-mm1_1m/triplets.csv")
    frame = report.to_frame() if against == "paired" else report.text()
    pairs = triplets.select("paired_modality", "annotated_modality").unique().sort("*").rows()
    assert frame.select("paired_modality", "annotated_modality").rows() == pairs
    for row in frame.iter_rows(named=True):
        rows = triplets.filter(paired_modality=row["paired_modality"], annotated_modality=row["annotated_modality"])
        first = ("text", "encord_text_id") if against == "caption" else (row["paired_modality"], "encord_paired_id")
        left = cosines(tree, first[0], rows[first[1]])
        right = cosines(tree, row["annotated_modality"], rows["encord_annotated_id"])
        similarity = (left * right).sum(axis=1).astype(np.float32)
        gain = 3 - rows["annotation"].to_numpy()
        query = list(rows.select("encord_text_id", "encord_paired_id").iter_rows())
        ordered = np.sign(similarity[:, None] - similarity) * (gain[:, None] > gain)
        different = gain[:, None] > gain
        assert row["pairs"] == len(rows)
        assert row["queries"] == len(set(query))
        assert row["somers_d"] == pytest.approx(ordered.sum() / different.sum(), abs=1e-3)
        assert row["prevalence"] == pytest.approx((gain == 2).mean())
        names = {"auc_good_bad": (2, 0), "auc_good_partial": (2, 1), "auc_partial_bad": (1, 0)}
        for name, (better, worse) in names.items():
            wins = np.sign(similarity[gain == better][:, None] - similarity[gain == worse]) / 2 + 0.5
            assert row[name] == (pytest.approx(wins.mean(), abs=1e-3) if wins.size else None)  # float32 ties aside
        aucs = [row[name] for name in names]
        assert row["auc_mean"] == (None if None in aucs else pytest.approx(np.mean(aucs)))
        same = [(a, b) for a, b in combinations(range(len(rows)), 2) if query[a] == query[b] and gain[a] != gain[b]]
        signs = [np.sign(similarity[a] - similarity[b]) * np.sign(gain[a] - gain[b]) for a, b in same]
        assert row["within_query"] == (pytest.approx(np.mean(signs)) if signs else None)
        items = rows.select(first[1], "encord_annotated_id").rows()
        assert row["ceiling_pairs"] == sum(a == b for a, b in combinations(items, 2))


def test_columns(report: RatingsReport) -> None:
    bounds = [f"{name}_{end}" for name in MEASURES for end in ("low", "high")]
    assert report.to_frame().columns == [*FIXED, *bounds]
    assert report.text().columns == report.to_frame().columns
    assert report.to_frame().select(bounds).null_count().sum_horizontal().item() == len(report.to_frame()) * len(bounds)


def test_every_row_is_scored_or_accounted_for(tree: Path, store_path: Path, tmp_path: Path) -> None:
    """Vectors for every second image only, none for points, and ids that the store does not have."""
    whole = emm1.Embeddings(tree / "embeddings/1m/image.npy")
    ids = np.append(whole.ids[::2], 10**9)
    np.save(tmp_path / "image.npy", np.vstack([whole.vectors(whole.ids[::2]), whole.vectors(whole.ids[:1])]))
    np.save(tmp_path / "image.ids.npy", ids)
    triplets = pl.read_csv(tree / "e-mm1_1m/triplets.csv")
    with emm1.open(store_path, read_only=True) as store:
        report = store.ratings({**files_of(tree, "audio"), "image": tmp_path / "image.npy"}, resamples=0)
    coverage = report.coverage()
    assert coverage["rows"].sum() == len(triplets)
    assert (coverage["scored"] + coverage["without_vector"] + coverage["without_rating"]).equals(coverage["rows"])
    for row in coverage.iter_rows(named=True):
        pair = {name: row[name] for name in ("paired_modality", "annotated_modality")}
        rows = triplets.filter(**pair)
        missing = ", ".join(modality for modality in pair.values() if modality not in {"image", "audio"})
        assert row["missing"] == (missing or None)
        column = "encord_paired_id" if pair["paired_modality"] == "image" else "encord_annotated_id"
        assert row["scored"] == (0 if missing else rows[column].is_in(ids.tolist()).sum())
    assert report.to_frame()["pairs"].to_list() == coverage.filter(pl.col("missing").is_null())["scored"].to_list()
    assert "no embeddings of points" in str(report)
    assert "without a vector" in str(report)


def test_ratings_that_are_none_are_counted(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_1m/triplets.csv"
    triplets = pl.read_csv(path)
    changed = pl.when(pl.int_range(pl.len()) < 40).then(4).otherwise("annotation")
    with (own_tree / "e-mm1_1m/annotation_mapping.csv").open("a", encoding="utf-8") as mapping:
        mapping.write("4,Unsure\n")
    triplets.with_columns(annotation=changed).write_csv(path)
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["1m"]) as store:
        report = store.ratings(files_of(own_tree), resamples=0)
    assert report.coverage()["without_rating"].sum() == 40
    assert report.to_frame()["pairs"].sum() == len(triplets) - 40


def test_one_rating_only(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_1m/triplets.csv"
    pl.read_csv(path).with_columns(annotation=pl.lit(1)).write_csv(path)
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["1m"]) as store:
        report = store.ratings(files_of(own_tree), resamples=20)
        assert set(report.disagreements(5)["disagreement"]) == {0}
    frame = report.to_frame()
    assert (
        frame["somers_d"].null_count() == frame["auc_mean"].null_count() == frame["ceiling"].null_count() == len(frame)
    )
    assert set(frame["ap_good"]) == set(frame["prevalence"]) == {1.0}
    assert "Somers' D: –" in str(report)


def test_slices_hold_every_row_once(tree: Path, report: RatingsReport) -> None:
    for column in ("annotated_source_dataset", "paired_dataset_license", "caption_source_dataset", "caption_words"):
        sliced = report.by(column)
        assert sliced.columns == [column, *report.to_frame().columns]
        assert (
            sliced.group_by("paired_modality", "annotated_modality", maintain_order=True)
            .agg(pl.sum("pairs"))["pairs"]
            .equals(report.to_frame()["pairs"])
        )
    captions = dict(pl.read_csv(tree / "e-mm1_1m/infos/text.csv").select("encord_text_id", "caption").iter_rows())
    words = [len(captions[i].split()) for i in pl.read_csv(tree / "e-mm1_1m/triplets.csv")["encord_text_id"]]
    sliced = report.by("caption_words", against="caption")
    for label, low, high in (("01–05", 1, 5), ("06–10", 6, 10), ("11–20", 11, 20)):
        found = sliced.filter(caption_words=label)["pairs"].sum()
        assert found == sum(low <= count <= high for count in words)


@pytest.mark.parametrize("against", ["paired", "caption"])
def test_a_column_that_only_some_modalities_have(tree: Path, report: RatingsReport, against: str) -> None:
    """Images have no youtube_id, so their rows are left out, by name."""
    with pytest.warns(UserWarning, match="annotated_youtube_id: .*audio → image.* have no rows") as warned:
        sliced = report.by("annotated_youtube_id", against)
    headers = {
        modality: (tree / f"e-mm1_1m/infos/{modality}.csv").read_text("utf-8").partition("\n")[0]
        for modality in MODALITIES
    }
    whole = report.to_frame() if against == "paired" else report.text()
    has = [row for row in whole.to_dicts() if "youtube_id" in headers[row["annotated_modality"]].split(",")]
    without = len(whole) - len(has)
    assert has
    assert without
    assert str(warned[0].message).count("→") == without
    counts = sliced.group_by("paired_modality", "annotated_modality", maintain_order=True).agg(pl.sum("pairs")).rows()
    assert counts == [(row["paired_modality"], row["annotated_modality"], row["pairs"]) for row in has]


def test_a_column_that_no_modality_has(tree: Path, store_path: Path, report: RatingsReport) -> None:
    known = r"caption_words.*e_mm1_1m\.audio has .*youtube_id.*; e_mm1_1m\.image has .*; e_mm1_1m\.points has"
    with pytest.raises(emm1.EmbeddingError, match=f"'annotated_colour': {known}"):
        report.by("annotated_colour")
    for column in ("colour", "", "caption", "caption_colour"):
        with pytest.raises(emm1.EmbeddingError, match=rf"{column!r}: .*e_mm1_1m\.text has encord_text_id"):
            report.by(column)
    with emm1.open(store_path, read_only=True) as store:
        captions_only = store.ratings(files_of(tree, "text", "image"), resamples=0)
        assert captions_only.by("caption_words").is_empty()
        assert not captions_only.by("caption_words", against="caption").is_empty()


def test_disagreements_come_with_what_a_rater_needs(tree: Path, report: RatingsReport) -> None:
    frame = report.disagreements(10)
    assert frame["disagreement"].is_sorted(descending=True)
    assert len(frame) == 10
    assert len(report.disagreements(10**6)) == report.to_frame()["pairs"].sum()
    assert (
        frame.select("caption", "paired_modality_file_path", "annotated_modality_file_path").null_count().row(0)
        == (0,) * 3
    )
    published = pl.read_csv(tree / "e-mm1_1m/triplets.csv")
    rows = frame.select(published.columns).cast(dict(zip(published.columns, published.dtypes, strict=True)))
    assert rows.join(published, on=published.columns, how="anti").is_empty()
    with pytest.raises(emm1.EmbeddingError, match="at least 1"):
        report.disagreements(0)


def test_wrong_requests(tree: Path, store_path: Path, tmp_path: Path) -> None:
    files = files_of(tree)
    with emm1.open(store_path, read_only=True) as store:
        for embeddings, words in (
            ({}, "at least one modality"),
            ({"picture": "x"}, "unknown modality 'picture'"),
            ({"image": "x"}, "'x'"),
            ({"text": files["text"]}, "cover no ordered pair"),
        ):
            with pytest.raises(emm1.EmbeddingError, match=words):
                store.ratings(embeddings)
        np.save(tmp_path / "audio.npy", np.ones((emm1.Embeddings(files["audio"]).shape[0], 3), np.float32))
        with pytest.raises(emm1.EmbeddingError, match=r"different dimensions.*image 16, audio 3"):
            store.ratings({"image": files["image"], "audio": tmp_path / "audio.npy"})
        report = store.ratings(files_of(tree, "image", "audio"), resamples=0)
        with pytest.raises(emm1.EmbeddingError, match="text=NAME"):
            report.text()
        with pytest.raises(emm1.EmbeddingError, match="resamples"):
            store.ratings(files_of(tree, "image", "audio"), resamples=-1)


def test_not_finite_vectors_are_named(tree: Path, store_path: Path, tmp_path: Path) -> None:
    vectors = np.load(tree / "embeddings/1m/image.npy")
    vectors[:] = np.nan
    np.save(tmp_path / "image.npy", vectors)
    ids = emm1.Embeddings(tree / "embeddings/1m/image.npy").ids
    np.save(tmp_path / "image.ids.npy", ids)
    files = files_of(tree, "audio") | {"image": tmp_path / "image.npy"}
    with emm1.open(store_path, read_only=True) as store, pytest.raises(emm1.EmbeddingError, match=r"image\.npy.*NaN"):
        store.ratings(files)


def test_embeddings_of_another_split_and_stores_without_triplets(tree: Path, tmp_path: Path) -> None:
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1]) as store:
        store.add_embeddings("image", tree / "embeddings/image.npy", dataset="100m", modality="image")
        with pytest.raises(emm1.EmbeddingError, match="'image' is 100m image, expected embeddings of 1m image"):
            store.ratings({"image": "image"})
        with pytest.raises(emm1.StoreError, match="no rated triplets"):
            store.ratings(files_of(tree))


def judgements(rng: np.random.Generator, captions: int, items: int, rows: int, noise: float) -> Judgements:
    """Rows whose similarity and rating depend on their caption, on their item and on chance."""
    text, item = rng.integers(captions, size=rows), rng.integers(items, size=rows)
    truth = rng.normal(size=captions)[text] + rng.normal(size=items)[item] + rng.normal(size=rows)
    similarity = truth + noise * (
        rng.normal(size=captions)[text] + rng.normal(size=items)[item] + rng.normal(size=rows)
    )
    rating = np.where(truth > 1, 1, np.where(truth > -1, 2, 3))
    frame = pl.DataFrame(
        {"encord_text_id": text, "encord_paired_id": text, "encord_annotated_id": item, "annotation": rating}
    )
    return Judgements("paired", "audio", "image", frame, similarity.astype(np.float32), {})


def test_intervals_hold_the_truth_although_rows_share_captions_and_items() -> None:
    """The bootstrap over rows would hold it far less often."""
    rng = np.random.default_rng(5)
    truth = Measured(judgements(rng, 20_000, 20_000, 200_000, 1)).values()
    samples, held = 100, dict.fromkeys(("somers_d", "auc_mean", "prevalence"), 0)
    for _ in range(samples):
        bounds = Measured(judgements(rng, 40, 40, 600, 1)).bounds(150)
        for name in held:
            low, high = bounds[name]
            held[name] += low <= truth[name] <= high
    assert all(0.88 * samples <= count for count in held.values()), held


def test_intervals_are_repeatable_and_contain_the_value(tree: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        frames = [store.ratings(files_of(tree), resamples=50).to_frame() for _ in range(2)]
    assert frames[0].equals(frames[1])
    for name in ("somers_d", "auc_mean", "prevalence"):
        assert (frames[0][f"{name}_low"] <= frames[0][name]).all()
        assert (frames[0][f"{name}_high"] >= frames[0][name]).all()


def test_files(tree: Path, store_path: Path, report: RatingsReport, tmp_path: Path) -> None:
    folder = report.save(tmp_path / "report")
    assert (folder / "ratings.txt").read_text("utf-8") == f"{report}\n"
    assert pl.read_csv(folder / "ratings.csv").select(FIXED).equals(report.to_frame().select(FIXED))
    assert pl.read_csv(folder / "captions.csv").select(FIXED).equals(report.text().select(FIXED))
    saved = json.loads((folder / "ratings.json").read_text("utf-8"))
    assert saved["paired"] == report.to_frame().to_dicts()
    for against in ("paired", "caption"):
        frames = {
            "coverage": report.coverage(against),
            "thresholds": report.thresholds(against=against),
            "calibration": report.calibration(against).scores,
            "reliability": report.calibration(against).reliability,
            "curve": report.calibration(against).curve,
            "distributions": report.distributions(against),
            "disagreements": report.disagreements(100, against),
        }
        for name, frame in frames.items():
            written = pl.read_csv(folder / f"{name}.csv").filter(against=against).drop("against")
            assert written.columns == frame.columns
            assert len(written) == len(frame)
            if name in saved:
                assert saved[name][against] == frame.to_dicts()
    for modality, source in files_of(tree).items():
        assert saved["provenance"][modality] == {
            "path": str(source),
            "ids": str(source.with_suffix(".ids.npy")) if source.with_suffix(".ids.npy").exists() else None,
            "rows": len(np.load(source)),
            "dims": 16,
            "dtype": "float32",
            "store": str(store_path),
            "name": None,
            "metric": None,
        }
    with pytest.raises(emm1.Error, match="is a file"):
        report.save(folder / "ratings.txt")


@pytest.mark.parametrize("modalities", [("text", "image"), ("image", "audio")])
def test_files_where_only_one_similarity_has_rows(
    tree: Path, store_path: Path, tmp_path: Path, modalities: tuple[str, ...]
) -> None:
    with emm1.open(store_path, read_only=True) as store:
        report = store.ratings(files_of(tree, *modalities), resamples=0)
        folder = report.save(tmp_path / "report")
    against = "caption" if "text" in modalities else "paired"
    assert {*pl.read_csv(folder / "disagreements.csv")["against"]} == {against}
    assert (folder / "captions.csv").exists() == ("text" in modalities)
    page = Reader((folder / "ratings.html").read_text("utf-8")).root
    assert [table.attributes["aria-label"] for table in page.all("table", **{"class": "aucs stacked"})] == [
        f"AUC, Agreement with people: {against} and annotated item"
    ]


def test_histograms_count_every_row(report: RatingsReport) -> None:
    for against, frame in (("paired", report.to_frame()), ("caption", report.text())):
        found = report.distributions(against)
        pair = ["paired_modality", "annotated_modality"]
        assert found.group_by(pair, maintain_order=True).agg(pl.sum("pairs"))["pairs"].equals(frame["pairs"])
        for key, own in found.partition_by(pair, as_dict=True).items():
            judged = next(
                each for each in report.judgements(against) if (each.paired_modality, each.annotated_modality) == key
            )
            for annotation in (1, 2, 3):
                edges = np.append(own["above"][0], own.filter(annotation=annotation)["up_to"])
                # NumPy's bins have their lower edge, ours their upper one, so both are counted from above.
                counts, _ = np.histogram(
                    -judged.similarity[judged.annotation == annotation].astype(float), -edges[::-1]
                )
                assert own.filter(annotation=annotation)["pairs"].to_list() == counts[::-1].tolist()


def test_the_page_has_the_numbers_of_the_frames(report: RatingsReport, tmp_path: Path) -> None:
    page = Reader((report.save(tmp_path) / "ratings.html").read_text("utf-8")).root
    for against, frame in (("paired", report.to_frame()), ("caption", report.text())):
        section = page.one("section", **{"aria-labelledby": against})
        table = section.one("table", **{"class": "aucs stacked"})
        cards = section.all("div", **{"class": "card"})
        thresholds = report.thresholds(against=against).to_dicts()
        bins = report.calibration(against).reliability
        for row, line, card, threshold in zip(
            frame.to_dicts(), table.one("tbody").all("tr"), cards, thresholds, strict=True
        ):
            title = f"{row['paired_modality'].capitalize()} → {row['annotated_modality'].capitalize()}"
            names = ("auc_mean", "auc_good_bad", "auc_good_partial", "auc_partial_bad")
            shown = ["–" if row[name] is None else f"{row[name]:.3f}" for name in names]
            assert line.text.split("\n")[0].strip() == title + "".join(shown) + str(row["pairs"])
            assert len(line.all("span", **{"class": "bar"})) == sum(row[name] is not None for name in names)
            assert f"prevalence {row['prevalence']:.3f}" in card.text
            assert ("none: too few rows" in card.text) == (threshold["threshold"] is None)
            if threshold["test_precision"] is not None:
                assert f"precision {100 * threshold['test_precision']:.1f}%" in card.text
            own = bins.filter(paired_modality=row["paired_modality"], annotated_modality=row["annotated_modality"])
            assert len(card.all("circle")) == len(own)
        rows = section.one("table", **{"class": "disagreements stacked"}).one("tbody").all("tr")
        captions = report.disagreements(20, against)["caption"].to_list()
        assert [row.all("td")[0].text for row in rows] == captions
    (policy,) = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_command_with_a_column(tree: Path, store_path: Path, tmp_path: Path, report: RatingsReport) -> None:
    given = ",".join(f"{modality}={path}" for modality, path in files_of(tree).items())
    arguments = ["ratings", str(store_path), "--embeddings", given, "--resamples", "0", "--by", "caption_words"]
    shown = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "report")])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"{report}\n")
    assert "paired and annotated item, by caption_words" in shown.stdout
    sliced = {against: report.by("caption_words", against) for against in ("paired", "caption")}
    for row in sliced["caption"].to_dicts():
        assert f"  {row['caption_words']}: AUC mean" in shown.stdout
    written = pl.read_csv(tmp_path / "report/by.csv")
    for against, frame in sliced.items():
        assert (
            written.filter(against=against)
            .select("caption_words", "pairs")
            .equals(frame.select("caption_words", "pairs"))
        )
    assert (tmp_path / "report/ratings.txt").read_text("utf-8") == shown.stdout
    rows = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "rows.parquet")])
    assert rows.exit_code == 0, rows.output
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(sliced["paired"])


def test_command(tree: Path, store_path: Path, tmp_path: Path, report: RatingsReport) -> None:
    given = ",".join(f"{modality}={path}" for modality, path in files_of(tree).items())
    arguments = ["ratings", str(store_path), "--embeddings", given, "--resamples", "0"]
    shown = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "report")])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == f"{report}\n"
    assert (tmp_path / "report/ratings.json").is_file()
    rows = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "rows.parquet")])
    assert rows.exit_code == 0, rows.output
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(report.to_frame())


@pytest.mark.parametrize("given", ["image", "image=", "=x", "image=a,image=b", "image=a,,"])
def test_command_says_how_embeddings_are_given(store_path: Path, given: str) -> None:
    done = CliRunner().invoke(app, ["ratings", str(store_path), "--embeddings", given])
    assert done.exit_code == 2
    assert "--embeddings" in done.output
