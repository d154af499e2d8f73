"""Two reports on retrieval side by side, against their Parquet files read by DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from exploring import Server, exploring
from html_tree import Reader
from system import emm1_cli

import emm1

WANTED = {
    "failures": "coalesce(a.best_rank, 99) > 1",
    "gained": "a.best_rank = 1 AND coalesce(b.best_rank, 99) > 1",
    "lost": "coalesce(a.best_rank, 99) > 1 AND b.best_rank = 1",
}


@dataclass(frozen=True)
class Compared:
    """A store, two reports on retrieval of it, and one of other queries."""

    store: Path
    model: Path
    baseline: Path
    other: Path
    server: Server

    def rows(self, kind: str) -> list[tuple[Any, ...]]:
        """Query, ranks and right answers by both, in the order that is promised."""
        by = "b.best_rank" if kind == "gained" else "a.best_rank"
        return duckdb.execute(
            f"SELECT query_id, a.best_rank, b.best_rank, a.cluster, b.cluster FROM '{self.model}/per_query.parquet' a "
            f"JOIN '{self.baseline}/per_query.parquet' b USING (query_id) WHERE {WANTED[kind]} ORDER BY {by} DESC NULLS LAST, query_id"
        ).fetchall()


@pytest.fixture(scope="module")
def compared(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    folder = tmp_path_factory.mktemp("compared")
    path, pairs, fewer = folder / "emm1.duckdb", folder / "pairs.csv", folder / "fewer.csv"
    random = np.random.default_rng(5)
    with emm1.build(tree, path) as store:
        ids = np.load(tree / "embeddings/text.ids.npy")[:80]
        np.save(
            folder / "image.npy", random.standard_normal((len(np.load(tree / "embeddings/image.npy")), 16), np.float32)
        )
        images = np.load(folder / "image.npy")
        for name in ("a", "b"):  # each is near to its right answers more often than not
            near = random.random((80, 1)) < 0.6
            vectors = np.where(near, images[:80], random.standard_normal((80, 16))).astype(np.float32)
            np.save(folder / f"{name}.npy", vectors)
            np.save(folder / f"{name}.ids.npy", ids)
            store.add_embeddings(name, folder / f"{name}.npy", dataset="100m", modality="text")
        store.add_embeddings("image", folder / "image.npy", dataset="100m", modality="image")
        lines = [f"{text},{row}\n" for row, text in enumerate(ids)]
        pairs.write_text("query_id,id\n" + "".join(lines))
        fewer.write_text("query_id,id\n" + "".join(lines[:50]))
        saved = [store.retrieval(name, "image", pairs=pairs, resamples=0).save(folder / f"by {name}") for name in "ab"]
        other = store.retrieval("b", "image", pairs=fewer, resamples=0).save(folder / "other")
    with exploring(path, "--report", saved[0], "--report", saved[1]) as server:
        yield Compared(path, saved[0], saved[1], other, server)


@pytest.mark.parametrize("kind", list(WANTED))
def test_every_query_of_a_kind(compared: Compared, kind: str) -> None:
    expected = compared.rows(kind)
    assert len(expected) > 5
    found: list[dict[str, Any]] = []
    after = 0
    while after is not None:
        answer = compared.server.get(f"/api/report?kind={kind}&limit=4&after={after}").json
        found += answer["queries"]
        after = answer["next"]
    assert (answer["report"], answer["baseline"], answer["kind"]) == ("a → image", "b → image", kind)
    assert {each: answer[each] for each in WANTED} == {each: len(compared.rows(each)) for each in WANTED}
    for each, (query, rank, other_rank, right, other_right) in zip(found, expected, strict=True):
        assert (each["query"]["id"], each["query"]["modality"]) == (query, "text")
        assert (each["best_rank"], each["baseline"]["best_rank"]) == (rank, other_rank)
        assert (each["right"]["id"], each["baseline"]["right"]["id"]) == (right, other_right)


def test_hits_of_both(compared: Compared) -> None:
    for each in compared.server.get("/api/report?kind=lost&limit=3").json["queries"]:
        for name, answer in (("a", each), ("b", each["baseline"])):
            with emm1.open(compared.store, read_only=True) as store:
                rows = store.sql(
                    "SELECT rank, id FROM nearest('image', embedding($name, $query), k := 5)",
                    params={"name": name, "query": each["query"]["id"]},
                ).fetchall()
            assert [(hit["rank"], hit["item"]["id"]) for hit in answer["hits"]] == rows
        assert each["hits"][0]["item"]["id"] != each["right"]["id"]
        assert each["baseline"]["hits"][0]["item"]["id"] == each["baseline"]["right"]["id"]


def test_the_page_has_query_answer_and_hits_side_by_side(compared: Compared) -> None:
    page = Reader(compared.server.get("/report?kind=gained&limit=2").text).root
    first = page.all("section")[0]
    (query, *_), *_ = compared.rows("gained")
    cards = first.all("div", **{"class": "cards"})[0]
    titles = [each.one("h3").text if len(each.all("h3")) == 1 else each.all("h3")[0].text for each in cards.all("div")]
    assert [title.split(",")[0] for title in titles] == [
        "Query",
        "Right answer",
        "First hit",
        "First hit of the baseline",
    ]
    assert cards.all("a")[0].attributes["href"] == f"/items/100m/text/{query}"
    (chosen,) = [each for each in page.all("a") if "aria-current" in each.attributes]
    assert chosen.text == f"Gained: {len(compared.rows('gained'))}"


def test_walking_by_links(compared: Compared) -> None:
    seen, address = [], "/report?kind=lost&limit=3"
    while True:
        page = Reader(compared.server.get(address).text).root
        seen += [str(each.attributes["aria-label"]) for each in page.all("section")]
        links = page.all("a", rel="next")
        if not links:
            break
        address = str(links[0].attributes["href"])
    assert seen == [f"Query {row[0]}" for row in compared.rows("lost")]
    back = page.all("a", rel="prev")[0]
    assert len(Reader(compared.server.get(str(back.attributes["href"])).text).root.all("section")) == 3


def test_kinds_that_there_are_not(compared: Compared) -> None:
    answer = compared.server.get("/api/report?kind=better")
    assert (answer.status, answer.json["error"]) == (400, "kind: expected failures, gained, lost.")
    with exploring(compared.store, "--report", compared.model) as server:
        answer = server.get("/api/report?kind=gained")
        assert (answer.status, answer.json["error"]) == (
            400,
            "queries are gained in comparison with another report: name two",
        )
        assert server.get("/api/report").json["baseline"] is None


def test_reports_that_cannot_be_compared(compared: Compared, tmp_path: Path) -> None:
    cases = [
        ([compared.model, compared.other], "cannot be compared: they differ in pairs, queries"),
        ([compared.model, tmp_path], "holds no saved report on retrieval: No such file or directory"),
        ([tmp_path, compared.model], "holds no saved report on retrieval, EShot or a zero-shot classification"),
        ([compared.model] * 3, "3 reports were named: at most two are compared"),
    ]
    for folders, message in cases:
        named = [word for folder in folders for word in ("--report", folder)]
        done = emm1_cli("explore", compared.store, "--no-browser", *named)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr


def test_a_report_of_another_store_is_refused(compared: Compared, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    asked = ("explore", path, "--no-browser", "--report", compared.model)
    emm1.build(tree, path).close()
    refused = emm1_cli(*asked)
    about = f"{compared.model} is a report on 'a', 80 rows of 100m text items"
    assert refused.returncode == 1
    assert f"{about}, which this store has not registered: open the store that it was made with" in refused.stderr
    with emm1.open(path) as store:
        store.add_embeddings("a", tree / "embeddings/text.npy", dataset="100m", modality="text")
    refused = emm1_cli(*asked)
    assert refused.returncode == 1
    assert f"{about}, and 'a' of this store are others" in refused.stderr
