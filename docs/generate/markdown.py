"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence


def page(title: str, about: str, parts: Iterable[str]) -> str:
    """A page that says that it is generated."""
    return (
        "\n\n".join([f"# {title}", "<!-- Written by `make reference`: change its sources instead. -->", about, *parts])
        + "\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell that has no text stays empty."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
