"""The page about Python: public names with their docstrings, and with their signatures as the sources write them."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache, cached_property
from types import FunctionType
from typing import Any, get_args, get_type_hints

from docs.generate.markdown import code, page

import emm1
import emm1.torch
from emm1 import encoders, errors

ABOUT = (
    "Every public name: those of `emm1`, of `emm1.encoders` and `emm1.torch`, the errors and warnings in `emm1.errors`, and what they return. The examples run\n"
    "as tests, each in an empty folder, here called `work`."
)
SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
ENTRY = re.compile(r"    ([\w.]+): (.*)$")
FOLDER = 'getfixture("tmp_path")'
WIDEST = 100


def python_page() -> str:
    """The page."""
    public = [getattr(emm1, name) for name in emm1.__all__]
    of_errors = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    functions = [name for name in public if isinstance(name, FunctionType)]
    classes = [name for name in public if inspect.isclass(name) and name not in of_errors]
    of_encoders = [inspect.unwrap(each) for each in (encoders.encoder_named, encoders.encoder_names)]
    returned = _returned([*functions, *classes])
    parts = ["## Functions", *(_function(each, f"emm1.{each.__name__}", "###") for each in functions)]
    parts += ["## Classes", *(_class(each, f"emm1.{each.__name__}") for each in classes)]
    parts += ["## What these return", *(_class(each, each.__name__) for each in returned)]
    parts += ["## Encoders", _class(encoders.Encoder, "emm1.encoders.Encoder")]
    parts += [_function(each, f"emm1.encoders.{each.__name__}", "###") for each in of_encoders]
    of_torch = [(getattr(emm1.torch, name), f"emm1.torch.{name}") for name in emm1.torch.__all__]
    parts += ["## Training", *(_class(each, name) for each, name in of_torch if inspect.isclass(each))]
    parts += [_function(each, name, "###") for each, name in of_torch if not inspect.isclass(each)]
    parts += ["## Errors and warnings", *(_class(each, f"emm1.errors.{each.__name__}") for each in of_errors)]
    everything = [*functions, *(method for kind in [*classes, *returned] for _, method in _methods(kind))]
    aliases = dict(sorted(found for function in everything for found in _aliases(function)))
    types = [f"- `{name}`: `{text}`" for name, text in aliases.items()]
    return page("Python reference", ABOUT, [*parts, "## Types in signatures", "\n".join(types)])


def _class(kind: type, name: str) -> str:
    bases = ", ".join(f"{'builtins.' * (base.__name__ == kind.__name__)}{base.__name__}" for base in kind.__bases__)
    doc = inspect.getdoc(kind) or ""
    parts = [f"### {name}" + (f"({bases})" if issubclass(kind, BaseException) else "")]
    if "\nArgs:\n" in doc:
        parts.append(_signature(kind.__init__, kind.__name__))  # type: ignore[misc]
    parts.append(_rendered(doc))
    for attribute, value in _members(kind):
        if isinstance(value, property | cached_property):
            function = value.fget if isinstance(value, property) else value.func
            result = ast.unparse(_definition(function).returns or ast.Constant(None))
            heading = f"#### {kind.__name__}.{attribute}\n\n{code(f'{attribute}: {result}', 'python')}"
            parts.append(f"{heading}\n\n{_rendered(inspect.getdoc(value) or '')}")
        else:
            parts.append(_function(value, f"{kind.__name__}.{attribute}", "####"))
    return "\n\n".join(parts)


def _function(function: Any, name: str, level: str) -> str:
    return f"{level} {name}\n\n{_signature(function, name.rpartition('.')[2])}\n\n{_rendered(inspect.getdoc(function) or '')}"


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, with those of emm1's own base classes; an error has those of its base in its base's section."""
    seen = set()
    for base in kind.__mro__[:1] if issubclass(kind, BaseException | Warning) else kind.__mro__:
        if base.__module__.partition(".")[0] != "emm1":
            continue
        for name, value in vars(base).items():
            member = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if (
                not name.startswith("_")
                and name not in seen
                and isinstance(member, FunctionType | property | cached_property)
            ):
                seen.add(name)
                yield name, member


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in _members(kind):
        function = (
            member.fget
            if isinstance(member, property)
            else member.func
            if isinstance(member, cached_property)
            else member
        )
        yield name, function
    if "__init__" in vars(kind) and "\nArgs:\n" in (inspect.getdoc(kind) or ""):
        yield "__init__", vars(kind)["__init__"]


