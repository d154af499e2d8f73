"""Licence texts mean what was reviewed and nothing else, and a group is as strict as its strictest item."""

import csv
import itertools
import shutil
from collections import Counter
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl
import pytest
from packaging.licenses import canonicalize_license_expression
from system import emm1_cli

import emm1
from emm1.curation.licenses import attribution
from emm1.curation.licenses.report import LicenseReport
from emm1.curation.licenses.reviewed import TERMS, reviewed, sources, terms_for, terms_of
from emm1.curation.licenses.rows import Licensed
from emm1.sample.words import LICENSES

# The texts and sources that are attested in the published files, and those that stand-ins of them have.
TEXTS = {
    *LICENSES,
    "The dataset may be freely used for any purpose",
    "Researcher shall use the Database only for non-commercial research and educational purposes",
}
SOURCES = {
    *(
        "COCO",
        "Flickr30k",
        "AudioCaps",
        "WavCaps",
        "VidGen-1M",
        "Valor",
        "Google Conceptual Captions",
        "GCC",
        "ImageNet",
    ),
    *("InternVid", "VideoRefer", "AudioSet", "VGGSound", "Objaverse", "ShapeNet", "ABO", "3D-FUTURE"),
}
ODD = ["mit", " MIT", "MIT ", "MIT\n", "MIT.", "mit license", "M\u200bIT", "x" * 100_000, "<b>MIT</b>", "NULL", "0"]


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


def test_every_text_and_source_that_occurs_is_known() -> None:
    assert reviewed().keys() >= TEXTS
    assert sources().keys() >= SOURCES


