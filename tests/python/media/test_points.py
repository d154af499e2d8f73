"""Point clouds as OpenShape and others write them, against the arrays that were written; hostile files."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clouds import cloud, openshape, save_pickled
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

import emm1
from emm1.media.convert import convert_points
from emm1.media.describe import describe
from emm1.media.pickled import NumpyProgram
from emm1.media.points import read_points


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dictionaries_of_openshape(tmp_path: Path, protocol: int, dtype: str, order: Any) -> None:
    xyz, rgb = (part.astype(dtype, order=order) for part in cloud())
    found = read_points(save_pickled(tmp_path / "a.npy", openshape(xyz, rgb), protocol))
    expected = np.load(tmp_path / "a.npy", allow_pickle=True).item()
    assert np.array_equal(found.array[:, :3], expected["xyz"].astype("f4"))
    assert np.array_equal(found.array[:, 3:], expected["rgb"].astype("f4"))
    assert found.array.dtype == np.float32
    assert found.notes == ()
    assert not found.ready
    assert "image_feat" in found.others
    assert "xyz" not in found.others


def test_what_numpy_save_writes(tmp_path: Path) -> None:
    xyz, rgb = cloud()
    np.save(tmp_path / "a.npy", openshape(xyz, rgb))  # type: ignore[arg-type]
    assert np.array_equal(read_points(tmp_path / "a.npy").array, np.hstack([xyz, rgb]))


def test_names_of_numpy_1(tmp_path: Path) -> None:
    """OpenShape's files were written by NumPy 1, whose module has another name."""
    xyz, rgb = cloud(50)
    path = save_pickled(tmp_path / "a.npy", {"xyz": xyz, "rgb": rgb}, 3)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert np.array_equal(read_points(path).array, np.hstack([xyz, rgb]))


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_plain_arrays(tmp_path: Path, dtype: str, order: Any) -> None:
    rows = np.hstack(cloud()).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", rows)
    found = read_points(tmp_path / "a.npy")
    assert np.array_equal(found.array, rows.astype("f4"))
    assert found.ready is (dtype != ">f4")


@pytest.mark.parametrize(
    ("colours", "expected", "said"),
    [
        (np.array([[0, 128, 255]], "u1"), [0, 128 / 255, 1], True),
        (np.array([[0, 1, 1]], "i8"), [0, 1 / 255, 1 / 255], True),
        (np.array([[0.0, 51.0, 255.0]]), [0, 0.2, 1], True),
        (np.array([[0.0, 0.2, 1.0]]), [0, 0.2, 1], False),
        (np.array([[-1e-6, 0.2, 1.0000002]]), [0, 0.2, 1], False),
    ],
)
def test_colours_from_0_to_255_become_0_to_1(tmp_path: Path, colours: Any, expected: list[float], said: bool) -> None:
    found = read_points(save_pickled(tmp_path / "a.npy", {"xyz": np.zeros((1, 3)), "rgb": colours}))
    np.testing.assert_allclose(found.array[0, 3:], expected, rtol=1e-6)
    assert found.notes == (("colours from 0 to 255 were divided by 255",) if said else ())


def test_clouds_without_colours_are_grey_as_in_openshape(tmp_path: Path) -> None:
    xyz, _ = cloud(9)
    np.save(tmp_path / "b.npy", xyz)
    for path in (save_pickled(tmp_path / "a.npy", {"xyz": xyz}), tmp_path / "b.npy"):
        found = read_points(path)
        assert np.array_equal(found.array[:, :3], xyz)
        assert (found.array[:, 3:] == np.float32(0.4)).all()
        assert found.notes == ("it has no colours, which were set to 0.4",)
        assert not found.ready


