"""Files of torch.save: pickles are read and never run; what no tensor can be is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_save import Tensor
from torch_save import save as torch_save

import emm1
from emm1.convert.torch_file import Program


class Runs:
    """The content of a hostile pickle: unpickling it would run a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.eye(3, dtype=np.float32)
    proof = tmp_path / "proof"
    for protocol in (2, 3, 4, 5):
        path = tmp_path / f"{protocol}.pt"
        torch_save(monkeypatch, {"a": Runs(proof), "v": Tensor(rows)}, path, protocol=protocol)
        e = emm1.import_embeddings(path, tmp_path / f"{protocol}.npy")
        assert (e.vectors([0, 1, 2]) == rows).all()
        with pytest.raises(emm1.EmbeddingError, match=r"'a' holds .* system, expected keys"):
            emm1.import_embeddings(path, tmp_path / "b.npy", key="a")
    np.savez(tmp_path / "a.npz", v=rows, a=np.array([Runs(proof)] * 3, dtype=object))
    assert len(emm1.import_embeddings(tmp_path / "a.npz", tmp_path / "n.npy")) == 3
    with pytest.raises(emm1.EmbeddingError, match="'a' holds object of shape"):
        emm1.import_embeddings(tmp_path / "a.npz", tmp_path / "b.npy", key="a")
    assert not proof.exists()
    os.system(f"touch {proof}")  # noqa: S605 - what unpickling would have done
    assert proof.exists()


def test_torch_files_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = tmp_path / "a.pt"

    def refused(words: str) -> None:
        with pytest.raises(emm1.EmbeddingError, match=words):
            emm1.import_embeddings(path, tmp_path / "b.npy")

    torch_save(monkeypatch, Tensor(rows.T), path)
    refused("not contiguous: save tensor.contiguous()")
    torch_save(monkeypatch, {"v": Tensor(rows.astype(np.complex64))}, path)
    refused("holds no column of vectors: v .torch ComplexFloatStorage")
    torch_save(monkeypatch, {"a": {"v": Tensor(rows)}, "b": [1, "x"]}, path)
    refused("a .a dict., b .a list of 2 int and str.")
    liar = Tensor(rows)
    liar.shape = (4, 4)
    liar.stride = (4, 1)
    torch_save(monkeypatch, liar, path)
    refused("ends at byte 64 of its storage, which has 48: it is cut short")
    liar.offset = 1 << 63
    torch_save(monkeypatch, liar, path)
    refused("a shape or a stride that no tensor can have")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps([0] * 1000))
    refused("compressed")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, 2))
        archive.writestr("a/byteorder", "big")
    refused("big-endian")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/other", "")
    refused("no data.pkl")
    path.write_bytes(pickle.dumps(rows))
    refused("load it with torch and save it again")


@settings(max_examples=1000, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(list(b"\x80\x02}]()tqRQscbu.K\x01X\x00ae\x85\x86N"))))
)
def test_any_bytes_as_a_pickle_are_a_value_or_an_error(program: bytes | list[int]) -> None:
    with suppress(ValueError):
        Program(bytes(program)).run()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    ),
    st.integers(2, 5),
)
def test_plain_pickles_are_read_as_they_were_written(value: object, protocol: int) -> None:
    assert Program(pickle.dumps(value, protocol)).run() == value
