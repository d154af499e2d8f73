"""The pages and their JSON show what the store holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from exploring import Explored, exploring
from html_tree import Reader

import emm1
from emm1.dataset import FILE_MODALITIES, KEYS, MODALITIES_OF, SCHEMAS, SPLITS


def test_the_first_captions_in_order(explored: Explored) -> None:
    page = Reader(explored.server.get("/").text).root
    shown = [
        (int(str(each.attributes["value"])), each.one("a").text)
        for each in page.all("li")
        if "value" in each.attributes
    ]
    rows = explored.sql("SELECT encord_text_id, caption FROM e_mm1_100m.text ORDER BY 1 LIMIT 20")
    assert [number for number, _ in shown] == [number for number, _ in rows]
    for (_, text), (_, caption) in zip(shown, rows, strict=True):
        # HTML has no carriage returns or NULs, and the parser reads line ends as a browser does.
        assert text.split() == (caption or "(no caption)").split()


@pytest.mark.parametrize("dataset", ["100m", "1m"])
def test_all_captions_page_by_page(explored: Explored, dataset: str) -> None:
    found, after = [], ""
    while True:
        answer = explored.server.get(f"/api/captions?dataset={dataset}&limit=97&after={after}").json
        found += [(each["id"], each["caption"], each["source_dataset"]) for each in answer["captions"]]
        if answer["next"] is None:
            break
        after = answer["next"]
    query = f"SELECT encord_text_id, caption, source_dataset FROM e_mm1_{dataset}.text ORDER BY 1"
    assert found == explored.sql(query)


@pytest.mark.parametrize(
    "address", ["captions?dataset=100m&", "captions?dataset=1m&", "triplets?annotated=audio&", "triplets?"]
)
def test_page_by_page_and_back(explored: Explored, address: str) -> None:
    """Each page leads to the ones before and after it, also when the last one is not full."""
    kind = address.partition("?")[0]

    def page(asked: str) -> dict[str, Any]:
        answer: dict[str, Any] = explored.server.get(f"/api/{address}limit=13{asked}").json
        return answer

    pages = [page("")]
    assert pages[0]["previous"] is None
    while pages[-1]["next"] is not None and len(pages) < 5:
        pages.append(page(f"&after={pages[-1]['next']}"))
    assert len(pages) > 1
    back = [pages[-1]]
    while back[-1]["previous"] is not None:
        back.append(page(f"&before={back[-1]['previous']}"))
    assert [each[kind] for each in reversed(back)] == [each[kind] for each in pages]
    assert [each["next"] for each in reversed(back)] == [each["next"] for each in pages]
    for asked in ("", f"&after={pages[0]['next']}", f"&before={pages[1]['previous']}"):
        shown = page(asked)
        path = {"captions": "/", "triplets": "/triplets"}[kind] + address.removeprefix(kind)
        links = Reader(explored.server.get(f"{path}limit=13{asked}").text).root.all("a")
        steps = {
            str(each.attributes["rel"]): str(each.attributes["href"])
            for each in links
            if each.attributes.get("rel") in {"next", "prev"}
        }
        assert {*steps} == {rel for rel, name in (("prev", "previous"), ("next", "next")) if shown[name] is not None}
        assert all(explored.server.get(href).status == 200 for href in steps.values())


@pytest.mark.parametrize(("dataset", "modality"), [(s, m) for s in SPLITS for m in MODALITIES_OF[s]])
def test_items(explored: Explored, dataset: str, modality: str) -> None:
    table, key = f"{SCHEMAS[dataset]}.{modality}", KEYS[dataset, modality]  # type: ignore[index]
    columns = [name for name, *_ in explored.sql(f"DESCRIBE {table}") if name != key]
    ((number, *values),) = explored.sql(f"SELECT {key}, * EXCLUDE ({key}) FROM {table} ORDER BY hash({key}) LIMIT 1")
    shown = explored.server.get(f"/api/items/{dataset}/{modality}/{number}").json
    assert (shown["dataset"], shown["modality"], shown["id"], shown["known"]) == (dataset, modality, number, True)
    assert shown["columns"] == dict(zip(columns, values, strict=True))
    ((path,),) = explored.sql(
        "SELECT file_path FROM assets WHERE dataset = $dataset AND modality = $modality AND id = $number",
        dataset=dataset,
        modality=modality,
        number=number,
    )
    if modality == "text":
        assert shown["media"] is None
    else:
        there = Path(path).exists()
        assert (shown["media"]["path"], shown["media"]["state"]) == (path, "there" if there else "missing")
    page = explored.server.get(f"/items/{dataset}/{modality}/{number}")
    assert page.status == 200
    assert Reader(page.text).root.one("dl").text.split()


def test_groups(explored: Explored) -> None:
    ((caption,),) = explored.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    columns = [f"encord_{modality}_id" for modality in FILE_MODALITIES]
    rows = explored.sql(
        f"SELECT nn_index, {', '.join(columns)} FROM e_mm1_100m.groups WHERE encord_text_id = $caption ORDER BY 1",
        caption=caption,
    )
    shown = explored.server.get(f"/api/groups/{caption}").json["groups"]
    ids = [(group["nn_index"], *(group[m] and group[m]["id"] for m in FILE_MODALITIES)) for group in shown]
    assert ids == rows
    assert explored.server.get(f"/api/items/100m/text/{caption}").json["groups"] == shown
    page = Reader(explored.server.get(f"/items/100m/text/{caption}?nn_index=all").text).root
    assert len(page.all("section")) == len(rows)


@pytest.mark.parametrize("modality", [None, *FILE_MODALITIES])
@pytest.mark.parametrize("rank", [1, 3, 16, None])
def test_one_rank_and_one_modality(explored: Explored, rank: int | None, modality: str | None) -> None:
    ((caption,),) = explored.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups WHERE nn_index = 16")
    modalities = [name for name in FILE_MODALITIES if modality in {None, name}]
    rows = explored.sql(
        f"SELECT nn_index, {', '.join(f'encord_{each}_id' for each in modalities)} FROM e_mm1_100m.groups "
        "WHERE encord_text_id = $caption AND ($rank IS NULL OR nn_index = $rank) ORDER BY 1",
        caption=caption,
        rank=rank,
    )
    asked = urlencode({"nn_index": rank or "all"} | ({} if modality is None else {"modality": modality}))
    shown = explored.server.get(f"/api/groups/{caption}?{asked}").json["groups"]
    assert [(group["nn_index"], *(group[m] and group[m]["id"] for m in modalities)) for group in shown] == rows
    assert {*shown[0]} == {"nn_index", *modalities}
    assert explored.server.get(f"/api/items/100m/text/{caption}?{asked}").json["groups"] == shown
    page = Reader(explored.server.get(f"/items/100m/text/{caption}?{asked}").text).root
    cards = [each.one("h3").one("a").attributes["href"] for each in page.all("article")]
    assert cards == [
        f"/items/100m/{m}/{number}"
        for _, *ids in rows
        for m, number in zip(modalities, ids, strict=True)
        if number is not None
    ]
    chosen = [each for each in page.all("a") if "data-rank" in each.attributes]
    assert [each.attributes["data-rank"] for each in chosen if "aria-current" in each.attributes] == [
        str(rank or "all")
    ]
    steps = {
        each.attributes["rel"]: each.attributes["href"]
        for each in page.all("a")
        if each.attributes.get("rel") in {"next", "prev"}
    }
    assert all(str(href).endswith(f"?{asked}") for href in steps.values())


def test_a_caption_is_shown_with_its_nearest_neighbours(explored: Explored) -> None:
    ((caption,),) = explored.sql("SELECT min(encord_text_id) FROM e_mm1_100m.groups")
    pages = [explored.server.get(f"/items/100m/text/{caption}{asked}").text for asked in ("", "?nn_index=1")]
    assert pages[0] == pages[1]
    (without,) = explored.sql("SELECT min(encord_text_id) FROM e_mm1_1m.text")[0]
    assert "Neighbours" not in explored.server.get(f"/items/1m/text/{without}").text


@pytest.mark.parametrize(
    ("dataset", "modality"), [("100m", "text"), ("100m", "image"), ("1m", "text"), ("eshot", "audio")]
)
def test_from_item_to_item(explored: Explored, dataset: str, modality: str) -> None:
    """In both directions, and not by adding one: ids have gaps."""
    table, key = f"{SCHEMAS[dataset]}.{modality}", KEYS[dataset, modality]  # type: ignore[index]
    ids = [number for (number,) in explored.sql(f"SELECT {key} FROM {table} ORDER BY 1 LIMIT 12")]
    (last,) = explored.sql(f"SELECT max({key}) FROM {table}")[0]
    around = {each: explored.server.get(f"/api/items/{dataset}/{modality}/{each}").json for each in (*ids, last)}
    assert [around[each]["next"] for each in ids[:-1]] == ids[1:]
    assert [around[each]["previous"] for each in ids] == [None, *ids[:-1]]
    assert around[last]["next"] is None
    page = Reader(explored.server.get(f"/items/{dataset}/{modality}/{ids[1]}").text).root
    steps = {
        each.attributes["rel"]: str(each.attributes["href"]).partition("?")[0]
        for each in page.all("a")
        if "rel" in each.attributes
    }
    assert (steps["prev"], steps["next"]) == tuple(f"/items/{dataset}/{modality}/{each}" for each in (ids[0], ids[2]))
    ahead = page.one("link", rel="prefetch").attributes["href"]
    assert ahead in {each.attributes["href"] for each in page.all("a", rel="next")}


def test_captions_that_an_item_is_a_neighbour_of(explored: Explored) -> None:
    ((image,),) = explored.sql(
        "SELECT encord_image_id FROM e_mm1_100m.groups WHERE encord_image_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    )
    rows = explored.sql(
        "SELECT nn_index, encord_text_id FROM e_mm1_100m.groups WHERE encord_image_id = $image ORDER BY ALL LIMIT 20",
        image=image,
    )
    shown = explored.server.get(f"/api/items/100m/image/{image}").json["neighbour_of"]
    assert [(near["nn_index"], near["caption"]["id"]) for near in shown] == rows


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ({}, "true"),
        ({"paired": "image", "annotated": "audio"}, "paired_modality = 'image' AND annotated_modality = 'audio'"),
        ({"label": "Good"}, "annotation_label = 'Good'"),
        ({"label": "Good Match"}, "annotation_label = 'Good Match'"),
        ({"label": "O'Brien"}, "false"),
        (
            {"source_dataset": "COCO", "annotated": "image"},
            "annotated_modality = 'image' AND encord_annotated_id IN (FROM coco)",
        ),
        ({"paired": "no such"}, "false"),
    ],
)
def test_triplets(explored: Explored, asked: dict[str, str], condition: str) -> None:
    rows = explored.sql(
        "WITH coco AS (SELECT encord_image_id FROM e_mm1_1m.image WHERE source_dataset = 'COCO'), placed AS (SELECT t.rowid AS place, * FROM e_mm1_1m.triplets t LEFT JOIN e_mm1_1m.annotation_mapping m USING (annotation)) "
        "SELECT place, encord_text_id, paired_modality::VARCHAR, encord_paired_id, annotated_modality::VARCHAR, encord_annotated_id, "
        f"annotation_label::VARCHAR FROM placed WHERE {condition} ORDER BY place"
    )
    found: list[tuple[object, ...]] = []
    after = ""
    while True:
        answer = explored.server.get(f"/api/triplets?{urlencode({**asked, 'limit': 31, 'after': after})}").json
        found += [
            (
                each["place"],
                each["caption"]["id"],
                each["paired"]["modality"],
                each["paired"]["id"],
                each["annotated"]["modality"],
                each["annotated"]["id"],
                each["annotation_label"],
            )
            for each in answer["triplets"]
        ]
        if answer["next"] is None or len(found) > 300:
            break
        after = answer["next"]
    assert found == rows[: len(found)]
    assert len(found) == len(rows) or len(found) > 300
    assert explored.server.get(f"/triplets?{urlencode(asked)}").status == 200


@pytest.mark.parametrize("base", ["text", "image"])
def test_more_like_this(explored: Explored, base: str, tree: Path) -> None:
    texts = np.load(tree / "embeddings/text.npy").astype(np.float64)
    text_ids = np.load(tree / "embeddings/text.ids.npy")
    ids = text_ids if base == "text" else np.arange(len(np.load(tree / f"embeddings/{base}.npy")))
    vectors = np.load(tree / f"embeddings/{base}.npy").astype(np.float64)
    scores = vectors @ texts[3] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(texts[3])
    order = [row for row in np.argsort(-scores, kind="stable") if base == "image" or row != 3][:7]
    answer = explored.server.get(f"/api/likeness?by=text&in={base}&id={text_ids[3]}&k=7").json
    assert [hit["item"]["id"] for hit in answer["hits"]] == ids[order].tolist()
    assert [hit["score"] for hit in answer["hits"]] == pytest.approx(scores[order], abs=1e-6)
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, 8))
    assert (answer["metric"], answer["seconds"] > 0) == ("cosine", True)


def test_more_like_this_from_one_source(explored: Explored) -> None:
    query = urlencode({"by": "image", "id": 1, "k": 50, "source_dataset": "COCO"})
    found = {hit["item"]["id"] for hit in explored.server.get(f"/api/likeness?{query}").json["hits"]}
    rows = explored.sql(
        "SELECT id FROM nearest_among('image', embedding('image', 1), (SELECT list(encord_image_id) FROM e_mm1_100m.image "
        "WHERE source_dataset = 'COCO' AND encord_image_id <> 1), k := 50)"
    )
    assert found == {number for (number,) in rows}
    for value in ("' OR true --", "x'); DROP TABLE e_mm1_100m.text; --"):
        query = urlencode({"by": "image", "id": 1, "source_dataset": value})
        assert explored.server.get(f"/api/likeness?{query}").json["hits"] == []
    page = Reader(explored.server.get("/items/100m/image/1?like=image").text).root
    assert page.all("h2")[0].text == "Most like this, by image"


def test_more_like_this_from_one_split(explored: Explored, tmp_path: Path) -> None:
    store = Path(shutil.copy(explored.store, tmp_path / "emm1.duckdb"))
    with emm1.open(store) as opened:
        opened.connection.execute(
            "INSERT INTO splits SELECT '100m', 'image', encord_image_id, if(encord_image_id < 9, 'test', 'train') FROM e_mm1_100m.image"
        )
        file = explored.store.parent.joinpath(opened.registry["image"].path)
        opened.add_embeddings("image", file, dataset="100m", modality="image", replace=True)
    with exploring(store) as server:
        hits = server.get("/api/likeness?by=image&id=1&k=50&split=test").json["hits"]
        hostile = urlencode({"by": "image", "id": 1, "split": "x'); DROP TABLE splits; --"})
        assert server.get(f"/api/likeness?{hostile}").json["hits"] == []
    assert {hit["item"]["id"] for hit in hits} == {*range(9)} - {1}


def test_the_store(explored: Explored) -> None:
    shown = explored.server.get("/api/store").json
    assert (shown["name"], shown["media_root"]) == (explored.store.name, str(explored.root))
    assert [(each["name"], each["metric"]) for each in shown["embeddings"]] == [("image", "cosine"), ("text", "cosine")]


def test_media(explored: Explored) -> None:
    ((path,),) = explored.sql("SELECT file_path FROM assets WHERE dataset = '100m' AND modality = 'image' AND id = 1")
    content = Path(path).read_bytes()
    whole = explored.server.get("/media/100m/image/1")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, content, "image/jpeg")
    for asked, expected in (("bytes=5-9", content[5:10]), ("bytes=-3", content[-3:]), ("bytes=1000-", content[1000:])):
        part = explored.server.get("/media/100m/image/1", {"Range": asked})
        assert (part.status, part.body) == (206, expected)
    assert explored.server.get("/media/100m/image/1", {"Range": f"bytes={len(content)}-"}).status == 416
    head = explored.server.get("/media/100m/image/1", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(content)))
    audio = explored.server.get("/media/100m/audio/1")
    assert (audio.status, audio.headers["content-type"]) == (200, "audio/mp4")


def test_point_clouds(explored: Explored) -> None:
    answer = explored.server.get("/points/100m/points/1")
    points = np.frombuffer(answer.body, "<f4").reshape(-1, 6)
    assert np.array_equal(points, np.linspace(0, 1, 600, dtype=np.float32).reshape(100, 6))
    assert explored.server.get("/points/100m/image/1").status == 404


@pytest.mark.parametrize("modality", FILE_MODALITIES)
def test_missing_media_are_a_card_with_their_path(explored: Explored, modality: str) -> None:
    ((number, path),) = explored.sql(
        "SELECT id, file_path FROM assets WHERE dataset = '100m' AND modality = $modality ORDER BY id DESC LIMIT 1",
        modality=modality,
    )
    page = Reader(explored.server.get(f"/items/100m/{modality}/{number}").text).root
    assert not page.all("video")
    (card,) = [each for each in page.all("p") if each.attributes.get("class") == "absent"]
    assert card.one("code").text == path
    assert explored.server.get(f"/media/100m/{modality}/{number}").status == 404


def test_a_form_leads_to_an_item(explored: Explored) -> None:
    answer = explored.server.get("/find?dataset=100m&modality=image&id=7")
    assert (answer.status, answer.headers["location"]) == (303, "/items/100m/image/7")
    for query in ("dataset=100m&modality=image", "dataset=eshot&modality=text&id=1", "dataset=x&modality=image&id=1"):
        assert explored.server.get(f"/find?{query}").status == 400


def test_failures_of_a_report(explored: Explored) -> None:
    assert explored.report is not None
    rows = pl.read_parquet(explored.report / "per_query.parquet").select("query_id", "best_rank").rows()
    failed = [(query, best) for query, best in rows if best is None or best > 1]
    expected = sorted(failed, key=lambda row: (row[1] is None, -(row[1] or 0), row[0]))
    assert len(expected) > 5
    shown: list[dict[str, Any]] = []
    after = 0
    while after is not None and len(shown) < 100:
        answer = explored.server.get(f"/api/report?limit=7&after={after}").json
        shown += answer["queries"]
        after = answer["next"]
    assert answer["failures"] == len(expected)
    assert [(each["query"]["id"], each["best_rank"]) for each in shown] == expected[: len(shown)]
    first = shown[0]
    found = explored.sql(
        "SELECT rank, id FROM nearest('image', embedding('text', $query), k := 5)", query=first["query"]["id"]
    )
    assert [(hit["rank"], hit["item"]["id"]) for hit in first["hits"]] == found
    rows = explored.sql("SELECT encord_text_id FROM e_mm1_100m.text ORDER BY 1 LIMIT 90")
    assert all(rows[each["right"]["id"]] == (each["query"]["id"],) for each in shown)  # as the pairs of the report say
    page = Reader(explored.server.get("/report?limit=3").text).root
    assert len(page.all("section")) == 3
    page = Reader(explored.server.get(str(page.one("a", rel="next").attributes["href"])).text).root
    assert page.all("section")[0].attributes["aria-label"] == f"Query {shown[3]['query']['id']}"
    assert page.one("a", rel="prev").attributes["href"] == "/report?kind=failures&after=0&limit=3"


def test_without_a_report(explored: Explored) -> None:
    with exploring(explored.store) as server:
        assert server.get("/api/report").status == server.get("/report").status == 404
        assert "/report" not in server.get("/").text


def test_the_filters_of_triplets_list_what_there_is(explored: Explored) -> None:
    page = Reader(explored.server.get("/triplets?label=no+such&source_dataset=COCO").text).root
    shown = {
        str(each.attributes["name"]): [option.text for option in each.all("option")][1:]
        for each in page.one("main").all("select")
    }
    sources, licences = (
        sorted(
            {
                value
                for modality in FILE_MODALITIES
                for (value,) in explored.sql(f"SELECT DISTINCT {column}::VARCHAR FROM e_mm1_1m.{modality}")
                if value is not None
            }
        )
        for column in ("source_dataset", "dataset_license")
    )
    assert shown == {
        "paired": list(FILE_MODALITIES),
        "annotated": list(FILE_MODALITIES),
        "label": ["Good Match", "Partial Match", "Bad Match", "no such"],
        "source_dataset": sources,
        "dataset_license": licences,
    }
    chosen = [each.text for each in page.one("main").all("option") if "selected" in each.attributes]
    assert chosen == ["no such", "COCO"]


def test_what_is_like_an_item_goes_by_embeddings_of_its_kind(explored: Explored) -> None:
    refused = explored.server.get("/items/100m/image/1?like=text")
    assert refused.status == 400
    assert "no embeddings of this name that have such items" in refused.text


def test_parts_of_a_store_that_is_not_split(explored: Explored) -> None:
    for address in ("/api/likeness?by=image&id=1&split=train", "/api/search?words=dog&split=train"):
        answer = explored.server.get(address)
        assert (answer.status, "the store is not split yet: `emm1 split`" in answer.json["error"]) == (400, True)
