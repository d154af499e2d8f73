"""Splits do not leak, are the same for the same arguments, and what is impossible is refused."""

import shutil
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaks import Content, check, fill, rows_of, split, words
from system import emm1_cli

import emm1
from emm1.curation.captions import key_of, normalised


@given(st.text())
def test_captions_are_normalised_alike(text: str) -> None:
    assert normalised(text) == words(text)
    assert normalised(normalised(text)) == normalised(text)


def test_what_counts_as_the_same_text() -> None:
    same = [
        ["a dog", "A DOG!", "Ａ　ｄｏｇ", " a\t\n dog..."],
        ["ﬁsh", "FISH"],
        ["straße", "STRASSE"],
        ["é", "e\u0301", "É"],
    ]
    for texts in same:
        assert len({normalised(text) for text in texts}) == 1
    assert normalised("नि") != normalised("न")
    assert key_of("a dog", 0) == 0xDA2E7E568E8135E1


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


def test_the_sample(store: Path) -> None:
    report = split(store, 20, 10, seed=5)
    check(store, report, 20, 10, 5)
    assert "by caption, seed 5: 20 texts for test and 10 for validation" in str(report)
    assert report.replaced == 0
    before = rows_of(store)
    with emm1.open(store) as opened:
        (numbers,) = opened.sql(
            "SELECT count(DISTINCT split), count(*), (SELECT count(*) FROM assets) FROM splits"
        ).fetchall()
    assert numbers[0] == 4
    assert numbers[1] == numbers[2]  # every item has a row
    again = split(store, 20, 10, seed=5)
    assert (rows_of(store), again.replaced) == (before, len(before))
    assert f"replaced: {len(before):,} rows" in str(again)
    split(store, 20, 10, seed=6)
    assert rows_of(store) != before


def texts(store: Path, label: str) -> set[str]:
    content = Content(store)
    found, _ = content.labels()
    return {text for text in content.counted() if label in found[text]}


def test_test_and_validation_do_not_move_each_other(store: Path) -> None:
    split(store, 20, 10)
    test, validation = texts(store, "test"), texts(store, "validation")
    split(store, 30, 10)
    assert test < texts(store, "test")
    assert texts(store, "validation") == validation
    split(store, 20, 15)
    assert texts(store, "test") == test
    assert validation < texts(store, "validation")


def test_a_new_caption_displaces_at_most_one(store: Path) -> None:
    split(store, 20, 10)
    before = texts(store, "test"), texts(store, "validation")
    execute(store, "INSERT INTO e_mm1_100m.text(encord_text_id, caption) VALUES (-5, 'something else')")
    execute(
        store, "INSERT INTO e_mm1_100m.groups SELECT * REPLACE (-5 AS encord_text_id) FROM e_mm1_100m.groups LIMIT 1"
    )
    split(store, 20, 10)
    after = texts(store, "test"), texts(store, "validation")
    assert all(len(old - new) <= 1 for old, new in zip(before, after, strict=True))


def test_a_file_of_both_datasets_is_in_one_split(store: Path) -> None:
    """What the test of 100m touches is in no training of 1m either."""
    split(store, 20, 10)
    with duckdb.connect(str(store), read_only=True) as connection:
        found = connection.execute(
            "SELECT count(*), count(*) FILTER (a.split <> b.split), count(*) FILTER (a.split = 'test') FROM same_files f "
            "JOIN splits a ON a.dataset = '100m' AND a.modality = f.modality AND a.id = f.id_100m "
            "JOIN splits b ON b.dataset = '1m' AND b.modality = f.modality AND b.id = f.id_1m"
        ).fetchall()
    assert found[0][0] > found[0][2] > 0
    assert found[0][1] == 0


