"""The pages that have no script, in a real browser: wide and narrow, light and dark, printed, with hostile names."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from clients import TOP, Client, NotAvailableError

import emm1
from emm1.dataset import MODALITIES
from emm1.evaluation.eshot.classify import Samples
from emm1.evaluation.eshot.comparison import compare

NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
CHROMIUM = Client("Chromium", "browser", str(TOP / "tests" / "browser"), (NPM, ("node", "browser.mjs")), ())
CATEGORIES = ["<svg onload='globalThis.ran = true'>", "😀 grin", "מים", "a" * 120, "many words " * 12, "snow_mobile"]
MODELS = ["old", "new_model_with_a_long_name_" * 3, "</script><script>globalThis.ran = true</script>"]


@dataclass(frozen=True)
class Seen:
    """What readers see of a page."""

    folder: Path
    names: list[str]
    looks: list[dict[str, Any]]
    problems: list[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> emm1.Store:
    """The sample's store with hostile captions, and the vectors of its split 1m for two models of hostile names."""
    folder = tmp_path_factory.mktemp("store")
    emm1.write_sample(folder / "sample")
    info = folder / "sample/e-mm1_1m/infos/text.csv"
    texts = pl.read_csv(info)
    captions = pl.Series([CATEGORIES[row % len(CATEGORIES)] for row in range(len(texts))])
    texts.with_columns(caption=captions).write_csv(info)
    store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m", "eshot"])
    for number, model in enumerate(MODELS[1:]):
        for modality in MODALITIES:
            file = folder / f"{number}_{modality}.npy"
            shutil.copy(folder / f"sample/embeddings/1m/{modality}.npy", file)
            store.add_embeddings(f"{modality} {number}", file, dataset="1m", modality=modality, model=model)
    return store


def eshot_comparison(_store: emm1.Store, folder: Path) -> tuple[Path, list[str]]:
    """Models of which one is far worse, so that categories are flagged, and one lacks a sample."""
    models = {}
    labels = np.tile(np.arange(len(CATEGORIES)), 30)
    lists = {name: np.flatnonzero(labels == index).tolist() for index, name in enumerate(CATEGORIES)}
    for seed, name in enumerate(MODELS):
        rng = np.random.default_rng(seed)
        noise = (0.4, 0.5, 4.0)[seed]
        pair = []
        for _ in range(2):
            vectors = np.eye(len(CATEGORIES))[labels] + noise * rng.standard_normal((len(labels), len(CATEGORIES)))
            ids = np.arange(seed, len(labels))
            pair.append(Samples(ids, vectors[seed:].astype(np.float32), lists))
        models[name] = (pair[0], pair[1])
    comparison = compare(models)
    flagged = comparison.per_class.filter("differs")["category"].unique().to_list()
    assert flagged
    return comparison.save(folder) / "comparison.html", [*MODELS, *flagged]


def models(store: emm1.Store, folder: Path) -> tuple[Path, list[str]]:
    report = store.evaluate(MODELS[1:], resamples=10)
    return report.save(folder) / "evaluation.html", MODELS[1:]


def ratings(store: emm1.Store, folder: Path) -> tuple[Path, list[str]]:
    """Without embeddings of point clouds."""
    names = {modality: f"{modality} 0" for modality in MODALITIES if modality != "points"}
    page = store.ratings(names, resamples=10).save(folder) / "ratings.html"
    return page, [*CATEGORIES[:3], "no embeddings of points"]


def zero_shot(_store: emm1.Store, folder: Path) -> tuple[Path, list[str]]:
    """Samples with several labels, some of which are left out."""
    rng = np.random.default_rng(2)
    labels = {sample: [CATEGORIES[sample % 6], CATEGORIES[sample * sample % 5]] for sample in range(1, 200)}
    vectors = np.eye(6)[np.arange(200) % 6] + rng.standard_normal((200, 6))
    report = emm1.zero_shot((np.arange(200), vectors), labels, dict(zip(CATEGORIES, np.eye(6), strict=True)))
    return report.save(folder) / "report.html", CATEGORIES


def retrieval(store: emm1.Store, folder: Path) -> tuple[Path, list[str]]:
    """A gallery of which only a part has vectors, under a name that is none of a tag, and with the slices of the queries."""
    image = store.embeddings("image 0")
    np.save(folder / "part.npy", np.asarray(image)[10:])
    np.save(folder / "part.ids.npy", image.ids[10:])
    name = CATEGORIES[0]
    store.add_embeddings(name, folder / "part.npy", dataset="1m", modality="image", replace=True)
    report = store.retrieval("text 0", name, resamples=10)
    return report.save(folder / "report") / "retrieval.html", [
        name,
        "hit@10",
        "count as not found",
        report.hashes.gallery,
    ]


PAGES: list[Callable[[emm1.Store, Path], tuple[Path, list[str]]]] = [
    eshot_comparison,
    models,
    ratings,
    zero_shot,
    retrieval,
]


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: page.__name__)
def seen(request: pytest.FixtureRequest, store: emm1.Store, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    try:
        CHROMIUM.install()
    except NotAvailableError as error:
        pytest.skip(f"no browser: {error}")
    folder = tmp_path_factory.mktemp(request.param.__name__)
    page, names = request.param(store, folder)
    done = CHROMIUM.run("node", "HERE/see_page.mjs", str(page), str(folder), where=folder, check=False)
    assert done.returncode == 0, done.stderr
    return Seen(folder, names, **json.loads(done.stdout))


def test_nothing_is_requested_or_reported(seen: Seen) -> None:
    assert seen.problems == []


def test_no_sideways_scrolling(seen: Seen) -> None:
    assert [look["width"] for look in seen.looks] == [1400, 1400, 400, 400, 320, 320]
    for look in seen.looks:
        assert look["scrollWidth"] <= look["width"]
        assert look["right"] <= look["width"]


def test_accessible(seen: Seen) -> None:
    assert [look["violations"] for look in seen.looks] == [[]] * 6


def test_dark_is_dark(seen: Seen) -> None:
    for look in seen.looks:
        bright = sum(int(part) for part in re.findall(r"\d+", look["background"])[:3]) > 3 * 128
        assert bright == (look["colorScheme"] == "light")


def test_every_name_is_shown(seen: Seen) -> None:
    for name in seen.names:
        assert name.strip() in seen.looks[0]["text"]


def test_prints(seen: Seen) -> None:
    pdf = (seen.folder / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 30
