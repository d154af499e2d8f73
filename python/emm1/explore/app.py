"""The application: which address is answered by what, and what is said when something is wrong."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from emm1.errors import Error
from emm1.explore import asked
from emm1.explore.access import Guard
from emm1.explore.api import Api
from emm1.explore.look import Look
from emm1.explore.map_pages import MapPages
from emm1.explore.maps import Maps
from emm1.explore.media import BYTES, KEPT, Media, State, type_of
from emm1.explore.pages import Pages
from emm1.explore.previews.routes import Previews
from emm1.explore.search import Search
from emm1.streams import printable

if TYPE_CHECKING:
    from emm1.store import Store

STATIC = Path(__file__).parent / "static"
SEARCHES = 2  # at a time
MOST_POINTS = 100_000
READ_BY_SCRIPTS = ("/api/", "/points/")
REASONS = {
    State.missing: "This file is not on the disk.",
    State.outside: "The real path of this file is outside the media folder: start emm1 with the folder that it is in.",
    State.unnamed: "The store has no path for this item.",
}


def application(store: Store, token: str, host: str, port: int, reports: Sequence[Path] = ()) -> Guard:
    """The application that looks at a store.

    Args:
        store: the store, which is only read.
        token: what requests must have.
        host: the IP address that it is served at.
        port: the port that it is served at.
        reports: the folders of saved reports: one, or two on retrieval to compare.

    Raises:
        emm1.errors.Error: a folder holds no such report, or two cannot be compared.
    """
    look, searching = Look(store, reports), asyncio.Semaphore(SEARCHES)
    search = Search(store, look.folder)
    pages = Pages(look, search, searching)
    files = Files(look)
    previews = Previews(files.there, store.path.with_name(f"{store.path.name}.thumbnails"))

    def say(request: Request, reason: str, status: int) -> Response:
        if request.scope["path"].startswith(READ_BY_SCRIPTS):
            return JSONResponse({"error": reason}, status_code=status)
        return pages.refused(reason, status)

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
        return say(request, error.detail, error.status_code)

    def wrong(request: Request, error: Exception) -> Response:
        return say(request, str(error), 400)

    def stopped(request: Request, _error: Exception) -> Response:
        return say(request, "emm1 is being ended.", 503)

    def failed(request: Request, error: Exception) -> Response:
        sys.stderr.write(printable("".join(traceback.format_exception(error))))
        return say(request, "internal error in emm1 (a bug): please report it with what the terminal shows", 500)

    app = Starlette(
        routes=[
            *pages.routes(),
            *Api(look, search, searching).routes(),
            *MapPages(Maps(store), look, pages.show).routes(),
            Route("/media/{dataset}/{modality}/{id}", files.media),
            Route("/points/{dataset}/{modality}/{id}", files.points),
            *previews.routes(),
            Mount("/static", Static(directory=STATIC)),
        ],
        exception_handlers={
            HTTPException: refused,
            Error: wrong,
            duckdb.InterruptException: stopped,
            Exception: failed,
        },
    )
    return Guard(app, token, host, port)


class Static(StaticFiles):
    """The files of the page. Browsers keep them, and ask whether they changed: they would ask again for all of them otherwise."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The answer with a file."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "no-cache"
        return answer


class Files:
    """Addresses of media, which are named by items only.

    Args:
        look: the store.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    def media(self, request: Request) -> Response:
        """The file of an item, in the ranges that are asked for."""
        _, modality, _ = asked.item(request)
        media, file = self.there(request)
        return FileResponse(
            file, media_type=type_of(modality, file), stat_result=media.found, headers={"cache-control": KEPT}
        )

    def points(self, request: Request) -> Response:
        """A point cloud as float32 in little-endian order: x, y, z, red, green, blue of at most 100,000 points, evenly chosen."""
        from emm1.media.points import read_points  # noqa: PLC0415 - needed for point clouds only

        _, modality, _ = asked.item(request)
        if modality != "points":
            raise HTTPException(404, "This item is no point cloud.")
        _, file = self.there(request)
        cloud = read_points(file).array
        chosen = cloud[:: -(-len(cloud) // MOST_POINTS)]
        return Response(chosen.astype("<f4").tobytes(), media_type=BYTES, headers={"cache-control": KEPT})

    def there(self, request: Request) -> tuple[Media, Path]:
        """The file of the item that an address names."""
        media = self._look.media(*asked.item(request))
        if media is None:
            raise HTTPException(404, "The store has no such item, or it is not a file.")
        if media.file is None:
            raise HTTPException(404, REASONS[media.state])
        return media, media.file