def test_a_store_without_groups_is_split_by_its_triplets(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "emm1.duckdb"
    with emm1.build(tree, path, splits=["1m", "eshot"]) as store:
        report = store.split(5, 5)
        assert report.dataset == "1m"
        assert store.connection.execute("SELECT DISTINCT dataset FROM splits ORDER BY ALL").fetchall() == [
            ("1m",),
            ("eshot",),
        ]
    check(path, report, 5, 5, 0)


WRONG = {
    "nothing": ((0, 0), {}, "both 0"),
    "negative": ((-1, 5), {}, "test must be a whole number of at least 0, not -1"),
    "a fraction": ((5, 1.5), {}, "validation must be a whole number of at least 0, not 1.5"),
    "a bool": ((True, 5), {}, "test must be a whole number"),
    "text": (("5", 5), {}, "test must be a whole number of at least 0, not '5'"),
    "a negative seed": ((5, 5), {"seed": -1}, "seed must be a whole number of at least 0"),
    "another way": ((5, 5), {"by": "file"}, "unknown way to split 'file': caption, connected"),
    "too many": ((10**9, 5), {}, "different texts, of which 1,000,000,000 for test and 5 for validation leave none"),
    "connected": ((5, 5), {"by": "connected"}, "the largest component has .* and must stay whole.*by='caption'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused_changes_nothing(case: str, store: Path) -> None:
    split(store, 3, 3)
    before = rows_of(store)
    counts, options, message = WRONG[case]
    with pytest.raises(emm1.StoreError, match=message):
        split(store, *counts, **options)  # type: ignore[arg-type]
    assert rows_of(store) == before


def test_components_that_do_not_add_up(store: Path) -> None:
    with duckdb.connect(str(store)) as connection:
        fill(
            connection,
            {
                "e_mm1_100m.text": [(i, f"text {i}") for i in range(7)],
                "e_mm1_100m.groups": [(i, None, None, i // 2, None, 1) for i in range(7)],
            },
        )
        connection.execute("UPDATE e_mm1_100m.groups SET encord_image_id = 0 WHERE encord_text_id = 6")
    # Components of 3, 2 and 2 texts: those of 2 can be chosen.
    with pytest.raises(
        emm1.StoreError, match="test cannot have 3 texts: ask for 2, or choose single texts: by='caption'"
    ):
        split(store, 3, 0, by="connected")
    assert rows_of(store) == []
    report = split(store, 2, 2, by="connected")
    assert (report.largest is not None and report.largest.components, report.shared) == (3, 0)
    assert "components: 3; the largest has 3 texts and stays in training" in str(report)


def test_all_or_nothing(store: Path) -> None:
    split(store, 3, 3)
    before = rows_of(store)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with emm1.open(store) as opened:
        with pytest.raises(KeyboardInterrupt):
            opened.split(5, 5, progress=interrupted)
        assert opened.sql("FROM splits ORDER BY ALL").fetchall() == before
        assert opened.split(5, 5).replaced == len(before)


def test_a_store_for_reading(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened, pytest.raises(emm1.StoreError, match="open for reading only"):
        opened.split(5, 5)


def test_only_eshot(tree: Path, tmp_path: Path) -> None:
    with emm1.build(tree, tmp_path / "emm1.duckdb", splits=["eshot"]) as store:
        with pytest.raises(emm1.StoreError, match="neither groups nor triplets"):
            store.split(5, 5)
        assert store.sql("FROM splits").fetchall() == []


def test_the_command(store: Path) -> None:
    done = emm1_cli("split", store, "--test", 20, "--validation", 10, "--seed", 5)
    report = split(store, 20, 10, seed=5)
    table = [
        "\t".join(map(str, row)) for row in [("dataset", "what", "train", "validation", "test", "purged"), *report.rows]
    ]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [report.summary, "", *table]
    done = emm1_cli("split", store, "--test", 20, "--validation", 10, "--seed", 5, "--format", "csv")
    assert done.stdout.splitlines() == [row.replace("\t", ",") for row in table]
    assert "note: the split of before was replaced" in done.stderr
    for arguments, status, said in (
        (["--test", -1], 2, "--test"),
        (["--by", "file"], 2, "--by"),
        ([], 1, "both 0"),
        (["--test", 5, "--by", "connected"], 1, "choose single texts: --by caption"),
    ):
        done = emm1_cli("split", store, *arguments)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (status, True, False), done.stderr


def execute(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
