"""The functions of the extension, with what each of their parameters takes, as the first lines of their modules say."""

import re
from dataclasses import dataclass

from docs.generate.sql import described

# What parameters take whose name does not say it.
NAMED_OTHERWISE = {"queries": "file", "base": "file"}
PARAMETER = re.compile(r"(\w+)( := [^,)]+)?")


@dataclass(frozen=True)
class Signature:
    """A function.

    Attributes:
        name: its name in SQL.
        parameters: the name of each parameter, and whether it is optional.
        rows: whether it is a table function.
    """

    name: str
    parameters: tuple[tuple[str, bool], ...]
    rows: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each parameter takes: a file, an id, a query, ..."""
        bare = (re.sub("_[ab]$", "", name) for name, _ in self.parameters)
        return tuple(NAMED_OTHERWISE.get(name, name) for name in bare)

    def call(self, *values: str) -> str:
        """A call with a value for each parameter."""
        pairs = zip(self.parameters, values, strict=True)
        return f"{self.name}({', '.join(f'{name} := {value}' if optional else value for (name, optional), value in pairs)})"

    def query(self, *values: str) -> str:
        """A query for what a call gives."""
        return f"{'FROM' if self.rows else 'SELECT'} {self.call(*values)}"


def signatures() -> list[Signature]:
    """All functions."""
    return [
        Signature(
            name,
            tuple((parameter, bool(default)) for parameter, default in PARAMETER.findall(parameters)),
            result.startswith("TABLE("),
        )
        for name, parameters, result, _ in described()
    ]
