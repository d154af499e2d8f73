"""The view of EShot, and the confusions of saved reports, against the published files and NumPy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import polars as pl
import pytest
from exploring import Server, exploring
from html_tree import Reader
from system import emm1_cli

import emm1

MODALITIES = ("audio", "points")
SHOWN = 20


@dataclass(frozen=True)
class Shown:
    """A store with a report on EShot of random vectors, and what they are."""

    store: Path
    report: Path
    server: Server
    vectors: dict[str, np.ndarray[Any, np.dtype[np.float32]]]
    listed: dict[str, dict[str, list[int]]]  # ids by category, by modality

    def wrong(self, samples: str, classes: str) -> list[tuple[str, int, str]]:
        """Category, id and nearest category of the samples that are classified wrongly, in the order of the published file."""
        names = sorted(set(self.listed["audio"]) & set(self.listed["points"]))
        means = np.stack(
            [self.vectors[classes][self.listed[classes][name]].astype(np.float64).mean(0) for name in names]
        )
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        found = []
        for name in names:
            for number in self.listed[samples][name]:
                nearest = names[int((means @ self.vectors[samples][number]).argmax())]
                if nearest != name:
                    found.append((name, number, nearest))
        return found


@pytest.fixture(scope="module")
def shown(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("eshot")
    path, random = folder / "emm1.duckdb", np.random.default_rng(3)
    vectors, listed = {}, {}
    with emm1.build(tree, path, splits=["eshot"]) as store:
        for modality in MODALITIES:
            key = "eshot_audio_id" if modality == "audio" else "eshot_point_id"
            ids = [number for (number,) in store.sql(f"SELECT {key} FROM eshot.{modality} ORDER BY 1").fetchall()]
            assert ids == list(range(len(ids)))  # so that ids are rows of the vectors
            vectors[modality] = random.standard_normal((len(ids), 8), np.float32)
            np.save(folder / f"{modality}.npy", vectors[modality])
            listed[modality] = listed_in(tree, modality, store)
        report = store.eshot(folder / "audio.npy", folder / "points.npy")
        report.save(folder / "report")
    with exploring(path, "--report", folder / "report") as server:
        yield Shown(path, folder / "report", server, vectors, listed)


def listed_in(tree: Path, modality: str, store: emm1.Store) -> dict[str, list[int]]:
    """Ids by category, as published; point clouds are listed by the ids of their files."""
    file = tree / "eshot" / f"category_to_{'audio' if modality == 'audio' else 'point'}_ids.json"
    found = json.loads(file.read_text())
    names = dict(store.sql("SELECT file_id, eshot_point_id FROM eshot.points").fetchall())
    return {category: [names.get(each, each) for each in ids] for category, ids in found.items()}


def test_categories(shown: Shown) -> None:
    answer = shown.server.get("/api/eshot").json["categories"]
    names = sorted(set(shown.listed["audio"]) | set(shown.listed["points"]))
    counts = [(name, *(len(shown.listed[modality].get(name, [])) for modality in MODALITIES)) for name in names]
    assert [(each["category"], each["audio"], each["points"]) for each in answer] == counts
    for direction, pair in (("audio_to_points", ("audio", "points")), ("points_to_audio", ("points", "audio"))):
        wrong = Counter(name for name, _, _ in shown.wrong(*pair))
        for each in answer:
            samples = len(shown.listed[pair[0]][each["category"]])
            assert each["correct"][direction] == {"correct": samples - wrong[each["category"]], "samples": samples}
    page = Reader(shown.server.get("/eshot").text).root
    assert [row.one("a").text for row in page.all("th", scope="row")] == names
    for link in page.one("main").all("a"):
        assert shown.server.get(str(link.attributes["href"])).status == 200


def test_samples_of_a_category(shown: Shown) -> None:
    for category in list(shown.listed["audio"])[:5]:
        answer = shown.server.get(f"/api/eshot/{quote(category)}").json
        for modality in MODALITIES:
            ids = shown.listed[modality][category]
            assert (answer[modality]["count"], [item["id"] for item in answer[modality]["items"]]) == (len(ids), ids)
            assert {item["modality"] for item in answer[modality]["items"]} == {modality}
        fewer = shown.server.get(f"/api/eshot/{quote(category)}?limit=1").json
        assert (fewer["audio"]["count"], len(fewer["audio"]["items"])) == (len(shown.listed["audio"][category]), 1)
        page = Reader(shown.server.get(f"/eshot/{quote(category)}").text).root
        assert page.one("h1").text == category
        assert len(page.all("article")) == sum(len(shown.listed[modality][category]) for modality in MODALITIES)
    for address in ("/eshot/no such".replace(" ", "%20"), "/api/eshot/x%27%20OR%20true%20--"):
        assert shown.server.get(address).status == 404


@pytest.mark.parametrize("direction", ["audio_to_points", "points_to_audio"])
def test_confusions(shown: Shown, direction: str) -> None:
    samples, _, classes = direction.partition("_to_")
    wrong = shown.wrong(samples, classes)
    counts = Counter((category, predicted) for category, _, predicted in wrong)
    expected = sorted(counts, key=lambda pair: (-counts[pair], *pair))
    assert len(expected) > 30
    found, after = [], 0
    while after is not None:
        answer = shown.server.get(f"/api/report?direction={direction}&limit=13&after={after}").json
        assert answer["previous"] == (max(0, after - 13) if after else None)
        found += answer["pairs"]
        after = answer["next"]
    assert answer["confusions"] == len(expected)
    assert [(each["category"], each["predicted"]) for each in found] == expected
    for each in found:
        pair = each["category"], each["predicted"]
        assert each["count"] == counts[pair]
        assert each["samples"] == len(shown.listed[samples][each["category"]])
        ids = [number for category, number, predicted in wrong if (category, predicted) == pair]
        assert [(item["modality"], item["id"]) for item in each["items"]] == [(samples, i) for i in ids[:SHOWN]]
    category = expected[0][0]
    query = urlencode({"direction": direction, "category": category, "limit": 500})
    only = shown.server.get(f"/api/report?{query}").json
    assert [each["predicted"] for each in only["pairs"]] == [other for name, other in expected if name == category]
    query = urlencode({"direction": direction, "predicted": category, "limit": 500})
    page = Reader(shown.server.get(f"/report?{query}").text).root
    assert [each.text for each in page.one("main").all("h2")] == [
        f"{n} → {other}" for n, other in expected if other == category
    ]


def test_steps_between_confusions(shown: Shown) -> None:
    def follow(address: str, step: str) -> str | None:
        links = Reader(shown.server.get(address).text).root.all("a", rel=step)
        return str(links[0].attributes["href"]) if links else None

    second = follow("/report?limit=5", "next")
    assert second is not None
    first = follow(second, "prev")
    assert first is not None
    assert shown.server.get(first).text == shown.server.get("/report?limit=5").text
    assert follow("/report?limit=5", "prev") is None


def test_odd_requests(shown: Shown) -> None:
    assert (
        shown.server.get("/api/report?direction=x").json["error"].startswith("direction: expected audio_to_points or")
    )
    assert shown.server.get("/api/report?category=x%27%22%3Cb%3E").json["pairs"] == []
    assert "<b>" not in shown.server.get("/report?category=x%27%22%3Cb%3E").text


def test_confusions_of_a_zero_shot_classification(tree: Path, tmp_path: Path) -> None:
    """Samples with several classes: being taken for another of their own is no confusion."""
    path = tmp_path / "emm1.duckdb"
    vectors = np.load(tree / "embeddings/image.npy")
    names = ["a", "b<i>", "c"]
    labels = {row: sorted({names[row % 3], names[row % 2]}) for row in range(60)}
    rows = [(row, name) for row, own in labels.items() for name in own]
    pl.DataFrame(rows, ["id", "label"], orient="row").write_csv(tmp_path / "labels.csv")
    with emm1.build(tree, path) as store:
        for name in ("image", "other"):
            store.add_embeddings(name, tree / "embeddings/image.npy", dataset="100m", modality="image")
        given = emm1.zero_shot(
            (np.arange(60), vectors[:60]), labels, {name: vectors[100 + place] for place, name in enumerate(names)}
        )
        given.save(tmp_path / "given")
        store.zero_shot("image", "other", str(tmp_path / "labels.csv")).save(tmp_path / "report")
    saved = pl.read_parquet(tmp_path / "report/predictions.parquet")
    expected = Counter(
        (own, predicted[0])
        for _, own_labels, predicted in saved.rows()
        if predicted[0] not in own_labels
        for own in own_labels
    )
    assert expected
    with exploring(path, "--report", tmp_path / "report") as server:
        answer = server.get("/api/report?limit=500").json
        assert {(each["category"], each["predicted"]): each["count"] for each in answer["pairs"]} == expected
        assert {item["modality"] for each in answer["pairs"] for item in each["items"]} == {"image"}
        page = server.get("/report")
        assert page.status == 200
        assert "<i>" not in page.text
    done = emm1_cli("explore", path, "--no-browser", "--report", tmp_path / "given")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not hold a report on EShot or on a zero-shot classification of registered embeddings" in done.stderr


def test_a_store_without_eshot(tree: Path, tmp_path: Path) -> None:
    emm1.build(tree, tmp_path / "emm1.duckdb", splits=["1m"]).close()
    with exploring(tmp_path / "emm1.duckdb") as server:
        assert server.get("/api/eshot").json == {"categories": []}
        assert "holds no EShot" in server.get("/eshot").text
        assert server.get("/eshot/bell").status == 404


def test_reports_of_an_earlier_version_are_told_what_is_missing(shown: Shown, tmp_path: Path) -> None:
    for name in ("report.json", "report.txt"):
        (tmp_path / name).write_bytes((shown.report / name).read_bytes())
    done = emm1_cli("explore", shown.store, "--no-browser", "--report", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"emm1: {tmp_path} holds no saved report on EShot or a zero-shot classification")
    (tmp_path / "report.json").write_text("[]")
    done = emm1_cli("explore", shown.store, "--no-browser", "--report", tmp_path)
    assert "does not hold a report on EShot" in done.stderr
