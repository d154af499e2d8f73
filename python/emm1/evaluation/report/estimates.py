"""Numbers with their intervals, as reports print them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A fraction and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def estimate(row: Mapping[str, Any], name: str) -> Estimate:
    """A column of a report's frame with its interval."""
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])


def defined(value: float) -> float | None:
    """A value as reports have it: None in place of NaN.

    >>> defined(float("nan")), defined(0.5)
    (None, 0.5)
    """
    return None if isnan(value) else float(value)


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction in percent.

    >>> percent(0.7524), percent(0.8, 0)
    ('75.2%', '80%')
    """
    return f"{fraction * 100:.{digits}f}%"


def interval(found: Estimate, digits: int = 1) -> str:
    """The bounds of an estimate in percent.

    >>> interval(Estimate(0.8, 0.5481, 0.9295)), interval(Estimate(1.0, 0.796, 1.0), 0)
    ('54.8–93.0%', '80–100%')
    """
    return f"{found.low * 100:.{digits}f}–{percent(found.high, digits)}"