def _returned(known: list[Any]) -> list[type]:
    """Classes of emm1 that public functions and methods return, and that have no public name."""
    found: dict[type, None] = {}
    left = list(known)
    while left:
        each = left.pop(0)
        functions = [each] if isinstance(each, FunctionType) else [function for _, function in _methods(each)]
        for function in functions:
            for kind in _classes(get_type_hints(function).get("return")):
                new = kind not in known and kind not in found and not kind.__name__.startswith("_")
                if kind.__module__.startswith("emm1.") and new and not kind.__module__.startswith("emm1._"):
                    found[kind] = None
                    left.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def _classes(hint: Any) -> Iterator[type]:
    if inspect.isclass(hint) and not get_args(hint):
        yield hint
    for part in get_args(hint):
        yield from _classes(part)


def _signature(function: Any, name: str) -> str:
    """A call as it is written in the source: one line, or one for each parameter."""
    node = _definition(function)
    parameters = [*_parameters(node.args)]
    returns = (
        f" -> {ast.unparse(node.returns)}" if node.returns and name != "__init__" and node.name != "__init__" else ""
    )
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) > WIDEST:
        line = f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returns}"
    return code(line, "python")


@cache
def _definition(function: Any) -> Any:
    """The statement ``def``."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    return node


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + [*arguments.defaults]
    for place, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        if place or argument.arg not in {"self", "cls"}:
            yield _parameter(argument, default)
        if arguments.posonlyargs and place == len(arguments.posonlyargs) - 1:
            yield "/"
    if arguments.vararg:
        yield f"*{_parameter(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg:
        yield f"**{_parameter(arguments.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    typed = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation else "")
    return typed if default is None else f"{typed} = {ast.unparse(default)}"


def _aliases(function: Any) -> Iterator[tuple[str, str]]:
    """The types that a signature names and that are neither classes nor parameters of types, as emm1 defines them."""
    node = _definition(function)
    hints = [node.returns, *(each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg))]
    for hint in filter(None, hints):
        for name in (each.id for each in ast.walk(hint) if isinstance(each, ast.Name)):
            if text := _assigned(name, function.__module__):
                yield name, text


@cache
def _assigned(name: str, module: str) -> str | None:
    """What a module of emm1 assigns to a name, or the module that it imports the name from."""
    if module.partition(".")[0] != "emm1" or not (file := importlib.import_module(module).__file__):
        return None
    with open(file, encoding="utf-8") as source:  # noqa: PTH123 - not a path
        body = ast.parse(source.read()).body
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return ast.unparse(node.value)
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _assigned(name, node.module or "")
    return None


def _rendered(doc: str) -> str:
    """A docstring as Markdown: sections become lists, examples blocks of code."""
    lines = iter(doc.replace(FOLDER, 'Path("work")').splitlines())
    done: list[str] = []
    section = ""
    for line in lines:
        if line.startswith(">>>"):
            done.append(_example(line, lines))
        elif found := SECTION.match(line):
            section = found[1]
            done.append({"Args": "Parameters"}.get(section, section) + ":\n")
        elif not line:
            done.append("")
        elif not line.startswith("    "):
            section = ""
            done.append(line)
        elif section in {"Args", "Attributes", "Raises"} and (entry := ENTRY.match(line)):
            done.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            done.append(line.strip() if section in {"Returns", "Yields"} else f"  {line.strip()}" if section else line)
    return "\n".join(done).strip()


def _example(line: str, lines: Iterator[str]) -> str:
    block = [line]
    for following in lines:
        if not following:
            break
        block.append(following)
    return code("\n".join(block), "pycon") + "\n"
