"""docs/guide/clients.md: its code blocks, and its table of what each client can do."""

import re
from dataclasses import dataclass, field

from clients import CLIENTS, TOP, Client

DOCUMENT = TOP / "docs/guide/clients.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(?<=\n)\| client \|.*\n\|[-|]+\|\n((?:\|.*\n)*)")


@dataclass
class Matrix:
    """The table: one line per client, by its label."""

    write: bool
    lines: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, *, write: bool) -> "Matrix":
        """The table in the document."""
        table = TABLE.search(DOCUMENT.read_text(encoding="utf-8"))
        assert table, f"{DOCUMENT} has no table of clients"
        return cls(write, {line.split(" | ")[0].removeprefix("| "): line for line in table[1].splitlines()})

    def agree(self, client: Client, *cells: str, complaints: str = "") -> None:
        """Record what a client did, or check that the document says the same."""
        line = f"| {' | '.join([client.label, *cells])} |"
        if self.write:
            self.lines[client.label] = line
        else:
            assert line == self.lines.get(client.label), f"`make clients-matrix` updates {DOCUMENT.name}\n{complaints}"

    def save(self) -> None:
        """Write the lines to the document, in the order of the clients."""
        text = DOCUMENT.read_text(encoding="utf-8")
        table = TABLE.search(text)
        assert table
        lines = "".join(f"{self.lines[client.label]}\n" for client in CLIENTS if client.label in self.lines)
        DOCUMENT.write_text(text[: table.start(1)] + lines + text[table.end(1) :], encoding="utf-8")
