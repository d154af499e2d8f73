"""Splits of random stores do not leak: compared with sets in plain Python."""

import shutil
from pathlib import Path
from random import Random
from typing import Any, Literal

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from leaks import FILES, Content, check, fill, rows_of, split

import emm1

By = Literal["caption", "connected"]
FOLDERS = {"100m": ["e-mm1_100m_only", "shared"], "1m": ["e-mm1_1m_only", "shared"], "eshot": ["eshot"]}

WORDS = [
    "a dog",
    "A DOG!",
    "Ａ　ｄｏｇ",
    "ﬁsh",
    "FISH",
    "fi-sh",
    "straße",
    "STRASSE",
    "",
    "?",
    "犬",
    "犬。",
    "é",
    "e\u0301",
    "x_y",
    "x y",
    "नि",
    "न",
]
NAMES = [None, "", "a.mp4", "b.mp4", "c.npy", "d.jpg", "e.jpg"]


def contents(seed: int, captions: int, items: int, rows: int) -> dict[str, list[tuple[Any, ...]]]:
    """Rows for each table of a random store.

    Args:
        seed: of the random choices.
        captions: how many captions each dataset has.
        items: how many items of each modality.
        rows: how many groups; there are half as many triplets.
    """
    random = Random(seed)  # noqa: S311 - no secret
    wide = random.random() < 0.3  # ids that an array cannot hold

    def ids(count: int) -> list[int]:
        chosen = random.sample(range(3 * count), count)
        return [*chosen[: count - 2], -(2**31), 2**31 - 1] if wide and count > 1 else chosen

    def one(known: list[int]) -> int | None:
        """Mostly a known id; or none, or one without an info row."""
        return random.choice(known) if known and random.random() < 0.9 else random.choice([None, None, -7, 10**6])

    tables: dict[str, list[tuple[Any, ...]]] = {}
    known: dict[tuple[str, str], list[int]] = {}
    for dataset in ("100m", "1m"):
        of_text = known[dataset, "text"] = ids(captions)
        texts = [*WORDS, None, *(f"text {i}" for i in range(captions))]
        tables[f"e_mm1_{dataset}.text"] = [(i, random.choice(texts)) for i in of_text]
        for modality in FILES:
            of_files = known[dataset, modality] = ids(items)
            names = [*NAMES, *(f"{modality} {i}" for i in range(2 * items))]
            tables[f"e_mm1_{dataset}.{modality}"] = [
                (i, random.choice(FOLDERS[dataset]), random.choice(names)) for i in of_files
            ]
    for modality in ("audio", "points"):
        tables[f"eshot.{modality}"] = [(i, "eshot", random.choice([*NAMES, f"{modality} 0"])) for i in range(2)]
    order = ("text", "video", "audio", "image", "points")
    tables["e_mm1_100m.groups"] = [
        (*(one(known["100m", m]) for m in order), random.randint(1, 16)) for _ in range(rows)
    ]
    kinds = [random.choices(FILES, k=2) for _ in range(rows // 2)]
    tables["e_mm1_1m.triplets"] = [
        (one(known["1m", "text"]), a, b, one(known["1m", a]), one(known["1m", b]), random.randint(1, 3))
        for a, b in kinds
    ]
    return tables


@pytest.fixture(scope="module")
def empty(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without rows."""
    store = Path(shutil.copy(store_path, tmp_path_factory.mktemp("empty") / "emm1.duckdb"))
    with duckdb.connect(str(store)) as connection:
        fill(connection, {})
    return store


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tables=st.builds(
        contents, st.integers(0, 2**32), st.integers(6, 30), st.sampled_from([0, 3, 60, 300]), st.integers(8, 40)
    ),
    test=st.integers(1, 3),
    validation=st.integers(0, 3),
    by=st.sampled_from(["caption", "connected"]),
    seed=st.integers(0, 3),
)
def test_random_stores(
    empty: Path, tmp_path: Path, tables: dict[str, Any], test: int, validation: int, by: By, seed: int
) -> None:
    store = Path(shutil.copy(empty, tmp_path / "emm1.duckdb"))
    with duckdb.connect(str(store)) as connection:
        fill(connection, tables)
    try:
        report = split(store, test, validation, by=by, seed=seed)
    except emm1.StoreError as error:
        event("refused")
        refused(store, str(error), test, validation, by)
        return
    event(f"{by}, {'nothing' if not report.to_frame()['purged'].sum() else 'something'} purged")
    check(store, report, test, validation, seed)
    if by == "connected":
        check_components(Content(store))
    before = rows_of(store)
    split(store, test, validation, by=by, seed=seed)
    assert rows_of(store) == before


def refused(store: Path, error: str, test: int, validation: int, by: By) -> None:
    """A refusal has a reason."""
    assert rows_of(store) == []
    content = Content(store)
    counted = content.counted()
    if not test + validation:
        assert "both 0" in error
    elif not counted:
        assert "neither groups nor triplets" in error
    elif test + validation >= len(counted):
        assert "leave none for training" in error
    else:
        assert by == "connected"
        sizes = sorted(len(part & counted) for part in components(content))
        assert "the largest component" not in error or sum(sizes[:-1]) < test + validation


def components(content: Content) -> list[set[Any]]:
    """Sets of texts and files that rows connect."""
    parts: list[set[Any]] = []
    for row in content.rows:
        nodes = {("file", file) for file in content.files_of(row)}
        if row[1] is not None:
            nodes.add(content.text(row))
            joined = [part for part in parts if part & nodes]
            parts = [part for part in parts if not part & nodes] + [nodes.union(*joined)]
    return parts


def check_components(content: Content) -> None:
    """A component is in one of training, validation and test, apart from what EShot purges; the largest is in training."""
    texts, _ = content.labels()
    counted = content.counted()
    parts = [part for part in components(content) if part & counted]
    most = max(len(part & counted) for part in parts)
    kinds = []
    for part in parts:
        labels = {label for node in part if node in texts for label in texts[node]}
        assert len(labels) == 1 or labels == {"train", "purged"}
        kinds.append(("train" if labels <= {"train", "purged"} else "other", len(part & counted)))
    assert ("train", most) in kinds
