"""Markdown tables and the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def table(
    rows: Mapping[str, Mapping[str, str]] | Sequence[Mapping[str, str]], columns: Sequence[str] = (), texts: int = 1
) -> str:
    """A Markdown table without empty rows.

    Args:
        rows: the cells of each row by column, in a mapping by the text of a first column without a name.
        columns: their order, if it is not that in which rows have them; those that no row has are left out.
        texts: how many columns, the first ones, hold text; numbers are aligned to the right.
    """
    cells = [{"": name, **row} for name, row in rows.items() if row] if isinstance(rows, Mapping) else rows
    if not cells:
        return ""
    found = list(dict.fromkeys(column for row in cells for column in row))
    ordered = [
        *(column for column in found if column not in columns),
        *(column for column in columns if column in found),
    ]
    lines = [ordered, ["---" if at < texts else "---:" for at in range(len(ordered))]]
    lines += [[row.get(column, "") for column in ordered] for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def short(value: float, digits: int) -> str:
    """A number with this many digits, without an exponent."""
    return f"{value:,.{digits}g}" if value < 10**digits else f"{value:,.0f}"


def times(ratio: float, digits: int) -> str:
    """A ratio."""
    return f"{short(ratio, digits)}×"