XYZ, RGB = cloud(20)
INFINITE = XYZ.copy()
INFINITE[7, 1] = np.nan
CYCLE: dict[str, Any] = {"xyz": XYZ}
CYCLE["rgb"] = CYCLE
LIST: list[Any] = []
LIST.append(LIST)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"rgb": RGB}, r"its dictionary has no 'xyz': it has rgb$"),
        ({"xyz": XYZ.tolist(), "rgb": RGB}, "its 'xyz' is no array but list"),
        ({"xyz": XYZ[:, :2], "rgb": RGB}, r"its 'xyz' has the shape \(20, 2\), expected \(points, 3\)"),
        ({"xyz": XYZ.ravel(), "rgb": RGB}, r"its 'xyz' has the shape \(60,\)"),
        ({"xyz": XYZ, "rgb": RGB[:5]}, "it has 20 points, but 5 colours"),
        ({"xyz": XYZ[:0], "rgb": RGB[:0]}, "it has no points"),
        ({"xyz": INFINITE, "rgb": RGB}, "point 7 has a coordinate that is NaN, infinite or too large"),
        ({"xyz": XYZ.astype("f8") * 1e300, "rgb": RGB}, "point 0 has a coordinate that is NaN, infinite or too large"),
        ({"xyz": XYZ, "rgb": INFINITE}, "point 7 has a colour that is NaN"),
        ({"xyz": XYZ, "rgb": RGB - 0.5}, r"point \d+ has the colour \[.*\]: expected 0 to 1, or 0 to 255"),
        ({"xyz": XYZ, "rgb": RGB * 1000}, r"has the colour .*: expected 0 to 1, or 0 to 255"),
        ({"xyz": XYZ.astype(object), "rgb": RGB}, "its 'xyz' is an array of 'O8', not of numbers"),
        ({"xyz": XYZ.astype("c8"), "rgb": RGB}, "its 'xyz' is an array of 'c8', not of numbers"),
        ({"xyz": np.array([["1", "2", "3"]]), "rgb": RGB}, "its 'xyz' is an array of 'U1', not of numbers"),
        ([XYZ, RGB], r"it holds objects of shape \(\), expected one dictionary"),
        ("xyz", "expected one dictionary"),
        (None, "expected one dictionary"),
        (CYCLE, "its 'rgb' is no array but dict"),
        (LIST, "expected one dictionary"),
        ({("a", "b"): 1, None: 2, 5: 3}, "its dictionary has no 'xyz': it has 5$"),
    ],
)
def test_dictionaries_that_are_wrong(tmp_path: Path, value: Any, words: str) -> None:
    path = save_pickled(tmp_path / "a.npy", value)
    with pytest.raises(emm1.errors.SourceError, match=rf"a\.npy cannot be read as a point cloud: .*{words}"):
        read_points(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((5, 4)), r"an array of shape \(5, 4\), expected \(points, 6\) or \(points, 3\)"),
        (np.zeros(6), r"an array of shape \(6,\)"),
        (np.zeros((0, 6)), "it has no points"),
        (np.full((3, 6), np.inf), "point 0 has a coordinate"),
        (np.zeros((3, 6), "c8"), "an array of 'c8', not of numbers"),
        (np.zeros((3, 6), "S4"), "an array of 'S4', not of numbers"),
        (np.array([{"xyz": XYZ, "rgb": RGB}]), r"it holds objects of shape \(1,\), expected one dictionary"),
    ],
)
def test_arrays_that_are_wrong(tmp_path: Path, rows: Any, words: str) -> None:
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(emm1.errors.SourceError, match=words):
        read_points(tmp_path / "a.npy")


