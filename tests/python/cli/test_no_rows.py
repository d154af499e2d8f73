"""Why a query has no rows, and that nothing is said where that cannot be told, or where there are rows."""

from importlib.metadata import version
from pathlib import Path

import pytest
from system import emm1_cli

import emm1
from emm1.cli.no_rows import reasons


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without EShot and triplets, with embeddings of images."""
    path = tmp_path_factory.mktemp("no_rows") / "emm1.duckdb"
    with emm1.build(tree, path, splits=["100m"]) as built:
        built.add_embeddings("image", tree / "embeddings/image.npy", dataset="100m", modality="image", codes=False)
    return path


UNKNOWN = "'coco' is not a source_dataset, but 'COCO' is"
QUERIES = {
    "FROM assets WHERE source_dataset = 'coco'": [UNKNOWN],
    "FROM assets a WHERE a.source_dataset IN ('coco', 'COCO') AND false": [UNKNOWN],
    "FROM assets WHERE 'coco' = SOURCE_DATASET": [UNKNOWN],
    "WITH x AS (SELECT * FROM e_mm1_100m.image WHERE source_dataset = 'coco') FROM x JOIN x y USING (encord_image_id)": [
        UNKNOWN
    ],
    "FROM assets WHERE source_dataset = 'COCO' AND false": [],
    "FROM assets WHERE file_name = 'coco'": [],
    "FROM assets WHERE modality = 'x''y'": ["'x'y' is not a modality; it is one of audio, image, points, text, video"],
    "FROM assets WHERE modality = 'texts'": ["'texts' is not a modality, but 'text' is"],
    "FROM assets WHERE modality = 'videos' AND source_dataset = 'coco'": [
        "'videos' is not a modality, but 'video' is",
        UNKNOWN,
    ],
    "FROM nearest('image', embedding('image', 999999))": ["the embeddings 'image' have no vector with the id 999999"],
    "FROM nearest('image', embedding('image', 7)) WHERE false": [],
    "FROM triplets": [
        "e_mm1_1m.triplets is empty in this store: its file was not there, or left out, when the store was built"
    ],
    "FROM triplets_between(['points', 'audio'])": [
        "e_mm1_1m.triplets is empty in this store: its file was not there, or left out, when the store was built"
    ],
    "FROM eshot.audio": [
        "eshot.audio is empty in this store: its file was not there, or left out, when the store was built"
    ],
    "FROM groups WHERE false": [],
    "FROM embeddings WHERE name = 'text'": [],
    "SELECT id FROM splits WHERE split = 'test'": ["the store is not split yet: emm1 split"],
    "FROM maps WHERE name = 'image'": ["no map is made yet: emm1 map"],
    "FROM flags JOIN media_status USING (dataset, modality, id)": [
        "no item has a flag yet: emm1 flags add",
        "no media files are checked yet",
    ],
    "FROM caption_words WHERE word = 'dog'": ["the captions have no index yet: emm1 index captions"],
    "SHOW TABLES FROM nowhere": [],
    "SELECT (": [],
    "source_dataset = 'coco'": [UNKNOWN],
}


@pytest.mark.parametrize("query", QUERIES)
def test_reasons(query: str, store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        assert reasons(opened.connection, query) == QUERIES[query]


def test_the_values_that_are_suggested_find_rows(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        for wrong, right in (("coco", "COCO"), ("flickr", "Flickr30k"), ("google", "Google Conceptual Captions")):
            (reason,) = reasons(opened.connection, f"FROM assets WHERE source_dataset = '{wrong}'")
            assert f"'{right}'" in reason
            assert opened.sql(f"FROM assets WHERE source_dataset = '{right}' LIMIT 1").fetchall()


def test_reasons_are_said_on_standard_error_only(store: Path) -> None:
    for form, stdout in (("table", "id\n"), ("csv", "id\n"), ("json", "[\n\t\n]\n"), ("jsonl", "")):
        done = emm1_cli("sql", store, "SELECT id FROM assets WHERE source_dataset = 'coco'", "--format", form)
        assert (done.returncode, done.stdout, done.stderr) == (0, stdout, f"emm1: no rows: {UNKNOWN}\n")
    done = emm1_cli("search", store, "image", "--id", 7, "--where", "source_dataset = 'coco'")
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, f"emm1: no rows: {UNKNOWN}\n")
    done = emm1_cli("sql", store, "SELECT count(*) AS n FROM assets WHERE source_dataset = 'coco'")
    assert (done.stdout, done.stderr) == ("n\n0\n", "")


def test_version_and_short_help() -> None:
    done = emm1_cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"emm1 {version('emm1')}\n", "")
    for command in ([], ["embeddings"], ["sql"], ["embeddings", "list"]):
        short, long = emm1_cli(*command, "-h"), emm1_cli(*command, "--help")
        assert (short.returncode, short.stdout) == (0, long.stdout)
