"""Commands that start fast: typer's, without what it imports to convert arguments (pydantic) and to show help (rich)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

DIGITS = frozenset("0123456789")


class _Plain:
    """Converts the arguments of a parameter that need no pydantic; typer converts the others, with its messages.

    It takes the place of what ``get_runtime_param`` of a parameter returns. Versions of typer that have no such method
    convert everything themselves.
    """

    def __init__(self, parameter: Any) -> None:
        limits = parameter.type_descriptor.parameter_info
        free = limits.min is None and limits.max is None and limits.parser is None
        self._kind = parameter.type_descriptor.annotation if free and not parameter.multiple else None
        self._of_typer: Callable[[], Any] = parameter.get_runtime_param

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of an argument."""
        kind = self._kind
        if isinstance(kind, type):
            if value is None or isinstance(value, kind):
                return value
            if kind is Path and isinstance(value, str):
                return Path(value)
            if kind is int and value and DIGITS.issuperset(value):
                return int(value)
            if issubclass(kind, Enum) and value in {member.value for member in kind}:
                return kind(value)
        return self._of_typer().coerce(value, param=param, ctx=ctx)


def _plainly(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if hasattr(parameter, "get_runtime_param") and "get_runtime_param" not in vars(parameter):
            plain = _Plain(parameter)
            parameter.get_runtime_param = lambda plain=plain: plain
    return parameters


# Longer than any first sentence of a help text: lists of commands wrap it.
WHOLE = 1000


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters."""
        return _plainly(super().get_params(ctx))

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first sentence, whole."""
        return super().get_short_help_str(max(limit, WHOLE))


class Group(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters."""
        return _plainly(super().get_params(ctx))

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first sentence, whole."""
        return super().get_short_help_str(max(limit, WHOLE))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command, whose name may be two words: ``knn merge`` is another than ``knn``."""
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two in self.commands else args)


class Commands(typer.Typer):
    """Makes such groups and commands of functions."""

    def __init__(self, about: str) -> None:
        super().__init__(
            cls=Group,
            help=about,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Make a function a command."""
        return super().command(name, cls=Command, **options)
