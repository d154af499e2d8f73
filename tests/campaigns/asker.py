"""A process of the chaos campaign: searches a file until told to stop, and logs each answer with its time."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
from moving import NAME, QUESTIONS, THRESHOLDS, Question, SharedLock, digest, queries

import emm1

VECTORS = queries()


class Fresh:
    """Opens the file for every question."""

    since = float("inf")
    """When the open file was opened, if it is kept open."""
    coded = False
    """Whether the last answer used codes, if that can be observed."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path, self.dice = path, dice

    def ask(self, asked: Question) -> str:
        """A digest of the answer."""
        return self.answer(emm1.Embeddings(self.path), asked)

    def answer(self, e: emm1.Embeddings, asked: Question) -> str:
        """A digest of the answer of an open file."""
        self.coded = e.codes_path is not None
        threads = self.dice.choice((1, 2))
        if asked.k:
            hits = e.search(VECTORS[list(asked.numbers)], asked.k, asked.metric, asked.ids, threads)
            return digest(list(zip(hits.ids, hits.scores, strict=True)))
        hits = e.within(VECTORS[asked.numbers[0]], THRESHOLDS[asked.metric], asked.metric, threads=threads)
        return digest([(hits.ids, hits.scores)])


class Kept(Fresh):
    """Keeps the file open for some questions, and opens it again after an error."""

    remaining = 0
    embeddings: emm1.Embeddings | None = None

    def ask(self, asked: Question) -> str:
        """A digest of the answer, from the file that is open or from a newly opened one."""
        remaining, self.remaining = self.remaining, 0  # stays 0 after an error
        if self.embeddings is None or not remaining:
            self.embeddings = None
            self.since, remaining = time.monotonic(), self.dice.randint(1, 60)
            self.embeddings = emm1.Embeddings(self.path)
        answer = self.answer(self.embeddings, asked)
        self.remaining = remaining - 1
        return answer


class Codes(Fresh):
    """Sometimes builds codes, and searches with them."""

    def ask(self, asked: Question) -> str:
        """A digest of the answer."""
        e = emm1.Embeddings(self.path)
        if self.dice.random() < 0.3 and e.why_no_codes is None:
            e.build_codes(threads=self.dice.choice((1, 2)))
        return self.answer(e, asked)


class SQL(Fresh):
    """Asks the extension, which decides itself how long files stay open."""

    CALLS = (
        "emm1_within($file, q::FLOAT[], $threshold::DOUBLE, $metric)",
        "emm1_topk($file, q::FLOAT[], $k, $metric)",
        "emm1_topk_among($file, q::FLOAT[], $ids::BIGINT[], $k, $metric)",
    )

    def __init__(self, path: Path, dice: random.Random) -> None:
        super().__init__(path, dice)
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": True, "threads": 2})
        emm1.load_extension(self.connection)

    def ask(self, asked: Question) -> str:
        """A digest of the answer to a statement with one row per query."""
        call = self.CALLS[2 if asked.among else 1 if asked.k else 0]
        known = {
            "file": str(self.path),
            "threshold": THRESHOLDS[asked.metric],
            "metric": asked.metric,
            "ids": asked.ids,
            "k": asked.k,
            "q": VECTORS[list(asked.numbers)].tolist(),
        }
        text = f"SELECT {call} FROM (SELECT unnest($q) AS q, unnest(range(len($q))) AS n) ORDER BY n"
        used = {name: value for name, value in known.items() if f"${name}" in text}
        rows = self.connection.execute(text, used).fetchall()
        return digest([([hit["id"] for hit in row], [hit["score"] for hit in row]) for (row,) in rows])


WAYS: dict[str, type[Fresh]] = {way.__name__: way for way in (Fresh, Kept, Codes, SQL)}


def main() -> None:
    """Ask questions until a file called `stop` exists."""
    way, folder, number = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    dice, lock = random.Random(f"{way} {number}"), SharedLock(folder)
    asker = WAYS[way](folder / NAME, dice)
    with (folder / f"{way}-{number}.answers").open("w") as log:
        while not (folder / "stop").exists():
            question = dice.randrange(len(QUESTIONS))
            line: dict[str, Any] = {"question": question}
            with lock.held():
                began = time.monotonic()
                try:
                    line["answer"] = asker.ask(QUESTIONS[question])
                except (duckdb.InternalException, duckdb.FatalException):
                    raise
                except (emm1.Error, duckdb.Error) as error:
                    line["error"] = str(error)
                line |= {"since": min(began, asker.since), "until": time.monotonic(), "coded": asker.coded}
            log.write(json.dumps(line) + "\n")
            time.sleep(dice.choice((0, 0, 0.002)))


if __name__ == "__main__":
    main()
