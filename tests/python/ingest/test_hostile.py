"""The hostile files of ``tests/hostile``: the build fails with one message about each, and leaves nothing behind."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from emm1.__main__ import run
from emm1.interrupts import Interrupts

FOLDER = Path(__file__).parents[2] / "hostile"
ROW = re.compile(r"^\| (\S+\.\w+) \| .+ \| `(.+)` \|$", re.MULTILINE)
CASES = dict(ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8")))


def published_name(name: str) -> str:
    if name.endswith(".json"):
        return "eshot/category_to_audio_ids.json"
    if name.startswith("groups_"):
        return "e-mm1_100m/nn_1/data_groups.csv"
    if name.startswith("audio_"):
        return "e-mm1_1m/infos/audio.csv"
    if name.startswith("triplets_"):
        return "e-mm1_1m/triplets.csv"
    return "e-mm1_1m/annotation_mapping.csv" if name.startswith("labels_") else "e-mm1_1m/infos/points.csv"


def test_every_file_is_described() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"README.md", ".gitattributes", *CASES}


@pytest.mark.parametrize("name", CASES)
def test_a_build_says_what_is_wrong(
    name: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tree" / published_name(name)
    path.parent.mkdir(parents=True)
    if name.endswith(".json"):
        shutil.copy(tree / "eshot" / "eshot_audio_info.csv", path.parent)
    shutil.copy(FOLDER / name, path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["emm1", "build", "tree", "emm1.duckdb"])
    assert run(Interrupts()) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    message = printed.err.removesuffix("\n")
    assert message.startswith("emm1: ")
    assert published_name(name) in message
    assert CASES[name] in message
    assert len(message) < 600
    lines = message.split("\n")
    assert len(lines) == (5 if "pointer" in name else 1)
    assert all(line.isprintable() for line in lines)
    assert [left.name for left in tmp_path.iterdir()] == ["tree"]
