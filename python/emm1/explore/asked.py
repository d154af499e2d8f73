"""What a request asks for, read from its address: anything odd is refused with a word about what is expected."""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from emm1.checks import shown
from emm1.dataset import FILE_MODALITIES, MODALITIES_OF, RANKS, SPLITS, Split
from emm1.explore.basket import Format, Named
from emm1.explore.items import Chosen, Span, Wanted
from emm1.explore.likeness import Narrowed
from emm1.explore.reports.kind import Kind
from emm1.explore.words import Sought

LARGEST_ID = 2**31 - 1  # ids are INTEGER
DIGITS = frozenset("0123456789")
SHOWN, MOST = 20, 500
LONGEST = 1000  # characters that are searched for
# Items of a basket: as many as an address has room for (serve.LONGEST_HEAD), and as a script may send.
MOST_IN_ADDRESS, MOST_SENT = 2_000, 100_000
MOST_BYTES = 32 * MOST_SENT


def item(request: Request) -> tuple[Split, str, int]:
    """The item that an address is about, from its parts dataset, modality and id."""
    parts = request.path_params
    dataset, modality = parts["dataset"], parts["modality"]
    number = whole(parts["id"])
    if dataset not in SPLITS or modality not in MODALITIES_OF[dataset] or number is None:
        raise HTTPException(
            404, "There is no such item: an address is /items/DATASET/MODALITY/ID, as /items/100m/image/7."
        )
    return dataset, modality, number


def dataset(request: Request, default: Split = "100m") -> Split:
    """The split whose captions are wanted."""
    named = request.query_params.get("dataset", default)
    if named not in SPLITS or "text" not in MODALITIES_OF[named]:
        raise HTTPException(400, "dataset: expected 100m or 1m, which have captions.")
    return named


def number(request: Request, name: str, default: int, most: int = LARGEST_ID) -> int:
    """A parameter that is a whole number from 0 to `most`."""
    given = request.query_params.get(name)
    if not given:
        return default
    found = whole(given)
    if found is None or found > most:
        raise HTTPException(400, f"{name}: expected a whole number from 0 to {most:,}.")
    return found


def limit(request: Request) -> int:
    """How many rows are wanted."""
    found = number(request, "limit", SHOWN, MOST)
    if not found:
        raise HTTPException(400, f"limit: expected a whole number from 1 to {MOST}.")
    return found


def span(request: Request) -> Span:
    """Which rows of an order are wanted."""
    before = None if text(request, "before") is None else number(request, "before", 0)
    return Span(number(request, "after", -1), before, limit(request))


def chosen(request: Request, nn_index: str = "all") -> Chosen:
    """Which neighbours of a caption are wanted; `nn_index` is the rank if none is named."""
    rank = text(request, "nn_index") or nn_index
    ranked = None if rank == "all" else whole(rank)
    if rank != "all" and ranked not in RANKS:
        raise HTTPException(400, f"nn_index: expected a rank from {RANKS[0]} to {RANKS[-1]}, or all.")
    modality = text(request, "modality")
    if modality not in {None, *FILE_MODALITIES}:
        raise HTTPException(400, f"modality: expected one of {', '.join(FILE_MODALITIES)}.")
    return Chosen(ranked, modality)


def text(request: Request, name: str) -> str | None:
    """A parameter that is text; None where it is not given, or left empty in a form."""
    return request.query_params.get(name) or None


def required(request: Request, name: str) -> str:
    """A parameter that must be given."""
    found = text(request, name)
    if found is None:
        raise HTTPException(400, f"{name}: it is missing.")
    return found


def wanted(request: Request) -> Wanted:
    """Which triplets are wanted."""
    about = None
    if text(request, "id") is not None:
        about = (required(request, "modality"), number(request, "id", 0))
    return Wanted(
        span=span(request),
        paired=text(request, "paired"),
        annotated=text(request, "annotated"),
        label=text(request, "label"),
        source_dataset=text(request, "source_dataset"),
        dataset_license=text(request, "dataset_license"),
        about=about,
    )


def narrowed(request: Request) -> Narrowed:
    """Which items are searched."""
    return Narrowed(text(request, "source_dataset"), text(request, "dataset_license"), text(request, "split"))


def basket(request: Request) -> list[Named]:
    """The items that an address names, each once: ``?items=100m.image.5,eshot.audio.7``, also as several parameters."""
    given = ",".join(request.query_params.getlist("items"))
    return named(filter(None, given.split(",")), MOST_IN_ADDRESS)


async def posted(request: Request) -> list[Named]:
    """The items that a page of this server sends as JSON: ``{"items": ["100m.image.5"]}``."""
    if request.headers.get("origin") != f"http://{request.headers.get('host')}":
        raise HTTPException(403, "Only pages of this server send items.")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Items are sent as JSON.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"At most {MOST_SENT:,} items are sent at once.")
    try:
        given = json.loads(body)["items"]
        words = [each for each in given if isinstance(each, str)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HTTPException(400, 'items: expected JSON such as {"items": ["100m.image.5"]}.') from error
    if len(words) < len(given):
        raise HTTPException(400, "items: each is a text, such as 100m.image.5.")
    return named(words, MOST_SENT)


def named(given: Iterable[str], most: int) -> list[Named]:
    """Items as addresses name them, each once."""
    found: dict[Named, None] = {}
    for each in given:
        dataset, _, rest = each.partition(".")
        modality, _, digits = rest.partition(".")
        number = whole(digits)
        if dataset not in SPLITS or modality not in MODALITIES_OF[dataset] or number is None:
            raise HTTPException(400, f"items: {shown(each)} is none: one is named as 100m.image.5.")
        found[dataset, modality, number] = None
        if len(found) > most:
            raise HTTPException(400, f"items: at most {most:,}.")
    return list(found)


def format_of(request: Request) -> Format:
    """What a basket is exported as."""
    try:
        return Format(required(request, "format"))
    except ValueError as error:
        raise HTTPException(400, f"format: expected {' or '.join(Format)}.") from error


def kind(request: Request) -> Kind:
    """Which queries of reports on retrieval are wanted."""
    named = text(request, "kind") or Kind.failures.value
    try:
        return Kind(named)
    except ValueError as error:
        raise HTTPException(400, f"kind: expected {', '.join(Kind)}.") from error


def searched(request: Request, name: str) -> str | None:
    """What was typed to be searched for; None if nothing was."""
    found = text(request, name)
    if found is not None and len(found) > LONGEST:
        raise HTTPException(400, f"{name}: expected at most {LONGEST:,} characters.")
    return found


def sought(request: Request, words: str) -> Sought:
    """Which captions are wanted."""
    split = None if text(request, "dataset") is None else dataset(request)
    return Sought(words, split, narrowed(request), number(request, "after", 0), limit(request))


def whole(given: str) -> int | None:
    """A whole number of at most ten digits that is an id, or None.

    >>> whole("7"), whole("-7"), whole("7.0"), whole("²"), whole("9" * 5000), whole("2147483648")
    (7, None, None, None, None, None)
    """
    if not 0 < len(given) <= len(str(LARGEST_ID)) or not DIGITS.issuperset(given):
        return None
    found = int(given)
    return found if found <= LARGEST_ID else None
