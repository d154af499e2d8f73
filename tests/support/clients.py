"""The clients that read a store: how each is installed, in its own folder in ``.clients``, and run.

Versions are pinned by the files next to each program in ``tests/clients``.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
SOURCES = TOP / "tests" / "clients"
INSTALLED = TOP / ".clients"
MADE = {"__pycache__", "node_modules"}  # not part of a client's sources
UV = str(Path(sys.executable).with_name("uv"))

Command = tuple[str, ...]


class NotAvailableError(Exception):
    """A runtime or a package is not available here."""


@dataclass(frozen=True)
class Client:
    """One way to read a store; commands run in the client's folder, its program in the folder of the store."""

    label: str
    name: str
    source: str
    fetch: tuple[Command, ...]
    program: Command
    build: tuple[Command, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder in which it is installed."""
        return INSTALLED / self.name

    def install(self) -> None:
        """Install it in its folder, with the pinned versions.

        Raises:
            NotAvailableError: a runtime or a package is missing.
        """
        files = sorted(path for path in (SOURCES / self.source).rglob("*") if path.is_file())
        files = [path for path in files if not MADE.intersection(path.parts)]
        digest = hashlib.sha256(
            repr((self.fetch, self.build, sys.version, [path.read_bytes() for path in files])).encode()
        ).hexdigest()
        stamp = self.folder / "installed"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(SOURCES / self.source, self.folder, ignore=shutil.ignore_patterns(*MADE))
        for command in self.fetch:
            try:
                self._run(command)
            except subprocess.CalledProcessError as error:
                reason = (error.stderr.strip() or error.stdout.strip() or str(error)).splitlines()[0]
                raise NotAvailableError(f"{' '.join(command)}: {reason}") from None
        for command in self.build:
            self._run(command)
        stamp.write_text(digest, encoding="utf-8")

    def _run(self, command: Command) -> None:
        try:
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise NotAvailableError(f"there is no {command[0]}") from None

    def run(
        self, *command: str, where: Path, text: str | None = None, check: bool = True, timeout: int = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the client's programs first in the path; ``HERE`` in it is the client's folder.

        Its home is the folder in which it runs, so that programs neither read nor write the user's settings.
        """
        here = str(self.folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environment |= {"HOME": str(where), "PATH": f"{here}/env/bin{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            [part.replace("HERE", here) for part in command],
            cwd=where,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=check,
            timeout=timeout,
        )

    def see(self, where: Path) -> tuple[dict[str, Any], str]:
        """Run the program; returns what it printed, with the views gathered by name, and its error output."""
        done = self.run(*self.program, where=where, check=False)
        seen: dict[str, Any] = {}
        for line in done.stdout.split("\n"):
            printed = json.loads(line or "{}")
            if "view" in printed:
                seen.setdefault("views", {})[printed["view"]] = printed["rows"]
            else:
                seen.update(printed)
        return seen, done.stderr


def python(
    label: str,
    name: str,
    program: str,
    *,
    source: str = "",
    requirements: str = "requirements.txt",
    sources: tuple[str, ...] = (),
) -> Client:
    """A client that is installed with pip, in its own environment; `sources` are packages that have no wheel."""
    built = [option for package in sources for option in ("--no-binary", package)]
    options = ("--quiet", "--python", "env/bin/python", "--require-hashes", "--only-binary", ":all:", *built)
    fetch = (
        (UV, "venv", "--quiet", "--python", sys.executable, "env"),
        (UV, "pip", "install", *options, "-r", requirements),
    )
    interpreter = "sh" if program.endswith(".sh") else "HERE/env/bin/python"
    return Client(label, name, source or name, fetch, (interpreter, f"HERE/{program}"))


def duckdb_in_python(version: str) -> Client:
    """One version of Python's duckdb, which may have no wheel for this Python."""
    name = f"duckdb-{version}"
    client = python(f"Python, duckdb {version}", name, "use_duckdb.py", source="python", requirements=f"{name}.txt")
    import_it = ("env/bin/python", "-c", "import duckdb")
    return Client(client.label, name, client.source, (*client.fetch, import_it), client.program)


PYTHONS = [duckdb_in_python(version) for version in ("1.2.2", "1.3.2", "1.4.4", "1.5.6", "2.0.1")]
CLI = python("DuckDB CLI", "cli", "use_cli.sh")
NPM = ("npm", "ci", "--loglevel", "error", "--no-audit", "--no-fund")
NODE = Client("Node.js, @duckdb/node-api", "node", "node", (NPM,), ("node", "HERE/use_duckdb.mjs"))
# Their npm packages contain the runtimes; the program is that of Node.js.
BUN = Client(
    "Bun, @duckdb/node-api",
    "bun",
    "bun",
    (NPM, ("node_modules/.bin/bun", "--version")),
    ("HERE/node_modules/.bin/bun", "HERE/use_duckdb.mjs"),
)
DENO = Client(
    "Deno, @duckdb/node-api",
    "deno",
    "deno",
    (NPM, ("node_modules/.bin/deno", "--version")),
    ("HERE/node_modules/.bin/deno", "run", "--allow-all", "HERE/use_duckdb.mjs"),
)
WASM = Client("duckdb-wasm, in Node.js", "wasm", "wasm", (NPM,), ("node", "HERE/use_wasm.cjs"))
JAVA = ("java", "-cp", f"HERE/classes{os.pathsep}HERE/lib/*")
JAR = (("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"), ("javac", "-version"))
COMPILE = (
    ("javac", "-d", "classes", "-cp", "lib/*", "-sourcepath", ".", "UseDuckDB.java", "DBeaver.java", "Run.java"),
)
JDBC = Client("Java, JDBC", "jdbc", "jdbc", JAR, (*JAVA, "UseDuckDB"), COMPILE)
DBEAVER = Client("DBeaver, what it asks of JDBC", "jdbc", "jdbc", JAR, (*JAVA, "DBeaver"), COMPILE)
GO = Client(
    "Go, duckdb-go",
    "go",
    "go",
    (("go", "list", "-deps", "."), ("cc", "--version")),
    ("HERE/use_duckdb",),
    (("go", "build", "-mod=readonly", "-o", "use_duckdb", "."),),
)
CLIENTS = [
    *PYTHONS,
    CLI,
    NODE,
    BUN,
    DENO,
    WASM,
    JDBC,
    DBEAVER,
    GO,
    python("Polars", "dataframes", "use_polars.py"),
    python("pandas, duckdb-engine", "dataframes", "use_pandas.py"),
    python("ADBC", "dataframes", "use_adbc.py"),
    python("ibis", "ibis", "use_ibis.py"),
    python("SQLAlchemy, duckdb-engine", "sqlalchemy", "use_sqlalchemy.py"),
    python("Superset, what it asks of SQLAlchemy", "dataframes", "use_superset.py"),
    python("JupySQL", "jupysql", "use_jupysql.py"),
    python("Streamlit", "streamlit", "use_streamlit.py"),
    python("dbt, dbt-duckdb", "dbt", "use_dbt.py"),
    python("SQLMesh", "sqlmesh", "use_sqlmesh.py"),
    python("Harlequin", "harlequin", "use_harlequin.py"),
    python("marimo", "marimo", "use_marimo.py"),
]
