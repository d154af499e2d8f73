"""Captions are found by their words, as a definition in plain Python finds them; indexes are complete, or as they were."""

import shutil
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matching import Caption, folded, matching
from system import emm1_cli

import emm1

# Few words in many forms, so that captions share them; and what stands between words.
WORDS = [
    "dog",
    "DOG",
    "cat",
    "café",
    "CAFE\u0301",
    "Straße",
    "x1",
    "2",
    "dogs",
    "犬",
    "ひと",
    "ガス",
    "Ελλάς",
    "собака",
    "İ",
]
BETWEEN = [" ", "  ", "-", "'", ", ", "\n", "🎸", "\x00", "\u200b", "_", "%", "\\", "\ufe0f"]
TEXT = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(BETWEEN)), max_size=12).map(
    lambda parts: "".join(word + between for word, between in parts)
)
CAPTIONS = st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=20)
QUERY = st.lists(st.one_of(TEXT, TEXT.map(lambda text: f'"{text}"')), max_size=3).map(" ".join)
# Not the newest, because DuckDB may have tables of an older Unicode than Python.
CHARACTERS = [chr(code) for code in range(0x3100) if unicodedata.ucd_3_2_0.category(chr(code)) != "Cn"]


@pytest.fixture(scope="module")
def bare(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without captions."""
    path = tmp_path_factory.mktemp("bare") / "emm1.duckdb"
    emm1.build(tree, path, splits=["eshot"]).close()
    return path


@pytest.fixture
def empty(bare: Path, tmp_path: Path) -> Iterator[emm1.Store]:
    with emm1.open(shutil.copy(bare, tmp_path / "emm1.duckdb")) as store:
        yield store


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


def fill(store: emm1.Store, captions: list[Caption]) -> None:
    """Give a store these captions, and an index of them."""
    for dataset in ("100m", "1m"):
        table = f"e_mm1_{dataset}.text"
        store.connection.execute(f"DELETE FROM {table}")
        rows = [(number, caption) for of, number, caption in captions if of == dataset]
        if rows:
            store.connection.executemany(f"INSERT INTO {table} (encord_text_id, caption) VALUES (?, ?)", rows)
    store.index_captions()


def of_both(texts: list[str | None]) -> list[Caption]:
    """Captions with ids that both datasets have."""
    return [("1m", at - 2, text) if at % 3 == 2 else ("100m", at, text) for at, text in enumerate(texts)][::-1]


def check(store: emm1.Store, captions: list[Caption], text: str, k: int = 1000) -> int:
    """What is found is what the definition finds: the same captions with the same scores, best first."""
    expected = {(dataset, number): score for dataset, number, score in matching(captions, text)}
    found = store.match_captions(text, k).fetchall()
    assert len(found) == min(k, len(expected)), text
    assert [rank for rank, *_ in found] == [*range(1, len(found) + 1)]
    assert {(dataset, number) for _, dataset, number, *_ in found} <= expected.keys()
    scores = np.array([score for *_, score, _ in found])
    np.testing.assert_allclose(
        scores, [expected[dataset, number] for _, dataset, number, *_ in found], rtol=1e-5, atol=1e-6
    )
    order = [(-score, dataset, number) for _, dataset, number, score, _ in found]
    assert order == sorted(order)
    left = expected.keys() - {(dataset, number) for _, dataset, number, *_ in found}
    assert all(expected[other] <= scores[-1] * (1 + 1e-5) for other in left)
    texts = {(dataset, number): caption for dataset, number, caption in captions}
    assert all(caption == texts[dataset, number] for _, dataset, number, _, caption in found)
    return len(found)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CAPTIONS, st.lists(QUERY, min_size=1, max_size=4), st.integers(1, 5))
def test_any_captions(empty: emm1.Store, texts: list[str | None], queries: list[str], k: int) -> None:
    captions = of_both(texts)
    fill(empty, captions)
    for text in (*queries, *(f'"{text}"' for text in texts[:3] if text)):
        check(empty, captions, text)
        check(empty, captions, text, k)


HIGHS = st.one_of(st.none(), st.floats(-3, 30), st.sampled_from([-1e9, 1e9, 1.0, 2.0, 3.0]))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CAPTIONS, st.lists(QUERY, min_size=1, max_size=2), st.integers(1, 5), st.lists(HIGHS, min_size=4, max_size=4))
def test_whatever_counts_as_high(
    empty: emm1.Store, texts: list[str | None], queries: list[str], k: int, highs: list[float | None]
) -> None:
    """Which captions are looked at first changes nothing: `high` is only where few of the best are missed."""
    captions = of_both(texts)
    fill(empty, captions)
    empty.connection.execute("UPDATE caption_words SET high = $highs[1 + number % 4]", {"highs": highs})
    for text in (*queries, WORDS[0], f"{WORDS[0]} {WORDS[2]}"):
        check(empty, captions, text)
        check(empty, captions, text, k)


MANY = 300_000


@pytest.fixture(scope="module")
def many(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emm1.Store]:
    """A store of captions that share very frequent words: `often` in all of them, `same` always in as many words."""
    path = tmp_path_factory.mktemp("many") / "emm1.duckdb"
    with emm1.build(tree, path, splits=["eshot"]) as store:
        store.connection.execute(
            f"""
            INSERT INTO e_mm1_100m.text (encord_text_id, caption)
            SELECT i, concat_ws(' ', 'often', repeat('x ', (hash(i) % 17)::INTEGER), if(hash(i + 1) % 50 > 0, 'and often', 'same'),
                if(hash(i + 2) % 9 = 0, 'and and', NULL), if(hash(i + 3) % 1000 = 0, 'seldom', NULL))
            FROM range({MANY}) r(i)
            UNION ALL
            SELECT {MANY} + i, 'evenly so' FROM range({MANY}) r(i)
            """
        )
        store.index_captions()
        yield store


@pytest.mark.parametrize(
    "text",
    ["often", "and", "often and", '"and often"', '"often and"', "often and x", "evenly", "evenly so", "often seldom"],
)
def test_words_of_very_many_captions(many: emm1.Store, text: str) -> None:
    """For more than a thousand, all captions are looked at: the first of them are the same."""
    everything = many.match_captions(text, 1001).fetchall()
    assert len(everything) > (200 if "seldom" in text else 1000)
    for k in (1, 20, 999):
        assert many.match_captions(text, k).fetchall() == everything[:k]
    if text == "often and":
        captions = many.sql("SELECT '100m', encord_text_id, caption FROM e_mm1_100m.text").fetchall()
        scores = sorted((score for *_, score in matching(captions, text)), reverse=True)
        np.testing.assert_allclose([score for *_, score, _ in everything], scores[:1001], rtol=1e-5)


def test_which_words_have_a_high_length(many: emm1.Store) -> None:
    rows = many.sql("SELECT word, captions, high IS NULL FROM caption_words").fetchall()
    # Where a word scores the same in all captions, none are high.
    expected = {word: captions < 4 * 65536 or word in {"evenly", "so"} for word, captions, _ in rows}
    assert {word: without for word, _, without in rows} == expected
    assert sum(not without for without in expected.values()) >= 2


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from(CHARACTERS), max_size=30))
def test_words(empty: emm1.Store, text: str) -> None:
    asked = empty.connection.execute("SELECT coalesce(folded_words($text), [])", {"text": text}).fetchall()
    assert asked == [(folded(text),)]


def test_the_sample(store: Path) -> None:
    with emm1.open(store) as opened:
        captions = opened.sql(
            "SELECT '100m', encord_text_id, caption FROM e_mm1_100m.text "
            "UNION ALL SELECT '1m', encord_text_id, caption FROM e_mm1_1m.text"
        ).fetchall()
        assert opened.index_captions() == sum(bool(folded(caption or "")) for *_, caption in captions)
        queries = [
            "dog",
            "a",
            "A DOG",
            "an empty room",
            '"an empty room" dog',
            "CAFÉ owner",
            "猫",
            "12345",
            '"in a" "the street"',
        ]
        counts = {text: check(opened, captions, text) for text in queries}
        assert all(counts[text] for text in queries[:-1])
        check(opened, captions, "a", 7)


# Each with how many of the captions below it finds.
HOSTILE = {
    "": 0,
    '"': 0,
    '""': 0,
    " \t\n": 0,
    "🎸": 0,
    "%": 0,
    "\x00": 0,
    "dog\x00cat": 2,
    "'; DROP TABLE caption_words; --": 0,
    "it's": 1,
    "100%": 1,
    '"dog cat': 1,
    '"dog" cat"': 2,
    'dog "cat" dog': 2,
    "do": 0,
    "d_g": 0,
    "dog dog DOG": 3,
    '"dog dog"': 1,
    "cafe": 2,
    "CAFE\u0301": 2,
    "猫": 1,
    '"的猫"': 1,
    '"猫的"': 0,
    " ".join(f"w{i}" for i in range(10_000)): 0,
    '"' + "dog " * 10_000 + '"': 0,
    "x" * 100_000: 0,
    '"' * 10_001: 0,
}
TEXTS = ["Dog, cat", "cat: a dog", "dog dog it's 100%", "café", "Cafe\u0301 🎸", "我的猫", "\x00", "", None]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:30]))
def test_hostile_words(text: str, empty: emm1.Store) -> None:
    captions: list[Caption] = [("100m", at, caption) for at, caption in enumerate(TEXTS)]
    fill(empty, captions)
    assert check(empty, captions, text) == HOSTILE[text]


def test_long_captions(empty: emm1.Store) -> None:
    captions: list[Caption] = [("100m", 1, "a dog " * 50_000 + "cat"), ("1m", 1, "b " * 70_000), ("1m", 2, "cat")]
    fill(empty, captions)
    for text, count in (("cat", 2), ('"dog cat"', 1), ("dog b", 0), ('"a cat"', 0)):
        assert check(empty, captions, text) == count


def test_ids_of_any_size(empty: emm1.Store) -> None:
    captions: list[Caption] = [("100m", -(2**31), "dog"), ("100m", 2**31 - 1, "dog cat"), ("1m", -1, "dog")]
    fill(empty, captions)
    assert check(empty, captions, "dog") == 3


def test_arguments(empty: emm1.Store) -> None:
    fill(empty, [("100m", at, "dog") for at in range(30)])
    for k in (0, -1, 1.5, None, True):
        with pytest.raises(emm1.EmbeddingError, match="k must be a whole number of at least 1"):
            empty.match_captions("dog", k)  # type: ignore[arg-type]
    with pytest.raises(emm1.StoreError, match="words must be a text, not 7"):
        empty.match_captions(7)  # type: ignore[arg-type]
    with pytest.raises(emm1.StoreError, match="not valid UTF-8"):
        empty.match_captions("\udc80")
    assert [len(empty.match_captions("dog", k)) for k in (1, 29, 31, 2**70)] == [1, 29, 30, 30]
    assert len(empty.match_captions("dog")) == 20
    assert empty.sql("FROM match_captions($words, k := $k)", params={"words": "DOG", "k": 3}).fetchall() == [
        (rank, "100m", rank - 1, pytest.approx(np.log(1 + 0.5 / 30.5)), "dog") for rank in (1, 2, 3)
    ]


def test_without_an_index(empty: emm1.Store) -> None:
    with pytest.raises(emm1.StoreError, match="have no index yet: make it with `emm1 index captions "):
        empty.match_captions("dog")
    assert empty.index_captions() == 0
    assert empty.match_captions("dog").fetchall() == []


def index_of(store: emm1.Store) -> list[object]:
    return [store.connection.execute(f"FROM caption_{name}").fetchall() for name in ("index", "words", "postings")]


def test_an_index_is_complete_or_as_it_was(store: Path) -> None:
    def interrupted(at: str, what: str, *_: object) -> None:
        if what == at:
            raise KeyboardInterrupt

    steps: list[str] = []
    with emm1.open(store) as opened:
        opened.index_captions(progress=lambda what, *_: steps.append(what))
        before, limit = index_of(opened), opened.sql("SELECT current_setting('memory_limit')").fetchall()
        opened.sql("UPDATE e_mm1_1m.text SET caption = 'something else'")
        for at in steps:
            with pytest.raises(KeyboardInterrupt):
                opened.index_captions(progress=partial(interrupted, at))
            assert index_of(opened) == before
        assert opened.sql("SELECT current_setting('memory_limit')").fetchall() == limit
        opened.index_captions()
        assert index_of(opened) != before
        assert len(opened.match_captions('"something else"', 10_000)) == len(opened.connection.table("e_mm1_1m.text"))
        again = index_of(opened)
        opened.index_captions()
        assert index_of(opened) == again
    assert len(steps) == 3


def test_a_store_for_reading(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened, pytest.raises(emm1.StoreError, match="open for reading only"):
        opened.index_captions()
    with emm1.open(store) as opened:
        opened.index_captions()
    with emm1.open(store, read_only=True) as opened:
        assert opened.match_captions("dog", 1).fetchall()


def test_it_needs_no_extension(store: Path) -> None:
    with emm1.open(store) as opened:
        opened.index_captions()
        expected = opened.match_captions('dog "an empty room"').fetchall()
    with duckdb.connect(str(store), read_only=True) as connection:
        assert connection.execute("FROM match_captions('dog \"an empty room\"')").fetchall() == expected
    assert expected


def test_the_commands(store: Path) -> None:
    done = emm1_cli("search", store, "--match", "dog")
    assert (done.returncode, f"make it with `emm1 index captions {store.resolve()}`" in done.stderr) == (1, True), done
    done = emm1_cli("index", "captions", store)
    assert (done.returncode, done.stderr) == (0, "")
    with emm1.open(store) as opened:
        expected = opened.match_captions("A dog", 3).fetchall()
    done = emm1_cli("search", store, "--match", "A dog", "-k", 3, "--format", "csv")
    assert done.stdout.splitlines()[0] == "rank,dataset,id,score,caption"
    assert [line.split(",")[:3] for line in done.stdout.splitlines()[1:]] == [
        [str(rank), dataset, str(number)] for rank, dataset, number, *_ in expected
    ]
    for words, reason in (
        ("dog zebra Yak", "no caption has 'yak', 'zebra'"),
        ('"dog the"', "no caption has all of this"),
    ):
        done = emm1_cli("search", store, "--match", words)
        assert (done.returncode, f"no rows: {reason}" in done.stderr) == (0, True), done


@pytest.mark.parametrize(
    "arguments",
    [
        ["image", "--match", "dog"],
        ["--match", "dog", "--id", 7],
        ["--match", "dog", "--metric", "dot"],
        ["--match", "dog", "--where", "true"],
        ["--id", 7],
        [],
    ],
)
def test_wrong_usage(arguments: list[object], store_path: Path) -> None:
    done = emm1_cli("search", store_path, *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done
