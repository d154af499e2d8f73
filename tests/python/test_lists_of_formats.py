"""Wherever formats of embedding files are listed, every one is: help, docstrings, guides, messages and the tests' writers."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from formats import WRITERS

import emm1
from emm1.convert.arrays import Npy
from emm1.convert.formats import FORMATS

DOCS = Path(__file__).parents[2] / "docs"


class Message(NamedTuple):
    """What is said of a file of no format: the suffixes of the core's own list, and the text about what is imported."""

    searched: set[str]
    imported: str


def section(document: str, heading: str) -> str:
    """The text of a document from a heading to the next."""
    after = (DOCS / document).read_text(encoding="utf-8").split(f"# {heading}\n")[1]
    return re.split(r"^#+ ", after, flags=re.MULTILINE)[0]


@pytest.fixture
def message(tmp_path: Path) -> Message:
    (tmp_path / "x.other").touch()
    with pytest.raises(emm1.EmbeddingError) as refused:
        emm1.Embeddings(tmp_path / "x.other")
    searched, imported = str(refused.value).split("expected ")[1].split("(")
    return Message(suffixes(searched), imported)


def suffixes(text: str) -> set[str]:
    return set(re.findall(r"\.[a-z0-9]*[a-z][a-z0-9]*", text))


def test_every_format_that_is_searched_is_in_every_list(message: Message, tmp_path: Path) -> None:
    written = set()
    for i, (write, dtype) in enumerate(WRITERS):
        (tmp_path / str(i)).mkdir()
        written |= suffixes(write(tmp_path / str(i), np.ones((2, 3), dtype)))
    lists = {
        "WRITERS in tests/support/formats.py": written,
        "emm1.Embeddings": suffixes(emm1.Embeddings.__doc__ or ""),
        "docs/guide/embeddings.md": suffixes(
            section("guide/embeddings.md", "Formats that can be searched directly"),
        ),
    }
    lacking = {name: message.searched - listed for name, listed in lists.items()}
    assert ".npy" in message.searched
    assert {name: lacks for name, lacks in lacking.items() if lacks} == {}


@pytest.mark.parametrize(
    "reads", [reads for reads in dict.fromkeys(FORMATS.values()) if reads is not Npy], ids=lambda reads: reads.__name__
)
def test_every_format_that_is_imported_is_in_every_list(reads: type, message: Message) -> None:
    names = {reads.__name__, *(suffix for suffix, by in FORMATS.items() if by is reads)}
    tests = (Path(__file__).parent / "convert").glob("test_*.py")
    lists = {
        "CONVERTED in rust/emm1-core/src/matrix/format.rs": message.imported,
        "emm1.import_embeddings": emm1.import_embeddings.__doc__ or "",
        "python/emm1/cli/embeddings.py (then `make reference`)": section("reference/cli.md", "emm1 embeddings import"),
        "docs/guide/embeddings.md": section("guide/embeddings.md", "Import"),
        "tests/python/convert": "".join(test.read_text(encoding="utf-8") for test in tests),
    }
    named = re.compile("|".join(rf"{re.escape(name)}\b" for name in names))
    lacking = [name for name, text in lists.items() if not named.search(text)]
    assert not lacking, f"lacking in: {', '.join(lacking)}"
