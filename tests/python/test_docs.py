"""Every code block in the documents runs, each document in its own folder, and prints what the document says."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from docs.generate.cli import commands
from typer.testing import CliRunner

import emm1
from emm1.cli import app

TOP = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The guide to clients shows what tests/clients prints.
DOCUMENTS = [
    "README.md",
    "docs/explore.md",
    "docs/recipes.md",
    *(f"docs/guide/{path.name}" for path in sorted((TOP / "docs/guide").glob("*.md")) if path.name != "clients.md"),
    *(f"docs/format/{path.name}" for path in sorted((TOP / "docs/format").glob("*.md"))),
]
# Blocks for engines that tests/engines installs and runs.
ELSEWHERE = {"bash", "py", "sql"}
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
SECTION = re.compile(r"\]\((?!https?://)([^)#]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_blocks(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ROOT_DATA_PATH", raising=False)
    names: dict[str, object] = {}
    printed = ""
    blocks = BLOCK.findall((TOP / document).read_text(encoding="utf-8"))
    assert blocks
    for kind, text in blocks:
        if kind == "sh":
            done = subprocess.run(["sh", "-e", "-c", text], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif kind == "python":
            output = io.StringIO()
            with redirect_stdout(output):
                exec(compile(text, document, "exec"), names)  # noqa: S102 - the document's own code
            printed = output.getvalue()
        elif kind not in ELSEWHERE:
            assert kind == "output"
            assert printed == text
    for value in names.values():
        if isinstance(value, emm1.Store):
            value.close()
    if document == "docs/guide/evaluate.md":
        rows = [line for line in (TOP / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
        assert len(rows) > 2  # the heads
        assert set(rows) <= set((tmp_path / "report/evaluation.md").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")], ids=lambda path: path.name)
def test_every_link_to_a_section_leads_to_a_heading(path: Path) -> None:
    for document, section in SECTION.findall(path.read_text(encoding="utf-8")):
        text = (path.parent / document if document else path).read_text(encoding="utf-8")
        # GitHub's names: lower case, spaces as hyphens, without punctuation.
        names = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}
        assert section in names, f"{document}#{section}"


@pytest.mark.parametrize("command", [name for name, _ in commands()])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"emm1 {command}" in " ".join(result.output.replace("│", " ").split())
    assert "Example" in result.output


def test_lists_of_commands_cut_no_sentence() -> None:
    for group in ([], ["embeddings"], ["groups"]):
        result = CliRunner().invoke(app, [*group, "--help"])
        assert (result.exit_code, "..." in result.output.partition("Commands")[2]) == (0, False)
