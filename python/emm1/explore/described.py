"""Items, groups and triplets as JSON, with where their media and their sources are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from emm1.explore.items import Group, Item, Triplet
from emm1.explore.media import MediaFolder, State, type_of
from emm1.explore.previews.kinds import preview_address

if TYPE_CHECKING:
    from emm1.explore.reports.failures import Answer, Failure

YOUTUBE_ID = re.compile(r"[\w-]{5,20}", re.ASCII)
WEB = re.compile(r"https?://\S+", re.IGNORECASE)


def describe(item: Item, folder: MediaFolder) -> dict[str, Any]:
    """An item: what it is, where it comes from, and whether its media are there."""
    address = f"{item.dataset}/{item.modality}/{item.id}"
    return {
        "dataset": item.dataset,
        "modality": item.modality,
        "id": item.id,
        "known": bool(item.columns),
        "url": f"/items/{address}",
        "caption": item.columns.get("caption"),
        "source_dataset": item.columns.get("source_dataset"),
        "dataset_license": item.columns.get("dataset_license"),
        "columns": item.columns,
        "links": links(item),
        "media": None if item.modality == "text" else _media(item, folder, address),
    }


def _media(item: Item, folder: MediaFolder, address: str) -> dict[str, Any]:
    media = folder.find(item.path)
    if media.file is None or media.found is None:
        return {"state": media.state.value, "path": item.path}
    kind = type_of(item.modality, media.file)
    return {
        "state": State.there.value,
        "path": item.path,
        "url": f"/media/{address}",
        "preview": preview_address(item.modality, address),
        "type": kind,
        "bytes": media.found.st_size,
    }


def links(item: Item) -> list[dict[str, str]]:
    """Where the source of an item is on the web: nothing is fetched from there.

    >>> links(Item("100m", "video", 1, {"youtube_id": "dQw4w9WgXcQ", "start_time": 30.0}))
    [{'label': 'YouTube', 'url': 'https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=30s'}]
    >>> links(Item("100m", "image", 1, {"file_id": "https://example.org/a.jpg"}))
    [{'label': 'Source', 'url': 'https://example.org/a.jpg'}]
    >>> links(Item("100m", "image", 1, {"file_id": "javascript:alert(1)"}))
    []
    """
    found = []
    video = item.columns.get("youtube_id")
    if isinstance(video, str) and YOUTUBE_ID.fullmatch(video):
        start = item.columns.get("start_time")
        moment = {"t": f"{int(start)}s"} if isinstance(start, float) and start >= 0 else {}
        found.append({"label": "YouTube", "url": f"https://www.youtube.com/watch?{urlencode({'v': video, **moment})}"})
    page = item.columns.get("file_id")
    if isinstance(page, str) and WEB.fullmatch(page):
        found.append({"label": "Source", "url": page})
    return found


def describe_group(group: Group, folder: MediaFolder) -> dict[str, Any]:
    """The neighbours at a rank: by modality an item, or None."""
    neighbours = {modality: item and describe(item, folder) for modality, item in group.items.items()}
    return {"nn_index": group.nn_index, **neighbours}


def describe_triplet(triplet: Triplet, folder: MediaFolder) -> dict[str, Any]:
    """A rated triplet: its place in the published file, its three items, and the rating."""
    return {
        "place": triplet.place,
        "caption": triplet.caption and describe(triplet.caption, folder),
        "paired": triplet.paired and describe(triplet.paired, folder),
        "annotated": triplet.annotated and describe(triplet.annotated, folder),
        "annotation": triplet.annotation,
        "annotation_label": triplet.label,
    }


def describe_failure(failure: Failure, folder: MediaFolder) -> dict[str, Any]:
    """A query with the best right answer and the first hits of a model, and likewise of its baseline; None without one."""
    model, *baseline = (_describe_answer(answer, folder) for answer in failure.answers)
    return {"query": describe(failure.query, folder), **model, "baseline": baseline[0] if baseline else None}


def _describe_answer(answer: Answer, folder: MediaFolder) -> dict[str, Any]:
    return {
        "right": answer.right and describe(answer.right, folder),
        "best_rank": answer.best_rank,
        "hits": [
            {"rank": rank, "score": score, "grade": grade, "item": describe(item, folder)}
            for rank, item, score, grade in answer.hits
        ],
    }
