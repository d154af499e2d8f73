"""The answers as JSON, which the scripts of the page read. Nothing is written, and no address takes SQL."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emm1.explore import asked
from emm1.explore.basket import TYPES, Format, Named
from emm1.explore.likeness import Narrowed
from emm1.explore.look import Look
from emm1.explore.search import Search

HITS, MOST_HITS = 12, 200
SAMPLES = 100  # of a category, and of each modality


class Api:
    """Addresses under ``/api``.

    Args:
        look: the store.
        search: the same store, searched.
        searching: lets few searches run at a time: each uses all cores, and others must be answered meanwhile.
    """

    def __init__(self, look: Look, search: Search, searching: asyncio.Semaphore) -> None:
        self._look = look
        self._search = search
        self._searching = searching

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/api/store", self.store),
            Route("/api/captions", self.captions),
            Route("/api/items/{dataset}/{modality}/{id}", self.item),
            Route("/api/groups/{id}", self.groups),
            Route("/api/triplets", self.triplets),
            Route("/api/likeness", self.likeness),
            Route("/api/basket", self.basket),
            Route("/api/export", self.export),
            Route("/api/export", self.export_sent, methods=["POST"]),
            Route("/api/eshot", self.eshot),
            Route("/api/eshot/{category:path}", self.eshot_category),
            Route("/api/report", self.report),
            Route("/api/search", self.search),
        ]

    def store(self, _request: Request) -> Response:
        """The store."""
        return JSONResponse(self._look.store())

    def captions(self, request: Request) -> Response:
        """``?dataset=100m&after=ID&before=ID&limit=20``: captions in the order of their ids."""
        return JSONResponse(self._look.captions(asked.dataset(request, self._look.first_split), asked.span(request)))

    def item(self, request: Request) -> Response:
        """``?nn_index=&modality=``: an item and what it is connected to; of a caption's groups those chosen."""
        found = self._look.item(*asked.item(request), asked.chosen(request))
        if found is None:
            raise HTTPException(404, "The store has no such item.")
        return JSONResponse(found)

    def groups(self, request: Request) -> Response:
        """``?nn_index=&modality=``: the groups of a caption; none for an id that no caption has."""
        caption = asked.whole(request.path_params["id"])
        if caption is None:
            raise HTTPException(404, "The id of a caption is a whole number.")
        return JSONResponse(self._look.groups(caption, asked.chosen(request)))

    def triplets(self, request: Request) -> Response:
        """``?paired=&annotated=&label=&source_dataset=&dataset_license=&modality=&id=&after=&before=&limit=``: rated triplets."""
        return JSONResponse(self._look.triplets(asked.wanted(request)))

    def report(self, request: Request) -> Response:
        """``?kind=failures&after=PLACE&limit=20``, or of a classification ``?direction=&category=&predicted=&after=&limit=``."""
        return JSONResponse(report(self._look, request))

    def basket(self, request: Request) -> Response:
        """``?items=100m.image.5,…``: these items."""
        return JSONResponse(self._look.basket(asked.basket(request)))

    def export(self, request: Request) -> Response:
        """``?format=csv|parquet&items=100m.image.5,…``: a file of their ids."""
        return self._exported(asked.basket(request), asked.format_of(request))

    async def export_sent(self, request: Request) -> Response:
        """The same of items that a page of this server sends, which may be more than an address has room for."""
        return await run_in_threadpool(self._exported, await asked.posted(request), asked.format_of(request))

    def _exported(self, named: list[Named], format: Format) -> Response:  # noqa: A002 - as options have it
        file = self._look.exported(named, format)
        headers = {"content-disposition": f'attachment; filename="basket.{format}"'}
        return Response(file, media_type=TYPES[format], headers=headers)

    def eshot(self, _request: Request) -> Response:
        """The categories of EShot."""
        return JSONResponse(self._look.eshot())

    def eshot_category(self, request: Request) -> Response:
        """``?limit=100``: the samples of a category."""
        return JSONResponse(eshot_category(self._look, request))

    async def likeness(self, request: Request) -> Response:
        """``?by=NAME&id=ID&in=NAME&k=12&source_dataset=&dataset_license=&split=``: the items most like an item."""
        return JSONResponse(await alike(self._look, self._searching, request, asked.required(request, "by")))

    async def search(self, request: Request) -> Response:
        """How the store can be searched, and what was found.

        ``?words=&dataset=&source_dataset=&dataset_license=&split=&after=&limit=20``: captions by words, and items by an id.
        ``?text=&in=NAME&encoder=&source_dataset=&dataset_license=&split=&k=12``: the items most like a text.
        """
        return JSONResponse(await searched(self._search, self._searching, request))


async def searched(search: Search, searching: asyncio.Semaphore, request: Request) -> dict[str, Any]:
    """What a request searches for, how it can be searched, and what was found; None if nothing is searched for."""
    words, text = asked.searched(request, "words"), asked.searched(request, "text")
    if words is not None and text is not None:
        raise HTTPException(400, "Search by words or by text, not by both.")
    ways = await run_in_threadpool(search.ways)
    found = None
    if words is not None:
        sought = asked.sought(request, words)
        async with searching:
            found = await run_in_threadpool(search.by_words, sought)
    elif text is not None:
        wanted = typed(search, request, text)
        async with searching:
            found = await run_in_threadpool(search.by_text, *wanted)
    return {"words": words, "text": text, "ways": ways, "found": found}


def typed(search: Search, request: Request, text: str) -> tuple[str, str, str, int, Narrowed]:
    """What `Search.by_text` is to find."""
    base = asked.required(request, "in")
    encoder = asked.text(request, "encoder") or search.encoder_of(base) or asked.required(request, "encoder")
    return text, encoder, base, asked.number(request, "k", HITS, MOST_HITS), asked.narrowed(request)


def report(look: Look, request: Request) -> dict[str, Any]:
    """Queries or confused classes of the reports, from a place on."""
    start, limit = asked.number(request, "after", 0), asked.limit(request)
    if look.reported.failures is not None:
        return look.reported.queries(asked.kind(request), start, limit)
    if look.reported.confusions is not None:
        direction, category, predicted = (asked.text(request, name) for name in ("direction", "category", "predicted"))
        return look.reported.pairs(direction, category, predicted, start, limit)
    raise HTTPException(404, "No report was named: emm1 explore takes the folder of one, or of two to compare.")


def eshot_category(look: Look, request: Request) -> dict[str, Any]:
    """The samples of the category that a request names."""
    limit = asked.number(request, "limit", SAMPLES, asked.MOST)
    found = look.eshot_category(request.path_params["category"], limit)
    if found is None:
        raise HTTPException(404, "EShot has no such category in this store.")
    return found


async def alike(look: Look, searching: asyncio.Semaphore, request: Request, by: str) -> dict[str, Any]:
    """The items most like the one whose id a request names, by registered embeddings that have its vector."""
    wanted = likeness(request, by)
    async with searching:
        return await run_in_threadpool(look.alike, *wanted)


def likeness(request: Request, by: str) -> tuple[int, str, str, int, Narrowed]:
    """What `Look.alike` is to find."""
    given = request.path_params.get("id") or asked.required(request, "id")
    number = asked.whole(given)
    if number is None:
        raise HTTPException(400, "id: expected a whole number.")
    base = asked.text(request, "in") or by
    return number, by, base, asked.number(request, "k", HITS, MOST_HITS), asked.narrowed(request)
