"""Search for words in captions by definition: Python folds them, NumPy scores every caption by BM25."""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1, B = 1.2, 0.75
# The two scripts that are written without spaces and that are split into characters.
ALONE = re.compile(r"CJK |HIRAGANA |HANGZHOU |(VERTICAL )?IDEOGRAPHIC (ITERATION|NUMBER)")

Caption = tuple[str, int, str | None]


def folded(text: str) -> list[str]:
    """The words of a text."""
    plain = "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char)[0] != "M")
    words = [""]
    for char in unicodedata.normalize("NFC", plain):
        if unicodedata.category(char)[0] not in "LN":
            words.append("")
        elif ALONE.match(unicodedata.name(char, "")):
            words += [char, ""]
        else:
            words[-1] += char.lower()
    return [word for word in words if word]


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        words: the different words.
        phrases: words that must follow one another.
    """

    words: frozenset[str]
    phrases: tuple[tuple[str, ...], ...]


def parsed(text: str) -> Query:
    """A query as it is typed: every second part between quotes is a phrase, also one that is not closed."""
    phrases = tuple(tuple(folded(part)) for part in text.split('"')[1::2])
    return Query(frozenset(folded(text)), tuple(phrase for phrase in phrases if phrase))


def matching(captions: list[Caption], text: str) -> list[tuple[str, int, float]]:
    """Dataset, id and score of all captions that have the words and phrases, in no particular order."""
    query = parsed(text)
    documents = [folded(caption or "") for _, _, caption in captions]
    lengths = np.array([len(words) for words in documents if words], np.float64)
    if not query.words or not len(lengths):
        return []
    scores = sum(_scores(documents, word, lengths) for word in query.words)
    return [
        (dataset, number, float(score))
        for (dataset, number, _), words, score in zip(captions, documents, np.asarray(scores), strict=True)
        if query.words <= {*words} and all(_follow(phrase, words) for phrase in query.phrases)
    ]


def _scores(documents: list[list[str]], word: str, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.array([words.count(word) for words in documents], np.float64)
    sizes = np.array([len(words) for words in documents], np.float64)
    having = np.count_nonzero(counts)
    weight = np.log(1 + (len(lengths) - having + 0.5) / (having + 0.5))
    scores: NDArray[np.float64] = weight * counts * (K1 + 1) / (counts + K1 * (1 - B + B * sizes / lengths.mean()))
    return scores


def _follow(phrase: tuple[str, ...], words: list[str]) -> bool:
    return any(tuple(words[at : at + len(phrase)]) == phrase for at in range(len(words)))
