"""What accompanies exported rows: a dataset card for the Hub, Croissant metadata, and the manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from emm1.export.shards import File

CARD, CROISSANT, MANIFEST, ATTRIBUTION = "README.md", "croissant.json", "manifest.json", "ATTRIBUTION"
LICENCE = "https://opendatacommons.org/licenses/by/1-0/"
HOME = "https://github.com/encord-team/E-MM1"
# The formats that Croissant's readers know, and what it calls them; of the others only the files are described.
READABLE = {"parquet": "application/x-parquet", "csv": "text/csv", "jsonl": "application/jsonlines"}
ENCODINGS = {**READABLE, "arrow": "application/vnd.apache.arrow.file", "tar": "application/x-tar"}
TYPES = (
    (pa.types.is_boolean, "sc:Boolean"),
    (pa.types.is_integer, "sc:Integer"),
    (pa.types.is_floating, "sc:Float"),
    (pa.types.is_date, "sc:Date"),
    (pa.types.is_timestamp, "sc:Date"),
)
# What Croissant's readers cannot read; the files have it, but it is no field.
UNREADABLE = (pa.types.is_nested, pa.types.is_time, pa.types.is_duration)
LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        to: the format that was asked for.
        query: the query.
        schema: the columns of its rows.
        partition_by: the column that is in the names of the folders.
        files: the files with the rows.
        settings: what else decided about the bytes.
        notes: what there is to know about it.
    """

    to: str
    query: str
    schema: pa.Schema
    partition_by: str | None
    files: tuple[File, ...]
    settings: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(file.rows for file in self.files)

    @property
    def suffix(self) -> str:
        """The suffix of the files."""
        return {"webdataset": "tar", "hub": "parquet"}.get(self.to, self.to)


def describe(folder: Path, exported: Exported, attribution: str | None) -> None:
    """Write what accompanies the rows, the manifest last; `attribution` is whom to name for their items, None if that is not known."""
    (folder / CARD).write_text(_card(exported, attributed=attribution is not None), encoding="utf-8")
    _write_json(folder / CROISSANT, _croissant(exported))
    names = [CARD, CROISSANT]
    if attribution is not None:
        (folder / ATTRIBUTION).write_text(attribution, encoding="utf-8")
        names.append(ATTRIBUTION)
    others = [File.of(folder, folder / name, 0) for name in names]
    manifest = {
        "emm1": metadata.version("emm1"),
        "to": exported.to,
        "query": exported.query,
        **exported.settings,
        "rows": exported.rows,
        "notes": exported.notes,
        "columns": [{"name": column.name, "type": str(column.type)} for column in exported.schema],
        "files": [file.to_dict() for file in (*exported.files, *others)],
    }
    _write_json(folder / MANIFEST, manifest)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _card(exported: Exported, *, attributed: bool) -> str:
    fence = "```"
    while fence in exported.query:
        fence += "`"
    lines = [
        "---",
        "pretty_name: Rows of E-MM1",
        "license: odc-by",
        "tags: [e-mm1, multimodal]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f'    path: "data/**/*.{exported.suffix}"',
        "---",
        "",
        "# Rows of E-MM1",
        "",
        f"{exported.rows:,} rows of [E-MM1]({HOME}), exported by emm1 {metadata.version('emm1')} ({exported.to}):",
        "",
        f"{fence}sql",
        exported.query,
        fence,
        "",
        *(f"- {note}" for note in exported.notes),
        *([""] if exported.notes else []),
        "The database is under the Open Data Commons Attribution License (ODC-By 1.0). Captions and media keep the licences of the",
        "datasets that they come from.",
        *(
            [f"[{ATTRIBUTION}]({ATTRIBUTION}) says which these are, and whom to name. It is no legal advice."]
            if attributed
            else []
        ),
        "",
        "| column | type |",
        "|---|---|",
        *(f"| {_cell(column.name)} | {_cell(str(column.type))} |" for column in exported.schema),
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _croissant(exported: Exported) -> dict[str, Any]:
    encoding = ENCODINGS[exported.suffix]
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": encoding,
            "sha256": file.sha256,
        }
        for file in exported.files
    ]
    together = {
        "@type": "cr:FileSet",
        "@id": "files",
        "name": "files",
        "description": "All files with rows",
        "encodingFormat": encoding,
        "includes": f"data/*.{exported.suffix}",  # its * also stands for folders
    }
    described: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "e-mm1-rows",
        "description": f"{exported.rows:,} rows of E-MM1, exported by emm1: {exported.query}",
        "license": LICENCE,
        "url": HOME,
        "version": "1.0.0",
        "distribution": [*objects, together],
    }
    if exported.suffix in READABLE:
        columns = [column for column in exported.schema if column.name != exported.partition_by]
        fields = [field for column in columns if (field := _field(column)) is not None]
        if fields:
            described["recordSet"] = [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}]
    return described


def _field(column: pa.Field) -> dict[str, Any] | None:
    several = any(is_one(column.type) for is_one in LISTS)
    value = column.type.value_type if several else column.type
    if any(is_one(value) for is_one in UNREADABLE):
        return None
    return {
        "@type": "cr:Field",
        "@id": f"rows/{column.name}",
        "name": column.name,
        "dataType": next((name for is_one, name in TYPES if is_one(value)), "sc:Text"),
        **({"repeated": True} if several else {}),
        "source": {"fileSet": {"@id": "files"}, "extract": {"column": column.name}},
    }


# That of Croissant 1.0, word for word.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
