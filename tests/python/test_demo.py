"""`make demo` runs docs/demo.sh; the commands that it prints at its end run, and show something."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("ROOT_DATA_PATH", None)
    done = subprocess.run(["sh", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_the_commands_that_the_demo_ends_with(tmp_path: Path) -> None:
    assert "sh docs/demo.sh" in (TOP / "Makefile").read_text(encoding="utf-8")
    demo = shell(str(TOP / "docs/demo.sh"), cwd=tmp_path)
    assert len(demo.stdout.splitlines()) < 150
    assert (tmp_path / "demo/eshot/report.html").is_file()
    activate, *commands = demo.stdout.partition("Try next:\n\n")[2].splitlines()
    assert activate == ". .venv/bin/activate"
    assert len(commands) >= 3
    for command in commands:
        shown = shell("-c", command, cwd=tmp_path)
        assert (len(shown.stdout.splitlines()) > 3, shown.stderr) == (True, ""), command