def test_the_tables_are_well_formed() -> None:
    for name, key in (("licenses", "dataset_license"), ("license_sources", "source_dataset")):
        with (files("emm1") / "data" / f"{name}.csv").open(encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert {len(row) for row in rows} == {len(rows[0])}
        keys = [row[rows[0].index(key)] for row in rows[1:]]
        assert len(keys) == len(set(keys))
    assert {source.covers for source in sources().values()} <= {"annotations", "collection", "media"}
    assert {terms.covers for terms in reviewed().values()} == {None, "collection"}
    links = [terms.link for terms in reviewed().values() if terms.link] + [each.link for each in sources().values()]
    assert all(link.startswith("https://") for link in links)


def test_identifiers_are_those_of_spdx() -> None:
    for terms in reviewed().values():
        assert canonicalize_license_expression(terms.spdx) == terms.spdx
        assert terms.reviewed


def test_creative_commons_terms_are_what_the_identifiers_say() -> None:
    for name, terms in reviewed().items():
        if terms.spdx.startswith("CC-BY"):
            parts = terms.spdx.split("-")
            assert (terms.commercial_use, terms.share_alike) == ("NC" not in parts, "SA" in parts), name
            assert (terms.redistribution, terms.attribution) == (True, True)


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_exactly_a_reviewed_text_is_never_guessed(text: str) -> None:
    terms = terms_of(text)
    assert (terms.spdx, *(getattr(terms, name) for name in TERMS)) == ("LicenseRef-unreviewed", *[None] * 4)
    assert not terms.reviewed


@pytest.mark.parametrize("text", [None, "", " ", "\n\t"])
def test_no_text_states_nothing(text: str | None) -> None:
    assert (terms_of(text).spdx, terms_of(text).commercial_use) == ("NOASSERTION", None)


@pytest.mark.parametrize("source", ["AudioCaps", "ImageNet", "Objaverse", "of nobody", None])
def test_a_licence_of_annotations_permits_nothing_about_media(source: str | None) -> None:
    for text, of_captions in reviewed().items():
        if of_captions.covers == "collection":
            continue
        assert terms_for("text", source, text) == of_captions
        of_media = terms_for("audio", source, text)
        for name in ("commercial_use", "redistribution"):
            assert getattr(of_media, name) is (False if getattr(of_captions, name) is False else None)
        for name in ("attribution", "share_alike"):
            assert getattr(of_media, name) is (True if getattr(of_captions, name) is True else None)
        assert terms_for("points", "ABO", text) == of_captions


@pytest.mark.parametrize(("modality", "source"), [("text", "AudioCaps"), ("points", "ABO"), ("points", "Objaverse")])
def test_a_licence_of_a_database_permits_nothing_about_its_contents(modality: str, source: str) -> None:
    """ODC-By-1.0, section 2.4: the licence does not cover the contents, captions neither."""
    terms = terms_for(modality, source, "ODC-By-1.0")
    assert [getattr(terms, name) for name in TERMS] == [None, None, True, None]
    row = Licensed("100m", modality, source, "ODC-By-1.0", 3)
    assert row.values()["covers"] == "collection"
    assert "the licence covers: collection" in LicenseReport([row]).attribution()


def test_texts_that_state_no_obligation_leave_it_open() -> None:
    """What is quoted of Google's and ImageNet's terms says nothing of naming them, and CC0 waives it."""
    for text, terms in reviewed().items():
        if terms.spdx in {"LicenseRef-any-purpose", "LicenseRef-non-commercial-research"}:
            assert (terms.redistribution, terms.attribution, terms.share_alike) == (None, None, None), text
            assert terms.link
    assert terms_of("CC0-1.0").attribution is False


def strictest(values: list[bool | None], *, permission: bool) -> bool | None:
    """Permission: false if any is; obligation: true if any is; else NULL if any is NULL."""
    decisive = not permission
    if any(value is decisive for value in values):
        return decisive
    return None if any(value is None for value in values) else permission


def groups_of(
    connection: duckdb.DuckDBPyConnection, groups: list[tuple[int | None, ...]]
) -> Counter[tuple[object, ...]]:
    """What the query gives for groups of five items in the order text, image, video, audio, points.

    Item n of each modality has the n-th combination of terms, and item 81 has no info row.
    """
    kinds = ("text", "image", "video", "audio", "points")
    combinations = list(itertools.product([True, False, None], repeat=4))
    items = [(kind, number, *terms) for kind in kinds for number, terms in enumerate(combinations)]
    connection.execute(
        "CREATE OR REPLACE TABLE assets (dataset VARCHAR, modality VARCHAR, id INTEGER, source_dataset VARCHAR, dataset_license VARCHAR)"
    )
    rows = pl.DataFrame(
        items, schema=["modality", "id", *TERMS], orient="row", schema_overrides=dict.fromkeys(TERMS, pl.Boolean)
    )
    connection.register("emm1_items_given", rows.to_arrow())
    connection.execute("INSERT INTO assets SELECT '100m', modality, id, NULL, id::VARCHAR FROM emm1_items_given")
    connection.execute("INSERT INTO assets SELECT '1m', modality, id, NULL, '7' FROM emm1_items_given")
    licenses = rows.with_columns(source_dataset=pl.lit(None, pl.String), dataset_license=pl.col("id").cast(pl.String))
    connection.register("emm1_licenses", licenses.to_arrow())
    columns = [f"encord_{kind}_id" for kind in kinds]
    given = pl.DataFrame(groups, schema=dict.fromkeys(columns, pl.Int32), orient="row")
    connection.register("emm1_groups", given.to_arrow())
    text = (files("emm1") / "sql" / "curation" / "licenses" / "groups.sql").read_text(encoding="utf-8")
    return Counter({tuple(row[:4]): row[4] for row in connection.execute(text).fetchall()})


def test_the_strictest_item_of_a_group_counts() -> None:
    combinations = list(itertools.product([True, False, None], repeat=4))
    # Each term alone: all 3^5 combinations of its values; the last number is an item without an info row.
    values = [0, 80, 40]
    groups: list[tuple[int | None, ...]] = list(itertools.product(values, repeat=5))
    groups += [(5, *absent) for absent in itertools.product([None, 81, 23], repeat=4)]
    groups += [
        (number, (number * 7) % 81, (number * 11) % 81, (number * 13) % 81, (number * 17) % 81) for number in range(82)
    ]
    expected: Counter[tuple[object, ...]] = Counter()
    for group in groups:
        terms = [
            combinations[number] if number is not None and number != 81 else (None,) * 4
            for place, number in enumerate(group)
            if number is not None or place == 0
        ]
        permissions = [strictest([each[term] for each in terms], permission=True) for term in (0, 1)]
        obligations = [strictest([each[term] for each in terms], permission=False) for term in (2, 3)]
        expected[*permissions, *obligations] += 1
    with duckdb.connect() as connection:
        assert groups_of(connection, groups) == expected


def test_the_report_counts_every_item(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        report = opened.licenses(flag=False)
        rows = report.to_frame()
        counted = opened.sql(
            "SELECT dataset, modality::VARCHAR, source_dataset::VARCHAR, dataset_license::VARCHAR, count(*) FROM assets GROUP BY ALL"
        ).fetchall()
        asked = opened.licenses("modality = 'image' AND id < 10", flag=False)
        one = opened.group_licenses("nn_index = 1 AND encord_text_id % 2 = 0")
        ((groups,),) = opened.sql(
            "SELECT count(*) FROM group_captions WHERE nn_index = 1 AND encord_text_id % 2 = 0"
        ).fetchall()
    assert sorted(rows.select(*rows.columns[:4], "items").rows(), key=str) == sorted(counted, key=str)
    assert asked.to_frame()["items"].sum() == 20
    assert one.to_frame()["groups"].sum() == groups
    assert report.flagged is None
    assert all("no legal advice" in str(each) for each in (report, asked, one))


def test_the_table_and_the_flags_can_be_queried(store: Path) -> None:
    with emm1.open(store) as opened:
        opened.add_flags({"dataset": ["100m"], "modality": ["image"], "id": [0]}, "seen")
        report = opened.licenses("false")
        assert report.to_frame().is_empty()
        (joined,) = opened.sql("""
            SELECT count(*), count(*) FILTER (l.commercial_use = false), count(*) FILTER (coalesce(l.spdx, 'NOASSERTION') = 'NOASSERTION')
            FROM assets a LEFT JOIN licenses l USING (modality, source_dataset, dataset_license)
        """).fetchall()
        flags = dict(opened.sql("SELECT flag, count(*) FROM flags GROUP BY ALL").fetchall())
        ((assets,),) = opened.sql("SELECT count(*) FROM assets").fetchall()
        assert joined == (assets, flags["noncommercial"], flags["unreviewed-license"])
        assert report.flagged == flags["noncommercial"] + flags["unreviewed-license"]
        opened.licenses()
        assert dict(opened.sql("SELECT flag, count(*) FROM flags GROUP BY ALL").fetchall()) == flags | {"seen": 1}
        uncommented = "SELECT column_name FROM duckdb_columns() WHERE table_name = 'licenses' AND comment IS NULL"
        assert opened.sql(uncommented).fetchall() == []


def test_what_cannot_be_done_is_refused_and_changes_nothing(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        with pytest.raises(emm1.StoreError, match="reading only: open it for writing"):
            opened.licenses()
        for where in ("no_column = 1", "modality = ", "", "true; DROP TABLE flags", 5, "\0", "dataset_license = 1 / 0"):
            with pytest.raises(emm1.Error):
                opened.licenses(where, flag=False)  # type: ignore[arg-type]
            with pytest.raises(emm1.Error):
                opened.group_licenses(where)  # type: ignore[arg-type]
    for made in ("CREATE TABLE licenses (mine INTEGER)", "CREATE VIEW Licenses AS SELECT 1 AS mine"):
        with emm1.open(store) as opened:
            opened.sql(made)
            with pytest.raises(emm1.StoreError, match="licenses that emm1 did not make"):
                opened.licenses()
            assert opened.sql("SELECT count(*) FROM flags").fetchall() == [(0,)]
            assert opened.sql("SELECT * FROM licenses").columns == ["mine"]
            opened.sql("DROP TABLE licenses" if "TABLE" in made else "DROP VIEW licenses")


def test_a_store_without_items(tmp_path: Path, tree: Path) -> None:
    shutil.copytree(tree / "eshot", tmp_path / "root" / "eshot")
    with emm1.build(tmp_path / "root", tmp_path / "emm1.duckdb") as opened:
        assert set(opened.licenses().to_frame()["spdx"]) == {"NOASSERTION"}
        assert opened.group_licenses().to_frame().is_empty()
        assert "EShot (no source dataset is stated)" in attribution(opened)


def test_attribution_of_some_items(store: Path) -> None:
    with emm1.open(store, read_only=True) as opened:
        items = opened.sql(
            "SELECT dataset, modality, id FROM assets WHERE source_dataset = 'ABO' AND dataset_license = 'MIT'"
        )
        text = attribution(opened, items)
        assert attribution(opened, pl.concat([items.pl(), items.pl()])) == text
        assert "https://spdx.org/licenses/MIT.html" in text
        assert f"Items: {len(items):,} (points); the licence covers: media" in text
        assert "no legal advice" in " ".join(text.split())
        assert "There are no items." in attribution(opened, items.pl().clear())
        assert "There are no items." not in attribution(opened)
        for wrong in (
            {"dataset": ["100m"], "modality": ["image"], "id": [10**9]},
            {"dataset": ["200m"], "modality": [None], "id": [1]},
            {"dataset": ["100m"], "id": [1]},
            {"dataset": ["100m"], "modality": ["image"], "id": ["x"]},
            7,
        ):
            with pytest.raises(emm1.Error):
                attribution(opened, wrong)


def test_a_licence_text_cannot_pass_for_a_part_of_the_file() -> None:
    text = "x\n\nMIT\n---\nLicence as published: MIT\r\x1b[31m <script>alert(1)</script> # **bold** " + "y" * 5000
    rows = [Licensed("1m", "audio", "A\nB", text, 3), Licensed("1m", "text", None, None, 1)]
    written = LicenseReport(rows).attribution().splitlines()
    (line,) = [line for line in written if line.startswith("Licence as published: x")]
    assert line.endswith("y" * 5000)
    assert "\\n---\\n" in line
    assert "\x1b" not in line
    assert "Licence as published: MIT" not in written
    assert "A\\nB" in written
    assert "SPDX: LicenseRef-unreviewed" in written
    assert "of 3 items, about which nothing is said" in str(LicenseReport(rows))


def test_the_command(store: Path, tmp_path: Path) -> None:
    ran = emm1_cli("licenses", store, "--where", "source_dataset = 'ABO'", "--attribution", tmp_path / "ATTRIBUTION")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0].split("\t")[-1] == "items"
    assert "no legal advice" in ran.stderr
    assert (tmp_path / "ATTRIBUTION").read_text().startswith("ATTRIBUTION\n")
    refused = emm1_cli("licenses", store, "--groups", "--attribution", tmp_path / "no")
    assert (refused.returncode, (tmp_path / "no").exists()) == (2, False)
    over = emm1_cli("licenses", store, "--no-flag", "--attribution", store)
    assert over.returncode == 1
    assert "is the store itself" in over.stderr
    rows = emm1_cli("licenses", store, "--groups", "--output", tmp_path / "groups.csv")
    assert rows.returncode == 0
    assert (
        (tmp_path / "groups.csv")
        .read_text()
        .startswith("commercial_use,redistribution,attribution,share_alike,groups\n")
    )
