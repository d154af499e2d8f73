"""What a split must be, in sets of plain Python: for a small store, which texts and files are held out, and what is left."""

import hashlib
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb

import emm1
from emm1.curation.split_report import SplitReport

FILES = ("video", "audio", "image", "points")
Row = tuple[str, int | None, list[tuple[str, int | None]]]

# A training group or triplet, as docs/guide/splits.md selects it.
TRAINING = {
    "100m": "SELECT * FROM e_mm1_100m.groups AS g "
    + " ".join(
        f"ANTI JOIN (FROM splits WHERE dataset = '100m' AND modality = '{m}' AND split <> 'train') AS {m} "
        f"ON {m}.id = g.encord_{m}_id"
        for m in ("text", *FILES)
    ),
    "1m": "SELECT * FROM e_mm1_1m.triplets AS t "
    "ANTI JOIN (FROM splits WHERE dataset = '1m' AND modality = 'text' AND split <> 'train') AS c ON c.id = t.encord_text_id "
    "ANTI JOIN (FROM splits WHERE dataset = '1m' AND split <> 'train') AS p ON p.modality = t.paired_modality AND p.id = t.encord_paired_id "
    "ANTI JOIN (FROM splits WHERE dataset = '1m' AND split <> 'train') AS a ON a.modality = t.annotated_modality AND a.id = t.encord_annotated_id",
}


