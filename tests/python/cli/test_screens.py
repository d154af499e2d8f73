"""What the commands show in terminals of 80×24 and 200×50 cells, compared with the files in screens/.

After a change that is meant: pytest tests/python/cli/test_screens.py --write-screens, and look at what changed.
"""

import re
from pathlib import Path

import duckdb
import pytest
from terminal import in_terminal
from trees import copied

import emm1

SCREENS = Path(__file__).parent / "screens"
SIZES = [(80, 24), (200, 50)]
VALUES = r"""
    SELECT NULL AS "null", '' AS empty, 'NULL' AS word, 'a' || chr(27) || '[31m' || chr(10) || 'b' AS control,
        '漢字とかなの見出し' AS wide, '👩‍👩‍👧 🇩🇪' AS emoji, 'שלום' AS hebrew, '\xAA\x00b'::BLOB AS bytes, 0.1::FLOAT AS score,
        [i / 8 FOR i IN range(1024)]::FLOAT[] AS vector, {'a': 'x', 'b': [1]} AS struct, DATE '2026-01-31' AS day
    FROM range(2)
"""
COMMANDS: dict[str, list[object]] = {
    "groups": ["sql", 'FROM "groups" WHERE nn_index = 1 ORDER BY encord_text_id LIMIT 5'],
    "all-groups": ["sql", 'FROM "groups" WHERE nn_index = 1 ORDER BY encord_text_id'],
    "captions": ["sql", "SELECT encord_text_id, caption FROM e_mm1_100m.text ORDER BY length(caption) DESC, 1 LIMIT 8"],
    "assets": ["sql", "SELECT * FROM assets ORDER BY dataset, modality, id"],
    "registered": ["sql", "FROM embeddings ORDER BY name"],
    "provenance": ["sql", "FROM provenance ORDER BY source"],
    "describe": ["sql", "DESCRIBE assets"],
    "values": ["sql", VALUES],
    "one-value": ["sql", "SELECT count(*) FROM e_mm1_100m.groups"],
    "no-rows": ["sql", "SELECT id, file_path FROM assets WHERE source_dataset = 'coco'"],
    "long": ["sql", "SELECT range AS n, 'row ' || range AS name FROM range(300_000)"],
    "many-columns": ["sql", "SELECT " + ", ".join(f"{i} AS column_{i}" for i in range(300))],
    "info": ["info"],
    "check": ["check"],
    "list": ["embeddings list"],
    "search-image": ["search", "image", "--id", 7, "-k", 5],
    "search-text": ["search", "text", "--id", 8, "-k", 5, "--exclude-self"],
    "search-no-rows": ["search", "image", "--id", 7, "--where", "source_dataset = 'Flickr'"],
    "groups-verify": ["groups verify", "--embeddings", "text=text,image=image", "--nn-index", "1-3"],
    "build": ["build"],
}


@pytest.fixture(scope="module")
def folder(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which times, paths and identities are fixed."""
    folder = tmp_path_factory.mktemp("screens")
    copied(tree, folder / "sample")
    with pytest.warns(UserWarning, match="/data/e-mm1 is not a folder"):
        store = emm1.build(folder / "sample", folder / "emm1.duckdb", media_root="/data/e-mm1")
    with store:
        for name in ("image", "text"):
            store.add_embeddings(
                name, folder / f"sample/embeddings/{name}.npy", dataset="100m", modality=name, codes=False
            )
    with duckdb.connect(str(folder / "emm1.duckdb")) as connection:
        connection.execute(
            "UPDATE provenance SET path = '/data/e-mm1/' || source, read_at = '2026-01-31 12:00:00.25', emm1_version = '0.1.0'"
        )
        connection.execute("UPDATE emm1_store SET built_at = '2026-01-31 12:00:00'")
        connection.execute("UPDATE embeddings SET added_at = '2026-01-31 12:00:00.25', emm1_version = '0.1.0'")
    return folder


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "200x50"])
@pytest.mark.parametrize("name", COMMANDS)
def test_screens(name: str, size: tuple[int, int], folder: Path, request: pytest.FixtureRequest) -> None:
    command, *more = COMMANDS[name]
    arguments = ["sample", f"built-{size[0]}.duckdb"] if name == "build" else ["emm1.duckdb", *more]
    status, shown = in_terminal(*str(command).split(), *arguments, columns=size[0], lines=size[1], cwd=folder)
    assert status == 0, shown
    if command == "sql":
        assert shown.count("\n") < size[1]  # the prompt that follows is on the screen too
    shown = steady(name, shown)
    place = SCREENS / f"{name}.{size[0]}x{size[1]}.txt"
    if request.config.getoption("--write-screens"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(shown, encoding="utf-8")
    assert shown == place.read_text(encoding="utf-8")


def steady(name: str, shown: str) -> str:
    """The screen without what changes from one build or version to the next."""
    if name == "info":
        shown = re.sub(r"^emm1.duckdb: .*", "emm1.duckdb: SIZE, built WHEN by emm1 VERSION", shown)
        shown = re.sub(r"^read with (.*\n)+?\n", "read with VERSIONS\n\n", shown, flags=re.MULTILINE)
    if name == "build":
        shown = re.sub(r"^.*/built-\d+.duckdb: .*", "STORE: SIZE in SECONDS", shown, flags=re.MULTILINE)
    if name == "registered":  # the identity of the store
        shown = re.sub(r"\b[0-9a-f]{16,32}", lambda found: "f" * len(found[0]), shown)
    return shown
