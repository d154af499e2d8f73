"""Reports as text: headings, and numbers as they are printed."""

from collections.abc import Mapping

RULE = "=" * 60
NONE = "–"


def heading(title: str) -> list[str]:
    """A title between two rules, as the published script of EShot prints them."""
    return ["", RULE, title, RULE]


def p_value(p: float) -> str:
    """A p-value with four digits, and the smallest ones by their bound.

    >>> p_value(0.03857), p_value(0.000012), p_value(1.0)
    ('0.0386', '< 0.0001', '1.0000')
    """
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"  # noqa: PLR2004 - four digits


def value(row: Mapping[str, float | None]) -> str:
    """The value of a row with its interval.

    >>> value({"value": 0.5, "low": 0.4, "high": 0.6}), value({"value": None})
    ('0.5000, 95% interval 0.4000 to 0.6000', '–')
    """
    if row["value"] is None:
        return NONE
    interval = "" if row["low"] is None else f", 95% interval {row['low']:.4f} to {row['high']:.4f}"
    return f"{row['value']:.4f}{interval}"


def difference(row: Mapping[str, float | None]) -> str:
    """The difference of a row from the baseline, with its interval and p-value; empty if there is none.

    >>> difference({"difference": -0.1, "difference_low": -0.2, "difference_high": 0.0, "p": 0.04})
    '-0.1000, -0.2000 to +0.0000, p 0.0400'
    """
    if row["difference"] is None:
        return ""
    parts = [f"{row['difference']:+.4f}"]
    if row["difference_low"] is not None:
        parts.append(f"{row['difference_low']:+.4f} to {row['difference_high']:+.4f}")
    if row["p"] is not None:
        parts.append(f"p {p_value(row['p'])}")
    return ", ".join(parts)
