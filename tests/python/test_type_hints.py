"""`typing.get_type_hints` works on everything public: tools that read annotations find each name."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import emm1
from emm1 import errors
from emm1.store.registered import Registered
from emm1.store.registry import Registry

# Public classes that are reached by attributes only.
REACHED = [Registry, Registered]


def of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """A class and everything public in it, inherited or not."""
    yield kind.__name__, kind
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        inner = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if (
            inspect.isfunction(inner)
            and (not name.startswith("_") or name == "__init__")
            and "emm1" in inner.__module__
        ):
            yield f"{kind.__name__}.{name}", inner


def public() -> Iterator[tuple[str, Any]]:
    named = [getattr(emm1, name) for name in emm1.__all__]
    raised = [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__]
    for thing in dict.fromkeys([*named, *REACHED, *raised]):
        if inspect.isclass(thing):
            yield from of_class(thing)
        else:
            yield thing.__name__, thing


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*item, id=item[0]) for item in public()])
def test_hints(name: str, thing: Any) -> None:
    hints = typing.get_type_hints(thing)
    if inspect.isfunction(thing):
        parameters = list(inspect.signature(thing).parameters.values())
        annotated = [p.name for p in parameters if p.annotation is not p.empty]
        assert hints.keys() >= {*annotated, "return"}, name
        assert len(parameters) - len(annotated) <= 1, name  # self


def test_hints_name_what_is_slow_to_import() -> None:
    """Asking for hints imports it; before that, nothing does."""
    code = """
import sys, typing, emm1
hints = emm1.Store.groups_frame.__annotations__, emm1.Hits.arrow.__annotations__
assert not {"polars", "pyarrow", "emm1.evaluation.eshot"} & set(sys.modules)
frame = typing.get_type_hints(emm1.Store.groups_frame)["return"]
report, comparison = (typing.get_type_hints(each)["return"] for each in typing.get_overloads(emm1.Store.eshot))
assert typing.get_type_hints(emm1.Store.eshot)["return"] == report | comparison
table = typing.get_type_hints(emm1.Hits.arrow)["return"]
import polars, pyarrow
assert (frame, report, table) == (polars.DataFrame, emm1.EShotReport, pyarrow.Table)
assert comparison == emm1.EShotComparison
"""
    subprocess.run([sys.executable, "-c", code], check=True)
