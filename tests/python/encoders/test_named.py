"""Encoders are found by their names, and what keeps one from loading is said."""

from pathlib import Path

import pytest

import emm1

MODULE = """
def hides(argument):
    try:
        raise RuntimeError("PyTorch and TorchAudio were compiled for different devices")
    except RuntimeError as error:
        raise ModuleNotFoundError("Could not import module 'AutoProcessor'. Are its requirements there?") from error


def misses(argument):
    import no_such_package


def lacks(argument):
    return object()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with encoders, as pip would have installed it."""
    (tmp_path / "strange_encoders.py").write_text(MODULE)
    about = tmp_path / "strange-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    points = "".join(f"{name} = strange_encoders:{name}\n" for name in ("hides", "misses", "lacks"))
    (about / "entry_points.txt").write_text(f"[emm1.encoders]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hides", "cannot be loaded: PyTorch and TorchAudio were compiled for different devices"),
        ("misses", "needs the module no_such_package, which is not installed"),
        ("lacks", "lacks modalities, dims or encode"),
        ("other", "installed are ebind, hides, lacks, minilm, misses, open-clip, sentence-transformers"),
    ],
)
def test_what_is_wrong_with_an_encoder_is_said(name: str, said: str) -> None:
    with pytest.raises(emm1.errors.EmbeddingError) as error:
        emm1.encoders.encoder_named(name)
    assert said in str(error.value)
