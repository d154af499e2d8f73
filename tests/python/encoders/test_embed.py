"""Items of a store, encoded: which get a vector, in which order, and what interrupted and repeated runs give."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import emm1
from emm1.convert.embed import embed_shard

DIMS = 5


class Letters:
    """Counts letters: of a caption, or of the content of a file; a file that does not begin with `x` is unreadable."""

    modalities = ("text", "image")
    dims = DIMS

    def __init__(self, fails_after: int = 1 << 40) -> None:
        self.batches: list[int] = []
        self.left = fails_after

    def encode(self, modality: str, items: Sequence[str]) -> NDArray[np.float64]:
        """As `emm1.encoders.Encoder.encode`."""
        self.left -= len(items)
        if self.left < 0:
            raise KeyboardInterrupt
        self.batches.append(len(items))
        contents = list(items) if modality == "text" else [Path(item).read_text(encoding="utf-8") for item in items]
        rows = [[content.count(letter) for letter in "aeiou"] for content in contents]
        vectors = np.array(rows, float) + 0.5
        if modality == "image":
            vectors[[not content.startswith("x") for content in contents]] = np.nan
        return vectors


@pytest.fixture
def store(tmp_path: Path) -> emm1.Store:
    emm1.write_sample(tmp_path / "sample", embeddings=0)
    return emm1.build(tmp_path / "sample", tmp_path / "emm1.duckdb")


def test_captions_get_the_vectors_of_the_encoder_in_the_order_of_their_ids(store: emm1.Store, tmp_path: Path) -> None:
    encoder = Letters()
    done = store.embed("letters", encoder, modality="text", batch_size=100)
    rows = store.sql("SELECT encord_text_id, caption FROM e_mm1_100m.text ORDER BY 1").fetchall()
    vectors = np.load(tmp_path / "letters.npy")
    assert np.load(tmp_path / "letters.ids.npy").tolist() == [row[0] for row in rows]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, Letters().encode("text", [row[1] for row in rows]))
    assert (done.missing, done.unreadable, done.notes) == (0, 0, [])
    assert max(encoder.batches) == 100
    assert not list(tmp_path.glob("*.parts"))


def test_files_that_are_missing_or_unreadable_are_counted_and_have_no_vector(store: emm1.Store, tmp_path: Path) -> None:
    root = tmp_path / "media"
    store.sql(f"SET VARIABLE emm1_root = '{root}'")
    paths = [
        Path(row[0])
        for row in store.sql(
            "SELECT file_path FROM assets WHERE dataset = '1m' AND modality = 'image' ORDER BY id"
        ).fetchall()
    ]
    store.sql("RESET VARIABLE emm1_root")
    for number, path in enumerate(paths[:40]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(("x" if number % 4 else "broken") + "a" * number, encoding="utf-8")
    done = store.embed("pictures", Letters(), modality="image", dataset="1m", root=root)
    assert (done.registration.rows, done.missing, done.unreadable) == (30, len(paths) - 40, 10)
    assert done.first_unreadable == (str(paths[0]), str(paths[4]), str(paths[8]))
    assert "10 files could not be read" in str(done)
    vectors = np.load(tmp_path / "pictures.npy")
    assert vectors[:, 0].tolist() == [number + 0.5 for number in range(40) if number % 4]
    with pytest.raises(emm1.EmbeddingError, match=r"no file of .* items can be read"):
        store.embed("none", Letters(), modality="image", dataset="1m", root=tmp_path)
    assert "none" not in store.registry


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(store: emm1.Store, tmp_path: Path) -> None:
    store.embed("whole", Letters(), modality="text")
    with pytest.raises(KeyboardInterrupt):
        store.embed("again", Letters(fails_after=1500), modality="text")
    assert not (tmp_path / "again.npy").exists()
    rest = Letters()
    store.embed("again", rest, modality="text")
    captions = store.sql("SELECT count(*) FROM e_mm1_100m.text").fetchall()[0][0]
    assert captions > 1500 + 1024
    assert sum(rest.batches) == 1 + captions - 1024  # one tells that the encoder is the same
    for suffix in (".npy", ".ids.npy"):
        assert (tmp_path / f"again{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_shards_give_the_same_bytes(store: emm1.Store, tmp_path: Path) -> None:
    store.embed("whole", Letters(), modality="text")
    for shard in (3, 1):
        embed_shard(store, "shared", Letters(), shard=(shard, 3), modality="text")
    with pytest.raises(emm1.EmbeddingError, match=r"run shard 2/3 again"):
        store.embed("shared", Letters(), modality="text", merge=True)
    with pytest.raises(emm1.EmbeddingError, match=r"settings \(shards\)"):
        embed_shard(store, "shared", Letters(), shard=(2, 2), modality="text")
    embed_shard(store, "shared", Letters(), shard=(2, 3), modality="text")
    store.embed("shared", Letters(), modality="text", merge=True)
    for suffix in (".npy", ".ids.npy"):
        assert (tmp_path / f"shared{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_parts_of_other_items_or_another_encoder_are_not_taken(store: emm1.Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.embed("letters", Letters(fails_after=1500), modality="text")
    with pytest.raises(emm1.EmbeddingError, match="parts of a run with other files or settings"):
        store.embed("letters", Letters(), modality="text", where="encord_text_id < 2000")


def test_parts_of_an_encoder_with_other_dims_are_not_taken(store: emm1.Store) -> None:
    class Wide(Letters):
        dims = DIMS + 1

    with pytest.raises(KeyboardInterrupt):
        store.embed("letters", Letters(fails_after=1500), modality="text")
    for call in (store.embed, partial(embed_shard, store, shard=(1, 2))):
        with pytest.raises(emm1.EmbeddingError, match=r"parts of a run with other files or settings \(.*dims"):
            call("letters", Wide(), modality="text")


def test_parts_of_another_encoder_of_the_same_name_are_not_taken(store: emm1.Store) -> None:
    class Other(Letters):
        def __init__(self, more: float, fails_after: int = 1 << 40) -> None:
            super().__init__(fails_after)
            self.more = more

        def encode(self, modality: str, items: Sequence[str]) -> NDArray[np.float64]:
            return super().encode(modality, items) + self.more

    with pytest.raises(KeyboardInterrupt):
        store.embed("letters", Other(0, fails_after=1500), modality="text")
    with pytest.raises(emm1.EmbeddingError, match="that another encoder made"):
        store.embed("letters", Other(1), modality="text")


def test_media_that_come_later_are_found(store: emm1.Store, tmp_path: Path) -> None:
    root = tmp_path / "media"
    root.mkdir()
    options = {"modality": "image", "dataset": "1m", "root": root, "where": "encord_image_id < 20"}
    with pytest.raises(emm1.EmbeddingError, match="can be read"):
        store.embed("pictures", Letters(), **options)  # type: ignore[arg-type]
    store.sql(f"SET VARIABLE emm1_root = '{root}'")
    for (path,) in store.sql("SELECT file_path FROM assets WHERE dataset = '1m' AND modality = 'image'").fetchall():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("xa", encoding="utf-8")
    assert store.embed("pictures", Letters(), **options).missing == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((3, DIMS)), r"gave an array \(3, 5\) for 2 items"),
        (np.ones((2, 4)), r"gave an array \(2, 4\) for 2 items, and says that it has 5 dims"),
        (np.array([[1.0] * 5, [1, 1, 1, 1, np.nan]]), "a vector with NaN or an infinity"),
        (np.array([[1.0] * 5, [1e300] * 5]), "a vector with NaN or an infinity"),
        ("words", "the encoder failed|gave an array"),
    ],
)
def test_what_is_no_array_of_vectors_is_refused(store: emm1.Store, given: object, message: str) -> None:
    class Wrong(Letters):
        def encode(self, _modality: str, _items: Sequence[str]) -> NDArray[np.float64]:
            return given  # type: ignore[return-value]

    with pytest.raises(emm1.EmbeddingError, match=message):
        store.embed("wrong", Wrong(), modality="text", where="encord_text_id < 2")


def test_wrong_requests_say_what_is_wrong(store: emm1.Store, tmp_path: Path) -> None:
    with pytest.raises(emm1.EmbeddingError, match="takes text, image, not audio"):
        store.embed("letters", Letters(), modality="audio")
    with pytest.raises(emm1.EmbeddingError, match="unknown modality 'smell'"):
        store.embed("letters", Letters(), modality="smell")
    with pytest.raises(emm1.FileNotFoundError, match="there is no folder"):
        store.embed("letters", Letters(), modality="image", root=tmp_path / "nowhere")
    with pytest.raises(emm1.EmbeddingError, match="there is no encoder 'ours'"):
        store.embed("letters", "ours", modality="text")
    with pytest.raises(emm1.EmbeddingError, match="batch_size"):
        store.embed("letters", Letters(), modality="text", batch_size=0)
    with pytest.raises(emm1.EmbeddingError, match="'a/b' cannot be the name of a file"):
        store.embed("a/b", Letters(), modality="text")
    with pytest.raises(emm1.StoreError, match="does not fit"):
        store.embed("letters", Letters(), modality="text", where="smell > 3")
    with pytest.raises(emm1.EmbeddingError, match="no text items of 100m that satisfy"):
        store.embed("letters", Letters(), modality="text", where="false")
    store.embed("letters", Letters(), modality="text")
    with pytest.raises(emm1.StoreError, match="replace=True"):
        store.embed("letters", Letters(), modality="text", output=tmp_path / "other.npy")
    assert not (tmp_path / "other.npy").exists()
    with pytest.raises(emm1.EmbeddingError, match="exists"):
        store.embed("letters", Letters(), modality="text", replace=True)
    store.close()
    with emm1.open(tmp_path / "emm1.duckdb", read_only=True) as opened, pytest.raises(emm1.StoreError, match="reading"):
        opened.embed("more", Letters(), modality="text")
    assert not list(tmp_path.glob("more*"))


def test_text_is_searched_by_its_vector(store: emm1.Store) -> None:
    store.embed("letters", Letters(), modality="text")
    texts = ["a brown dog", "two men on a boat"]
    vectors = Letters().encode("text", texts)
    expected = store.nearest("letters", vectors, 5).fetchall()
    assert store.nearest("letters", k=5, text=texts, encoder=Letters()).fetchall() == expected
    alone = store.nearest("letters", k=5, text=texts[1], encoder=Letters()).fetchall()
    assert alone == [row[1:] for row in expected if row[0] == 1]
    with pytest.raises(emm1.EmbeddingError, match="give text and encoder, or neither"):
        store.nearest("letters", text="a dog")
    with pytest.raises(emm1.EmbeddingError, match="one of queries, ids and text"):
        store.nearest("letters", ids=3, text="a dog", encoder=Letters())

    for wrong in ([], [b"a"], [None]):
        with pytest.raises(emm1.EmbeddingError, match="text must be a text or a list"):
            store.nearest("letters", text=wrong, encoder=Letters())  # type: ignore[arg-type]

    class Short(Letters):
        dims = 3

    with pytest.raises(emm1.EmbeddingError, match=r"gives 3 components, but the vectors of .* have 5"):
        store.nearest("letters", text="a dog", encoder=Short())
