"""The page about the command line, from the parameters of its commands: rendered help depends on versions and widths."""

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from docs.generate.markdown import code, page, table
from typer.main import get_command

from emm1.cli import app

ABOUT = (
    "What `emm1 COMMAND --help` says, for every command. [The guides](../../README.md#read-on) show them at work.\n\n"
    "`emm1 --version` prints the version. Every command exits with 0 for success, 1 for wrong data or a wrong request, 2 for wrong\n"
    "usage, and 130 after Ctrl-C."
)
WORDS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


def commands(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, such as ``embeddings add``, in the order of the help."""
    found: Any = get_command(app) if group is None else group
    for name, command in found.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def cli_page() -> str:
    """The page."""
    return page("Command line reference", ABOUT, (_section(name, command) for name, command in commands()))


def _section(name: str, command: Any) -> str:
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    rows, usage = [], ["emm1", name]
    for parameter in command.params:
        written = _written(parameter, hints[parameter.name])
        rows.append((f"`{written}`", _described(parameter, hints[parameter.name])))
        if parameter.required or parameter.param_type_name == "argument":
            usage.append(written)
    if any(parameter.param_type_name == "option" and not parameter.required for parameter in command.params):
        usage.append("[OPTIONS]")
    parts = [f"## emm1 {name}", code(" ".join(usage)), inspect.getdoc(command.callback) or ""]
    return "\n\n".join([*parts, table(("parameter", "meaning"), rows)] if rows else parts)


def _written(parameter: Any, hint: Any) -> str:
    """How a parameter is written: STORE, or ``--ranks TEXT``."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    kind = _kind(hint)
    if kind is bool:
        return "/".join([*parameter.opts, *parameter.secondary_opts])
    choices = "|".join(str(member.value) for member in kind) if issubclass(kind, Enum) else WORDS[kind]
    return f"{', '.join(parameter.opts)} {parameter.metavar or choices}"


def _described(parameter: Any, hint: Any) -> str:
    """The help, the limits and the default, which the help gives itself where it is not a value."""
    (given,) = hint.__metadata__
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    text, bracket, own = (parameter.help or "").partition("[default: ")
    parts = [
        text.strip(),
        f"At least {given.min}." if given.min is not None else "",
        f"At most {given.max}." if given.max is not None else "",
        "May be repeated." if _repeats(hint.__origin__) else "",
        bracket + own,
        "" if default is None or default is False or default == [] else f"[default: {default}]",
        "[required]" if parameter.required and parameter.param_type_name == "option" else "",
    ]
    return " ".join(filter(None, parts))


def _repeats(kind: Any) -> bool:
    return get_origin(kind) is list or any(get_origin(part) is list for part in get_args(kind))


def _kind(hint: Any) -> Any:
    """The class of one value: of ``int | None`` and of ``list[int]`` it is int."""
    if hasattr(hint, "__metadata__"):
        return _kind(hint.__origin__)
    inner = [part for part in get_args(hint) if part is not type(None)]
    return _kind(inner[0]) if inner else hint
