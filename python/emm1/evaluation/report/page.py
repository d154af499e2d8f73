"""Reports as pages: one HTML file that needs no network, beside its text and its tables."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from emm1.evaluation.report.estimates import Estimate, interval, percent
from emm1.evaluation.report.text import p_value

TEMPLATES = Path(__file__).parent / "templates"


def write_parts(stem: Path, text: str, page: str, tables: Any) -> None:
    """Write a report as .txt, .html and .json, next to each other."""
    stem.with_suffix(".txt").write_text(f"{text}\n", encoding="utf-8")
    stem.with_suffix(".html").write_text(page, encoding="utf-8")
    tables = json.dumps(tables, ensure_ascii=False, indent=2)
    stem.with_suffix(".json").write_text(f"{tables}\n", encoding="utf-8")


def render(template: str, *, script: str = "", **values: Any) -> str:
    """A page of a template.

    Args:
        template: the name of its file.
        script: the only script that the page may run; it reads the value `data`.
        **values: what the template shows, every text of it escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "css": _css_percent,
        "script_safe": script_safe,
        "breakable": breakable,
        "clipped": _clipped,
        "p_value": p_value,
    }
    return environment.get_template(template).render(
        **values,
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def script_safe(value: Any) -> Markup:
    r"""JSON that is safe inside a <script>: a category named "</script>" must not end it.

    >>> print(script_safe(["</script>"]))
    ["\u003c/script>"]
    """
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S704


def breakable(text: str) -> Markup:
    """A name or a path as HTML that may break after an underscore or a separator.

    >>> print(breakable("hair_dryer <b>"))
    hair_<wbr>dryer &lt;b&gt;
    """
    return Markup(re.sub(r"([_/\\])", r"\1<wbr>", str(escape(text))))  # noqa: S704 - escaped


def _clipped(row: Mapping[str, float]) -> Estimate:
    """The value of a row with its interval, as far as they lie between 0 and 1: bars start at chance of what may be negative."""
    value, low, high = (min(max(row[name], 0.0), 1.0) for name in ("value", "low", "high"))
    return Estimate(value, low, high)


def _css_percent(fraction: float) -> str:
    """A fraction as a CSS length, short."""
    return f"{fraction * 100:.4g}%"
