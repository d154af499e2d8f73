"""The addresses of thumbnails and waveforms, which are made when they are first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from emm1.explore import asked
from emm1.explore.media import BYTES, KEPT, Media
from emm1.explore.previews.kept import Kept, key_of
from emm1.explore.previews.kinds import KINDS, Kind, missing_package
from emm1.explore.previews.limits import reason
from emm1.media.limited import UnreadableError

AT_A_TIME = 2  # of which each may take 100 MB
REMEMBERED = 10_000  # files of which no preview can be made
UNPROCESSABLE = 422
TYPES = {b"\x89P": "image/png", b"\xff\xd8": "image/jpeg", b"<s": "image/svg+xml"}


class Previews:
    """Thumbnails and waveforms.

    Args:
        find: finds the file of the item that a request names, or raises `HTTPException`.
        folder: where previews are kept.
    """

    def __init__(self, find: Callable[[Request], tuple[Media, Path]], folder: Path) -> None:
        self._find = find
        self._kept = Kept(folder)
        self._making = asyncio.Semaphore(AT_A_TIME)
        self._reasons: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/thumb/{dataset}/{modality}/{id}", self.thumb),
            Route("/waveform/{dataset}/{modality}/{id}.svg", self.waveform),
        ]

    async def thumb(self, request: Request) -> Response:
        """The thumbnail of an image or a video."""
        dataset, modality, number = asked.item(request)
        if modality == "image" and missing_package():  # the browser makes it small
            return RedirectResponse(f"/media/{dataset}/{modality}/{number}", status_code=307)
        return await self._answer(request, "thumb", modality)

    async def waveform(self, request: Request) -> Response:
        """The waveform of audio."""
        return await self._answer(request, "waveform", asked.item(request)[1])

    async def _answer(self, request: Request, name: str, modality: str) -> Response:
        kind = KINDS.get(modality)
        if kind is None or kind.name != name:
            raise HTTPException(404, f"Items of the modality {modality} have no such preview.")
        media, file = await run_in_threadpool(self._find, request)
        package = missing_package()
        if package:
            raise HTTPException(404, f"Previews need the package {package}: pip install 'emm1[media]'")
        key = key_of(name, media)
        found: bytes | str | None = self._reasons.get(key)
        if found is None:
            found = await run_in_threadpool(self._kept.get, key)
        if found is None:
            async with self._making:  # others are answered meanwhile
                found = await run_in_threadpool(self._make, kind, key, file)
        headers = {"cache-control": KEPT}
        if isinstance(found, str):
            return Response(reason(f"No preview: {found}"), UNPROCESSABLE, headers, "image/svg+xml")
        return Response(found, 200, headers, TYPES.get(found[:2], BYTES))

    def _make(self, kind: Kind, key: str, file: Path) -> bytes | str:
        """A preview, or why there is none."""
        found = self._reasons.get(key) or self._kept.get(key)  # others asked for the same
        if found is not None:
            return found
        try:
            made = kind.make(file)
        except UnreadableError as error:
            text = str(error)
        except OSError as error:
            text = f"it cannot be read: {error.strerror or error}"
        else:
            self._kept.put(key, made)
            return made
        if len(self._reasons) >= REMEMBERED:
            self._reasons.clear()
        self._reasons[key] = text
        return text
