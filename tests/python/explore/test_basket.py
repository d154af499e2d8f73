"""A basket is shown, exported and written to the table of flags; only pages of this server may send one."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import polars as pl
import pytest
from exploring import Answer, Explored
from html_tree import Reader
from system import emm1_cli

import emm1
from emm1.dataset import MODALITIES_OF, SPLITS

SOME = ["1m.image.3", "100m.text.1", "eshot.points.2", "100m.image.5", "100m.image.0"]
ROWS = [(dataset, modality, int(number)) for dataset, modality, number in (each.split(".") for each in SOME)]


def post(
    explored: Explored, body: bytes, headers: Mapping[str, str] | None = None, query: str = "format=csv"
) -> Answer:
    """Send as a script of the page does, unless headers say otherwise."""
    server = explored.server
    own = {"Cookie": server.cookie, "Origin": f"http://{server.host}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(server.host, timeout=60)
    try:
        sent = {name: value for name, value in {**own, **(headers or {})}.items() if value}
        connection.request("POST", f"/api/export?{query}", body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def rows_of(answer: Answer) -> list[tuple[Any, ...]]:
    """The rows of an exported file, read by DuckDB."""
    assert answer.status == 200
    if answer.headers["content-type"].startswith("text/csv"):
        frame = pl.read_csv(answer.body)
    else:
        frame = pl.read_parquet(io.BytesIO(answer.body))
        assert frame.schema == {"dataset": pl.String, "modality": pl.String, "id": pl.Int32}
    assert frame.columns == ["dataset", "modality", "id"]
    return frame.rows()


def test_the_address_is_the_basket(explored: Explored) -> None:
    query = urlencode({"items": ",".join(SOME)})
    shown = explored.server.get(f"/api/basket?{query}").json["items"]
    assert [(each["dataset"], each["modality"], each["id"]) for each in shown] == ROWS
    assert all(each["known"] for each in shown)
    page = Reader(explored.server.get(f"/basket?{query}").text).root
    boxes = page.all("input", name="items")
    assert [each.attributes["value"] for each in boxes] == SOME
    assert all("checked" in each.attributes and each.attributes["form"] == "basket" for each in boxes)
    # As a form sends it, and with repeats.
    repeated = urlencode([("items", each) for each in [*SOME, SOME[0]]])
    assert explored.server.get(f"/api/basket?{repeated}").json["items"] == shown
    empty = explored.server.get("/basket")
    assert (empty.status, explored.server.get("/api/basket").json) == (200, {"items": []})


def test_every_kind_of_page_has_boxes(explored: Explored) -> None:
    for address in ("/", "/triplets", "/report", "/items/100m/text/1", "/items/100m/image/1?like=image", "/eshot/bell"):
        page = Reader(explored.server.get(address).text).root
        boxes = page.all("input", name="items")
        assert boxes, address
        names = [str(each.attributes["value"]) for each in boxes]
        query = urlencode({"items": ",".join(names)})
        known = explored.server.get(f"/api/basket?{query}").json["items"]
        assert [f"{each['dataset']}.{each['modality']}.{each['id']}" for each in known] == list(dict.fromkeys(names))
        assert page.one("form", id="basket").attributes["action"] == "/basket"


def test_export(explored: Explored) -> None:
    page = Reader(explored.server.get(f"/basket?{urlencode({'items': ','.join(SOME)})}").text).root
    links = [str(each.attributes["href"]) for each in page.all("a")]
    links = [link for link in links if link.startswith("/api/export")]
    assert len(links) == 2
    body = json.dumps({"items": SOME}).encode()
    for link, kind in zip(links, ("csv", "parquet"), strict=True):
        answer = explored.server.get(link)
        assert answer.headers["content-disposition"] == f'attachment; filename="basket.{kind}"'
        assert rows_of(answer) == ROWS
        assert rows_of(post(explored, body, query=f"format={kind}")) == ROWS


def test_2000_items_fit_an_address(explored: Explored) -> None:
    ids = [number for (number,) in explored.sql("SELECT encord_image_id FROM e_mm1_100m.image ORDER BY 1")]
    texts = [number for (number,) in explored.sql("SELECT encord_text_id FROM e_mm1_100m.text ORDER BY 1")]
    named = [f"100m.image.{each}" for each in ids] + [f"100m.text.{each}" for each in texts]
    assert len(named) > 1000
    answer = explored.server.get(f"/api/export?format=csv&items={','.join(named[:2000])}")
    assert len(rows_of(answer)) == min(2000, len(named))
    longest = [f"eshot.points.{2147483647 - each}" for each in range(2001)]
    assert len(explored.server.get(f"/api/basket?items={','.join(longest[:2000])}").json["items"]) == 2000
    answer = explored.server.get(f"/api/basket?items={','.join(longest)}")
    assert (answer.status, answer.json["error"]) == (400, "items: at most 2,000.")
    many = json.dumps({"items": named * 2}).encode()
    assert len(rows_of(post(explored, many))) == len(named)


@pytest.mark.parametrize(
    "named",
    [
        "100m.image",
        "100m.image.",
        "100m.image.-1",
        "100m.image.1.2",
        "100m.image.2147483648",
        "100m.image.\u0661",
        "eshot.text.1",
        "main.flags.1",
        "100m.groups.1",
        "../../etc/passwd",
        "100m.image.1'; DROP TABLE flags; --",
        "<script>alert(1)</script>",
    ],
)
def test_names_that_are_none(explored: Explored, named: str) -> None:
    for address in ("/api/basket?", "/api/export?format=csv&", "/basket?"):
        answer = explored.server.get(f"{address}{urlencode({'items': named})}")
        assert answer.status == 400
        assert "<script>" not in answer.text or address != "/basket?"
    assert post(explored, json.dumps({"items": [named]}).encode()).status == 400


def test_items_that_the_store_does_not_have(explored: Explored) -> None:
    shown = explored.server.get("/api/basket?items=100m.image.2000000000").json["items"]
    assert [each["known"] for each in shown] == [False]
    answer = explored.server.get("/api/export?format=csv&items=100m.image.1,100m.image.2000000000")
    reason = "the store has no image 2000000000 of 100m: take it out of the basket"
    assert (answer.status, answer.json["error"]) == (400, reason)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Cookie": ""}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
def test_only_pages_of_this_server_send_items(explored: Explored, headers: dict[str, str], status: int) -> None:
    assert post(explored, b'{"items": ["100m.image.1"]}', headers).status == status
    if "Origin" in headers:  # not even with the token in the address
        query = f"format=csv&token={explored.server.token}"
        assert post(explored, b'{"items": ["100m.image.1"]}', headers, query).status == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"items": 7}', 400),
        (b'{"items": [7]}', 400),
        (b'{"items": [["100m.image.1"]]}', 400),
        (b'{"items": {"100m.image.1": 1}}', 200),
        (b"[" * 100_000, 400),
        (b'{"items": ["' + b"9" * 4_000_000 + b'"]}', 413),
        (b"\xff", 400),
    ],
)
def test_odd_bodies(explored: Explored, body: bytes, status: int) -> None:
    assert post(explored, body).status == status
    assert explored.server.get("/api/store").status == 200


def test_odd_formats(explored: Explored) -> None:
    for query in ("", "format=", "format=exe", "format=csv%00"):
        assert explored.server.get(f"/api/export?items=100m.image.1&{query}").status == 400
        assert post(explored, b'{"items": ["100m.image.1"]}', query=query).status == 400


def test_what_is_copied_finds_the_basket(explored: Explored, tmp_path: Path) -> None:
    page = Reader(explored.server.get(f"/basket?items={','.join(SOME)}").text).root
    statement, program = (each.one("pre").text for each in page.one("aside").all("copy-text"))
    with duckdb.connect(str(explored.store), read_only=True) as connection:
        found = connection.sql(statement).project("dataset, modality::VARCHAR, id").fetchall()
    assert sorted(found) == sorted(ROWS)
    (tmp_path / "copied.py").write_text(
        f"{program}\nprint(len(rows.fetchall()), sorted(rows.select('id').fetchall()))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "copied.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"5 {sorted((number,) for *_, number in ROWS)}"


@pytest.fixture
def own(tree: Path, tmp_path: Path) -> Path:
    path = tmp_path / "o'wn.duckdb"
    emm1.build(tree, path).close()
    return path


def flags(store: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(
            "SELECT dataset, modality::VARCHAR, id, flag, detail, source FROM flags ORDER BY ALL"
        ).fetchall()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_basket_becomes_flags(explored: Explored, own: Path, tmp_path: Path, tree: Path, kind: str) -> None:
    answer = explored.server.get(f"/api/export?format={kind}&items={','.join(SOME)}")
    file = tmp_path / f"basket.{kind}"
    file.write_bytes(answer.body)
    done = emm1_cli("flags", "add", own, file, "--flag", "blurred", "--detail", "it's \\ “so”")
    assert (done.returncode, done.stdout) == (0, f"{own}: 5 items flagged blurred\n")
    expected: list[tuple[Any, ...]] = sorted((*row, "blurred", "it's \\ “so”", "basket") for row in ROWS)
    assert flags(own) == expected
    # Again, with another detail: replaced. Another flag and another source: beside it.
    with emm1.open(own) as store:
        assert store.add_flags(file, "blurred") == 5
        assert store.add_flags(pl.read_csv(file) if kind == "csv" else file, "dark", source="me") == 5
        assert (
            store.add_flags({"dataset": ["100m"] * 2, "modality": ["image"] * 2, "id": [5, 5]}, "dark", detail="x") == 1
        )
    expected = [(*row, "blurred", None, "basket") for row in ROWS] + [(*row, "dark", None, "me") for row in ROWS]
    assert sorted(flags(own), key=str) == sorted([*expected, ("100m", "image", 5, "dark", "x", "basket")], key=str)
    before = flags(own)
    emm1.build(tree, own, force=True).close()
    assert flags(own) == before


def test_the_page_says_how(explored: Explored) -> None:
    page = Reader(explored.server.get(f"/basket?items={SOME[0]}").text).root
    (command,) = page.one("main").all("pre")
    assert command.text == f"emm1 flags add {explored.store} basket.csv --flag NAME"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset,modality,id\n100m,image,1\n100m,image,2000000000\n1m,audio,1999999999\n", "image 2000000000 of 100m (row 2), audio 1999999999 of 1m (row 3): no item was flagged"),
        ("dataset,modality,id\n100m,image,x\n", "'x', in row 1 of the column id, is not an integer"),
        ("dataset,modality,id\n100m,image,1\n100m,image,\n", "the value in row 2 of the column id is missing"),
        ("dataset,modality,id\n100m,image,3000000000\n", "image 3000000000 of 100m (row 1)"),
        ("dataset,modality,id\n100m,image,1\n9m,image,1\n", "row 2 is of the dataset '9m' and the modality 'image', which there is not"),
        ("dataset,modality,id\neshot,text,1\n", "row 1 is of the dataset 'eshot' and the modality 'text'"),
        ("dataset,id\n100m,1\n", "no column modality; the columns are dataset, id"),
        ("dataset,modality,id\n", "there are no items to flag"),
    ],
)  # fmt: skip
def test_items_that_cannot_be_flagged(own: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "items.csv").write_text(content)
    done = emm1_cli("flags", "add", own, tmp_path / "items.csv", "--flag", "blurred")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert flags(own) == []


@pytest.mark.parametrize("name", ["", "Blurred", "1st", "a b", "a'; DROP TABLE flags; --", "a\n", "é", "a" * 41])
def test_flags_that_are_no_names(own: Path, name: str) -> None:
    items = {"dataset": ["100m"], "modality": ["image"], "id": [1]}
    with emm1.open(own) as store:
        for words in ({"flag": name}, {"flag": "seen", "source": name}):
            with pytest.raises(emm1.StoreError, match="is no name of one: up to 40 of a-z"):
                store.add_flags(items, **words)
        with pytest.raises(emm1.StoreError, match="detail must be a text"):
            store.add_flags(items, "seen", detail="a\0b")
    assert flags(own) == []


def test_a_store_for_reading_only(own: Path) -> None:
    with (
        emm1.open(own, read_only=True) as store,
        pytest.raises(emm1.StoreError, match="is open for reading only: open it for writing to flag items"),
    ):
        store.add_flags({"dataset": ["100m"], "modality": ["image"], "id": [1]}, "seen")


def test_every_kind_of_item_can_be_flagged(own: Path) -> None:
    kinds = [(dataset, modality) for dataset in SPLITS for modality in MODALITIES_OF[dataset]]
    with emm1.open(own) as store:
        ids = [
            store.sql(f"SELECT min(id) FROM assets WHERE dataset = '{dataset}' AND modality = '{modality}'").fetchall()[
                0
            ][0]
            for dataset, modality in kinds
        ]
        rows = [(*kind, number) for kind, number in zip(kinds, ids, strict=True)]
        assert store.add_flags(pl.DataFrame(rows, ["dataset", "modality", "id"], orient="row"), "seen") == len(kinds)
    assert [row[:3] for row in flags(own)] == sorted(rows)
