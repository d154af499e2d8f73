"""Errors carry kinds and causes; the library speaks of arguments, the command line of its options."""

import ast
import builtins
import errno
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from docs.generate.cli import commands
from system import emm1_cli
from trees import copied

import emm1
from emm1 import errors
from emm1.encoders.minilm import INSTALL
from emm1.ingest.hub.files import DOWNLOAD

PACKAGE = Path(emm1.__file__).parent
RUST = Path(__file__).parents[2] / "rust"
# Options of the program that fetches clips.
YT_DLP = ("--download-sections", "--force-keyframes-at-cuts")
OPTION = re.compile(r"(?<![\w-])--[a-z]")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(200, 8)).astype("float32"))
    return path


@pytest.mark.parametrize(
    ("kind", "number", "call"),
    [
        (errors.FileNotFoundError, errno.ENOENT, lambda path: emm1.Embeddings(path.with_name("none.npy"))),
        (errors.WriteError, errno.ENOENT, lambda path: emm1.Embeddings(path).build_codes(path.with_name("no") / "x")),
        (errors.WriteError, errno.EISDIR, lambda path: emm1.Embeddings(path).build_codes(path.parent / "folder")),
    ],
)
def test_the_cause_is_what_the_system_says(vectors: Path, kind: type[Exception], number: int, call: object) -> None:
    (vectors.parent / "folder").mkdir()
    with pytest.raises(kind) as raised:
        call(vectors)  # type: ignore[operator]
    cause = raised.value.__cause__
    assert type(cause) is type(OSError(number, ""))
    if number == errno.EISDIR or kind is errors.FileNotFoundError:
        assert (cause.errno, str(cause.filename) in str(raised.value)) == (number, True)


def test_codes_that_are_damaged_are_a_kind(vectors: Path) -> None:
    e = emm1.Embeddings(vectors)
    codes = e.build_codes()
    raw = bytearray(codes.read_bytes())
    raw[-200] ^= 1
    codes.write_bytes(raw)
    with pytest.raises(errors.CodesError, match=r"x\.npy\.codes"):
        e.verify()
    codes.write_bytes(b"x" * 1000)
    with pytest.warns(errors.CodesWarning, match="not a file of codes"):
        emm1.Embeddings(vectors)
    assert issubclass(errors.CodesWarning, errors.EmbeddingsWarning)


@pytest.mark.parametrize("kind", [errors.UnknownNameError, errors.FileNotFoundError, errors.MemoryError])
def test_kinds_are_pythons_too(kind: type[errors.Error]) -> None:
    error = kind("what to do", replace=True)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    for each in (error, again):
        assert (str(each), each.arguments) == ("what to do: replace=True", {"replace": True})
    assert {KeyError, FileNotFoundError, MemoryError} & set(kind.__mro__)


@pytest.mark.filterwarnings("ignore::emm1.errors.CodesWarning")
def test_each_user_reads_of_what_he_can_give(store_path: Path, tree: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    vectors = copied(tree / "embeddings", tmp_path / "embeddings") / "text.npy"
    add = ("embeddings", "add", store, "x", vectors, "--dataset", "100m", "--modality", "text")
    assert emm1_cli(*add).returncode == 0
    taken = emm1_cli(*add)
    assert (taken.returncode, taken.stderr.endswith("register this one in its place: --replace\n")) == (1, True)
    np.save(vectors, np.load(vectors)[:, :8])
    changed = emm1_cli("search", store, "x", "--id", "0")
    assert changed.returncode == 1
    assert "register it again with `emm1 embeddings add`: --replace" in changed.stderr
    with emm1.open(store) as opened:
        with pytest.raises(emm1.StoreError, match=r"in its place: replace=True$"):
            opened.add_embeddings("x", vectors, dataset="100m", modality="text")
        with pytest.raises(emm1.EmbeddingError, match=r"`emm1 embeddings add`: replace=True$"):
            opened.embeddings("x")


def test_arguments_that_errors_name_are_options() -> None:
    options = {option for _, command in commands() for parameter in command.params for option in parameter.opts}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                named = [keyword.arg for keyword in node.exc.keywords if keyword.arg]
                if ast.unparse(node.exc.func).endswith("Error") and not hasattr(builtins, ast.unparse(node.exc.func)):
                    assert {f"--{name.replace('_', '-')}" for name in named} <= options, (path, named)


def test_the_library_names_no_option() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        for value in said:
            text = value
            for others in ("git lfs pull --include", *YT_DLP, DOWNLOAD, INSTALL):
                text = text.replace(others, "")
            assert not OPTION.search(text), (path, text)
    for path in RUST.glob("*/src/**/*.rs"):
        code = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if "//" not in line)
        assert not OPTION.search(code), path