def words(caption: str) -> str:
    """The normalised text of a caption, a character at a time."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", caption).casefold())
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


class Content:
    """The rows of a store."""

    def __init__(self, store: Path) -> None:
        with duckdb.connect(str(store), read_only=True) as connection:

            def ask(query: str) -> list[Any]:
                return connection.execute(query).fetchall()

            self.captions: dict[tuple[str, int], str | None] = {
                (dataset, i): text
                for dataset in ("100m", "1m")
                for i, text in ask(f"SELECT encord_text_id, caption FROM e_mm1_{dataset}.text")
            }
            self.files: dict[tuple[str, str, int], Any] = {
                (dataset, modality, i): self._file(dataset, modality, i, folder, name)
                for dataset, modality, i, folder, name in ask(
                    "SELECT dataset, modality, id, save_folder, file_name FROM assets WHERE modality <> 'text'"
                )
            }
            columns = ", ".join(f"encord_{m}_id" for m in FILES)
            self.rows: list[Row] = [
                ("100m", text, list(zip(FILES, ids, strict=True)))
                for text, *ids in ask(f"SELECT encord_text_id, {columns} FROM e_mm1_100m.groups")
            ] + [
                ("1m", text, [(paired, a), (annotated, b)])
                for text, paired, annotated, a, b, _ in ask("FROM e_mm1_1m.triplets")
            ]
            self.splits = {(dataset, modality, i): split for dataset, modality, i, split in ask("FROM splits")}
            self.entries = ask("SELECT count(*) FROM splits")[0][0]
            self.training = {dataset: len(ask(query)) for dataset, query in TRAINING.items()}

    @staticmethod
    def _file(dataset: str, modality: str, i: int, folder: str | None, name: str | None) -> Any:
        if not name:
            return (dataset, modality, i)
        kind = "clip" if modality in ("audio", "video") else modality
        return (kind, folder, name) if modality == "image" else (kind, name)

    def text(self, row: Row) -> Any:
        """What a row says: its text, or the caption itself if that has none."""
        dataset, i, _ = row
        caption = None if i is None else self.captions.get((dataset, i))
        return (dataset, i) if caption is None else words(caption)

    def files_of(self, row: Row) -> set[Any]:
        """The files that a row brings together."""
        dataset, _, items = row
        return {self.files.get((dataset, m, i), (dataset, m, i)) for m, i in items if i is not None}

    def counted(self) -> set[str]:
        """The texts of which some are chosen: those of the groups, or else those of the triplets."""
        groups, triplets = (
            {text for row in self.rows if row[0] == dataset and isinstance(text := self.text(row), str)}
            for dataset in ("100m", "1m")
        )
        return groups or triplets

    def labels(self) -> tuple[dict[Any, set[str]], dict[Any, set[str]]]:
        """The labels of each text and of each file, under all ids."""
        texts, files = defaultdict(set), defaultdict(set)
        for (dataset, modality, i), split in self.splits.items():
            if modality == "text":
                texts[self.text((dataset, i, []))].add(split)
            else:
                files[self.files.get((dataset, modality, i), (dataset, modality, i))].add(split)
        return texts, files


def check(store: Path, report: SplitReport, test: int, validation: int, seed: int) -> None:
    content = Content(store)
    texts, files = content.labels()
    assert content.entries == len(content.splits)
    assert all(len(found) == 1 for found in (*texts.values(), *files.values()))
    label = {text: found.pop() for text, found in texts.items()}
    check_choice(content, label, report.by, {"test": test, "validation": validation}, seed)
    row_label = [label.get(content.text(row), "train") for row in content.rows]
    held_out = [row for row, name in zip(content.rows, row_label, strict=True) if name in ("test", "validation")]
    touched = {file for row in held_out for file in content.files_of(row)}
    touched |= {file for (dataset, *_), file in content.files.items() if dataset == "eshot"}
    chosen = {text for text, name in label.items() if name in ("test", "validation")}
    training = [row for row in content.rows if content.text(row) not in chosen and not content.files_of(row) & touched]
    # What the documented query finds is that, and so it has no text, file or id of what is held out.
    for dataset, found in content.training.items():
        assert found == sum(row[0] == dataset for row in training)
    ids = {(row[0], *item) for row in held_out for item in row[2] if item[1] is not None}
    assert not ids & {(row[0], *item) for row in training for item in row[2]}
    check_purged(content, label, {file: found.pop() for file, found in files.items()}, touched, training)
    check_report(content, report, row_label)


def check_choice(content: Content, label: dict[Any, str], by: str, wanted: dict[str, int], seed: int) -> None:
    """There are as many texts as asked for, and if single texts are chosen, they are the first and the last by their hash."""
    counted = content.counted()
    for name, number in wanted.items():
        assert sum(label[text] == name for text in counted) == number
    if by == "caption":
        ordered = sorted(counted, key=lambda text: hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()[:16])
        assert {text for text in counted if label[text] == "test"} == set(ordered[: wanted["test"]])
        first = len(ordered) - wanted["validation"]
        assert {text for text in counted if label[text] == "validation"} == set(ordered[first:])


def check_purged(
    content: Content, label: dict[Any, str], file_label: dict[Any, str], touched: set[Any], training: list[Row]
) -> None:
    """The rest of training is purged only if it has rows and none of them is left."""
    left, there = ({content.text(row) for row in rows} for rows in (training, content.rows))
    for text, name in label.items():
        if name not in ("test", "validation"):
            assert name == ("purged" if text in there - left else "train")
    left, there = ({file for row in rows for file in content.files_of(row)} for rows in (training, content.rows))
    for file, name in file_label.items():
        if file in touched:
            assert name in ("test", "validation")
        else:
            assert name == ("purged" if file in there - left else "train")


def check_report(content: Content, report: SplitReport, row_label: list[str]) -> None:
    counts = {(dataset, what): numbers for dataset, what, *numbers in report.to_frame().rows()}
    for dataset, what in (("100m", "groups"), ("1m", "triplets")):
        of = [name for row, name in zip(content.rows, row_label, strict=True) if row[0] == dataset]
        if of:
            train, validation, test = content.training[dataset], of.count("validation"), of.count("test")
            assert counts.pop((dataset, what)) == [train, validation, test, len(of) - train - validation - test]
    for (dataset, modality), numbers in counts.items():
        have = [name for (d, m, _), name in content.splits.items() if (d, m) == (dataset, modality)]
        assert numbers == [have.count(name) for name in ("train", "validation", "test", "purged")]


def fill(connection: duckdb.DuckDBPyConnection, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    """Replace the rows of a store's tables."""
    named = {f"e_mm1_{dataset}.{m}" for dataset in ("100m", "1m") for m in ("text", *FILES)}
    for table in named | {"eshot.audio", "eshot.points", "eshot.categories", "e_mm1_100m.groups", "e_mm1_1m.triplets"}:
        connection.execute(f"DELETE FROM {table}")
        name = table.partition(".")[2]
        key = {"eshot.audio": "eshot_audio_id", "eshot.points": "eshot_point_id"}.get(table, f"encord_{name}_id")
        columns = f"({key}, caption)" if name == "text" else f"({key}, save_folder, file_name)"
        if name in ("groups", "triplets"):
            columns = ""
        if rows := tables.get(table):
            values = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
            connection.execute(
                f"INSERT INTO {table}{columns} VALUES {values}", [value for row in rows for value in row]
            )
    connection.execute("CHECKPOINT")


def split(store: Path, *arguments: int, **options: Any) -> SplitReport:
    with emm1.open(store) as opened:
        return opened.split(*arguments, **options)


def rows_of(store: Path) -> list[Any]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute("FROM splits ORDER BY ALL").fetchall()
