"""The pages of maps, and what their scripts read: points, colours and the items of a selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emm1.dataset import KEYS, SCHEMAS
from emm1.explore import asked
from emm1.explore.access import A_MINUTE
from emm1.explore.described import describe
from emm1.explore.look import Look
from emm1.explore.maps import Map, Maps, describe_colours, describe_map, sketch
from emm1.explore.media import BYTES

# Items of a selection that are listed.
LISTED = 100
USUAL = "source_dataset"


class MapPages:
    """Addresses about maps.

    Args:
        maps: the maps of the store.
        look: the store.
        show: renders a template with values as a page.
    """

    def __init__(self, maps: Maps, look: Look, show: Callable[..., Response]) -> None:
        self._maps = maps
        self._look = look
        self._show = show

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/map", self.all),
            Route("/map/{name}", self.one),
            Route("/map/{name}/items", self.items),
            Route("/api/map", self.api_all),
            Route("/api/map/{name}", self.api_one),
            Route("/api/map/{name}/points", self.points),
            Route("/api/map/{name}/colours", self.colours),
        ]

    def all(self, _request: Request) -> Response:
        """All maps."""
        return self._show("maps.html", maps=self._maps.all())

    def one(self, request: Request) -> Response:
        """A map; ``?column=`` is what its colours mean."""
        shown, columns, column = self._asked(request)
        coloured = None if column is None else self._maps.coloured(shown, column)
        places, _ = self._maps.points(shown.name)
        known = shown.dataset is not None and shown.modality is not None
        return self._show(
            "map.html",
            map=shown,
            columns=columns,
            column=column,
            colours=None if coloured is None else describe_colours(coloured),
            sketch=sketch(places, coloured),
            copied=[self._look.copies.map(shown.name, shown.dataset, shown.modality)],
            table=f"{SCHEMAS[shown.dataset]}.{shown.modality}" if shown.dataset else None,
            key=KEYS[shown.dataset, str(shown.modality)] if known and shown.dataset else None,
        )

    def items(self, request: Request) -> Response:
        """``?ids=1,2``: these items, as a part of the page."""
        shown = self._named(request)
        ids = [asked.whole(each) for each in asked.required(request, "ids").split(",")]
        if len(ids) > LISTED or None in ids:
            raise HTTPException(400, f"ids: expected at most {LISTED} whole numbers, with commas between them.")
        found = self._maps.items(shown, [number for number in ids if number is not None])
        return self._show("map_items.html", items=[describe(item, self._look.folder) for item in found])

    def api_all(self, _request: Request) -> Response:
        """All maps."""
        return JSONResponse({"maps": [describe_map(each) for each in self._maps.all()]})

    def api_one(self, request: Request) -> Response:
        """``?column=``: a map, and what its colours mean."""
        shown, columns, column = self._asked(request)
        answer: dict[str, Any] = {**describe_map(shown), "columns": columns, "column": column, "colours": None}
        if column is not None:
            answer["colours"] = describe_colours(self._maps.coloured(shown, column))
        return JSONResponse(answer)

    def points(self, request: Request) -> Response:
        """The points in the order of ids: float32 x and y of each, then the int32 ids, in little-endian order."""
        places, ids = self._maps.points(self._named(request).name)
        return Response(
            places.astype("<f4").tobytes() + ids.astype("<i4").tobytes(), media_type=BYTES, headers=A_MINUTE
        )

    def colours(self, request: Request) -> Response:
        """``?column=``: the code of each point's colour, a byte, in the order of ids."""
        shown, _, column = self._asked(request)
        codes = np.zeros(shown.points, np.uint8) if column is None else self._maps.coloured(shown, column).codes
        return Response(codes.tobytes(), media_type=BYTES, headers=A_MINUTE)

    def _named(self, request: Request) -> Map:
        found = self._maps.named(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "The store has no map of this name: emm1 map makes one.")
        return found

    def _asked(self, request: Request) -> tuple[Map, list[str], str | None]:
        """The map, the columns of its items, and the one that is asked for; by default where items come from."""
        shown = self._named(request)
        columns = self._maps.columns(shown)
        column = asked.text(request, "column")
        if column is None and "column" not in request.query_params:
            column = USUAL if USUAL in columns else None
        if column is not None and column not in columns:
            raise HTTPException(
                400, f"column: expected one of {', '.join(columns)}." if columns else "column: there are none."
            )
        return shown, columns, column
