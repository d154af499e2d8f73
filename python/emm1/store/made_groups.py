"""The record in a folder of groups that emm1 made: of which embeddings, so that a store built from them can say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# Its file, beside the folders of the ranks.
NAME = "groups.json"


def write_record(folder: Path, made_from: Mapping[str, Mapping[str, object]], **more: object) -> None:
    """Write the record.

    Args:
        folder: the folder of the groups.
        made_from: what is to be known of the embeddings of each modality: their ``source``, and for items their ``metric``.
        more: other facts, in JSON's types.
    """
    text = json.dumps({**more, "embeddings": made_from}, indent=2, ensure_ascii=False)
    (folder / NAME).write_text(f"{text}\n", encoding="utf-8")


def note_of(folder: Path) -> str | None:
    """What the groups in a folder were made of, in words; None if the folder has no record.

    >>> folder = getfixture("tmp_path")
    >>> write_record(folder, {"text": {"source": "text.npy"}, "image": {"source": "image.npy", "metric": "dot"}}, k=2)
    >>> note_of(folder)
    'made by emm1 groups make: text=text.npy, image=image.npy (dot)'
    """
    try:
        embeddings = json.loads((folder / NAME).read_text(encoding="utf-8"))["embeddings"]
        named = [
            f"{modality}={facts['source']}" + (f" ({facts['metric']})" if "metric" in facts else "")
            for modality, facts in embeddings.items()
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # another file of this name
        return None
    return f"made by emm1 groups make: {', '.join(named)}"