class Runs:
    """Unpickling it runs a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_never_executed(tmp_path: Path, protocol: int) -> None:
    proof = tmp_path / "proof"
    beside = save_pickled(tmp_path / "a.npy", {"xyz": XYZ, "rgb": RGB, "run": Runs(proof)}, protocol)
    assert len(read_points(beside).array) == 20
    instead = save_pickled(tmp_path / "b.npy", {"xyz": Runs(proof), "rgb": RGB}, protocol)
    with pytest.raises(emm1.errors.SourceError, match="its 'xyz' is no array but Opaque"):
        read_points(instead)
    with pytest.raises(emm1.errors.SourceError, match="expected one dictionary"):
        read_points(save_pickled(tmp_path / "c.npy", Runs(proof), protocol))
    assert not proof.exists()
    np.load(beside, allow_pickle=True)
    assert proof.exists()  # what unpickling does


def header(shape: tuple[int, ...] = (), descr: str = "|O") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is no .npy file"),
        (b"\x93NUMPY", "magic"),
        (b"\x93NUMPY\x09\x00", "version"),
        (header()[:-20], "EOF|header"),
        (header(), "exhausted|ends before|pickle"),
        (header() + b"\x80\x04", "exhausted|ends before|pickle"),
        (header() + b"\x80\x04(.", "damaged"),
        (header() + b"(" * 100_000 + b".", "damaged"),
        (header() + b"]" + b"]a" * 5 + b"\x8c\x01a" * 3 + b"R.", "damaged"),
        (header() + b"ios\nsystem\n.", "its pickle uses INST, which numpy.save does not"),
        (header() + b"cos\nsystem\n(S'true'\ntR.", "its pickle uses STRING, which numpy.save does not"),
        (header() + b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b".", "exhausted|expected|pickle"),
        (header() + b"B" + struct.pack("<I", 0xFFFFFFFF) + b"x.", "expected|pickle"),
        (header() + b"\x8b" + struct.pack("<i", -1) + b".", "negative|pickle|byte count"),
        (header() + b"\x80\x04\x82\x01.", "its pickle uses EXT1"),
        (header() + b"Pabc\n.", "its pickle uses PERSID"),
        (header() + b"\x80\x04]Q.", "refers to a list outside of it, which numpy.save does not"),
        (header((1 << 40, 6), "<f4"), "an array of shape"),
        (header((10, 6), "<f4") + b"\0" * 239, r"an array of shape \(10, 6\) of float32 with 239 bytes"),
        (header((10, 6), "<f4") + b"\0" * 241, "with 241 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
    ],
)
def test_damaged_files(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(emm1.errors.SourceError, match=rf"a\.npy cannot be read as a point cloud: .*({words})"):
        read_points(tmp_path / "a.npy")


def array_that_says(**state: Any) -> bytes:
    """A pickled dictionary whose xyz has a state that NumPy never writes."""
    dtype = np.dtype("<f4")
    values = {"version": 1, "shape": (1, 3), "dtype": dtype, "fortran": False, "data": bytes(12)} | state

    class Lies:
        def __reduce__(self) -> tuple[Any, ...]:
            made: Any = XYZ.__reduce__()
            return made[0], made[1], tuple(values.values())

    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    pickler.dispatch_table = copyreg.dispatch_table.copy()
    pickler.dump({"xyz": Lies(), "rgb": RGB[:1]})
    return file.getvalue()


@pytest.mark.parametrize(
    "state",
    [
        {"shape": (1 << 62, 1 << 62)},
        {"shape": (-1, -3)},
        {"shape": ("a", 3)},
        {"shape": 5},
        {"shape": (1,) * 100_000},
        {"shape": (10**3000, 3)},
        {"shape": (0, 3), "data": b""},
        {"dtype": None},
        {"dtype": np.dtype("V12")},
        {"data": None},
        {"data": "x" * 12},
        {"data": bytes(11)},
        {"data": [1.0] * 3},
        {"extra": 1},
    ],
)
def test_arrays_in_pickles_that_lie(tmp_path: Path, state: dict[str, Any]) -> None:
    assert NumpyProgram(array_that_says()).run()["xyz"].numbers().tolist() == [[0, 0, 0]]
    (tmp_path / "a.npy").write_bytes(header() + array_that_says(**state))
    with pytest.raises(emm1.errors.SourceError, match=r"a\.npy cannot be read"):
        read_points(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "program",
    [
        b"]" + b"\x85" * 300_000 + b".",
        b"]" * 300_000 + b"a" * 299_999 + b".",
        b"cnumpy._core.multiarray\n_reconstruct\n)R" * 20_000
        + b"("
        + b"K\x01)cnumpy\ndtype\nN\x85R\x89Nt"
        + b"b" * 19_999
        + b".",
    ],
)
def test_values_may_be_nested_as_deeply_as_they_like(tmp_path: Path, program: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(header() + b"\x80\x02" + program)
    with pytest.raises(emm1.errors.SourceError, match=r"a\.npy cannot be read"):
        read_points(tmp_path / "a.npy")


DOUBLED = b"".join(
    b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(40)
)  # tuples: 2⁴⁰ values when written out


@pytest.mark.parametrize(
    "program",
    [
        # Names of names: each twice as long.
        b"\x8c\x01a\x94" + DOUBLED.replace(b"\x86", b"\x93") + b".",
        b"N\x94" + DOUBLED + b"cnumpy\ndtype\nh\x28\x85R.",
        b"cnumpy\ndtype\n\x8c\x02f4\x85RK\x03" + b"N" + b"\x85" * 3_000_000 + b"\x86b.",
        # A string that is encoded thousands of times.
        b"(X"
        + struct.pack("<I", 10**6)
        + b"a" * 10**6
        + b"\x94"
        + b"c_codecs\nencode\nh\x00\x8c\x06latin1\x86R" * 20_000
        + b"t.",
    ],
)
def test_small_files_do_not_fill_the_memory(tmp_path: Path, program: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(header() + b"\x80\x04" + program)
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)); from emm1.media.points import read_points; read_points(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", limit, str(tmp_path / "a.npy")], capture_output=True, text=True, timeout=60, check=False
    )
    assert "SourceError" in done.stderr, done.stderr[-500:]
    assert "a.npy cannot be read" in done.stderr


def test_names_of_other_entries_stay_on_their_line(tmp_path: Path) -> None:
    others = {"a\nEBind reads it as it is": 1, "\x1b[31mred": 2, 10**6000: 3}
    path = save_pickled(tmp_path / "a.npy", {"xyz": XYZ, "rgb": RGB, **others})
    assert sum("EBind reads it as it is" in line for line in describe(path)) == 1
    assert all(line.isprintable() for line in describe(path))
    save_pickled(path, others)
    with pytest.raises(emm1.errors.SourceError, match="no 'xyz'") as refused:
        read_points(path)
    assert str(refused.value).isprintable()


WHOLE = pickle.dumps(np.array({"xyz": XYZ[:3], "rgb": RGB[:3], "text": ["a"], "f": np.float32(1)}, object), 4)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_pickles_are_values_or_errors(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(WHOLE)
    for at, byte in changes:
        changed[at] = byte
    with suppress(ValueError):
        NumpyProgram(bytes(changed)).run()


def test_files_cut_short_are_refused(tmp_path: Path) -> None:
    whole = save_pickled(tmp_path / "a.npy", {"xyz": XYZ, "rgb": RGB}).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "a.npy").write_bytes(whole[:length])
        with pytest.raises(emm1.errors.SourceError, match=r"a\.npy"):
            read_points(tmp_path / "a.npy")


def test_files_that_are_none(tmp_path: Path) -> None:
    for read in (read_points, lambda path: convert_points(path, tmp_path / "b.npy")):
        with pytest.raises(emm1.FileNotFoundError, match=r"none\.npy does not exist"):
            read(tmp_path / "none.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(emm1.errors.SourceError, match="not a regular file"):
        read_points(tmp_path / "pipe.npy")
    with pytest.raises(emm1.errors.SourceError, match="it is a folder"):
        read_points(tmp_path)
    with (tmp_path / "huge.npy").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(emm1.errors.SourceError, match="no point cloud has more than"):
        read_points(tmp_path / "huge.npy")


def test_every_kind_of_point_cloud_is_read_by_numpy_as_well(tmp_path: Path) -> None:
    """The reader agrees with NumPy's own, on what NumPy may unpickle because the test wrote it."""
    reads: list[Callable[[Path], Any]] = [lambda path: np.load(path, allow_pickle=True).item()["xyz"]]
    for dtype in ("<i2", ">i4", "<u2", "|i1", "|u1", "<f8"):
        xyz = (cloud(30)[0] * 100 + 100).astype(dtype)
        path = save_pickled(tmp_path / "a.npy", {"xyz": xyz})
        assert np.array_equal(read_points(path).array[:, :3], reads[0](path).astype("f4"))
