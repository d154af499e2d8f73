"""The pages: complete without scripts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from emm1.dataset import FILE_MODALITIES, MODALITIES_OF, RANKS, SPLITS
from emm1.explore import asked
from emm1.explore.access import A_MINUTE, WITHOUT_TOKEN
from emm1.explore.api import alike, eshot_category, likeness, report, searched, typed
from emm1.explore.basket import key
from emm1.explore.items import Chosen
from emm1.explore.look import Look
from emm1.explore.search import Search

if TYPE_CHECKING:
    from emm1.explore.copied import Copied

# What the forms ask for beside words, text and ids.
NARROWED = ("source_dataset", "dataset_license", "split", "in")
SEARCHED = ("dataset", "limit", "encoder", *NARROWED)
OK = 200
FIRST_RANK = "1"  # what a page shows of the groups of a caption
TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Addresses that people open.

    Args:
        look: the store.
        search: the same store, searched.
        searching: as for `Api`.
    """

    def __init__(self, look: Look, search: Search, searching: asyncio.Semaphore) -> None:
        self._look = look
        self._search = search
        self._searching = searching
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"address": address, "ranks": RANKS, "modalities": FILE_MODALITIES}

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/", self.captions),
            Route("/find", self.find),
            Route("/search", self.search),
            Route("/triplets", self.triplets),
            Route("/basket", self.basket),
            Route("/eshot", self.eshot),
            Route("/eshot/{category:path}", self.eshot_category),
            Route("/report", self.report),
            Route("/items/{dataset}/{modality}/{id}", self.item),
        ]

    def captions(self, request: Request) -> Response:
        """Captions in the order of their ids."""
        dataset, span = asked.dataset(request, self._look.first_split), asked.span(request)
        found = self._look.captions(dataset, span)
        copied = [self._look.copies.captions(dataset, span)]
        return self._page("captions.html", dataset=dataset, limit=span.limit, copied=copied, **found)

    def find(self, request: Request) -> Response:
        """Go to the item that a form names."""
        dataset, modality, given = (asked.required(request, name) for name in ("dataset", "modality", "id"))
        number = asked.whole(given)
        if number is None or dataset not in SPLITS or modality not in MODALITIES_OF[dataset]:
            raise HTTPException(400, "There are no such items.")
        return RedirectResponse(f"/items/{dataset}/{modality}/{number}", status_code=303)

    async def search(self, request: Request) -> Response:
        """Captions by words, items by an id, and what is like a typed text."""
        found = await searched(self._search, self._searching, request)
        given = {name: request.query_params.get(name, "") for name in SEARCHED}
        state = {"words": found["words"], **{name: value for name, value in given.items() if value}}
        copied = await run_in_threadpool(self._searched_copied, request, found)
        return await run_in_threadpool(self._page, "search.html", given=given, state=state, copied=copied, **found)

    def _searched_copied(self, request: Request, found: dict[str, Any]) -> list[Copied]:
        if found["words"] is not None and found["ways"]["indexed"]:
            return [self._look.copies.words(asked.sought(request, found["words"]))]
        if found["text"] is not None:
            return [self._look.text_copied(*typed(self._search, request, found["text"]))]
        return []

    def triplets(self, request: Request) -> Response:
        """Rated triplets."""
        wanted = asked.wanted(request)
        copied = [self._look.copies.triplets(wanted)]
        choices = self._look.triplet_choices
        return self._page("triplets.html", wanted=wanted, choices=choices, copied=copied, **self._look.triplets(wanted))

    def report(self, request: Request) -> Response:
        """Queries of reports on retrieval, or confused classes of one on a classification."""
        template = "confusions.html" if self._look.reported.confusions is not None else "report.html"
        found, limit = report(self._look, request), asked.limit(request)
        copied = [self._look.reported.copied(self._look.copies, found, asked.number(request, "after", 0), limit)]
        return self._page(template, limit=limit, copied=copied, **found)

    def basket(self, request: Request) -> Response:
        """The items that the address names."""
        named = asked.basket(request)
        return self._page(
            "basket.html",
            keys=",".join(map(key, named)),
            store=self._look.argument,
            copied=[self._look.copies.basket(named)] if named else [],
            **self._look.basket(named),
        )

    def eshot(self, _request: Request) -> Response:
        """The categories of EShot."""
        return self._page("eshot.html", copied=[self._look.copies.eshot()], **self._look.eshot())

    def eshot_category(self, request: Request) -> Response:
        """The samples of a category of EShot."""
        found = eshot_category(self._look, request)
        copied = [self._look.copies.eshot_category(found["category"])]
        return self._page("eshot_category.html", copied=copied, **found)

    async def item(self, request: Request) -> Response:
        """An item with all that it is connected to.

        ``?like=NAME`` adds the items most like it in these embeddings; ``?nn_index=RANK&modality=NAME`` chooses among the
        neighbours of a caption.
        """
        chosen = asked.chosen(request, FIRST_RANK)
        found = await run_in_threadpool(self._look.item, *asked.item(request), chosen)
        if found is None:
            raise HTTPException(404, "The store has no such item.")
        like = asked.text(request, "like")
        if like is not None and like not in found["embeddings"]:
            raise HTTPException(400, "like: the store has no embeddings of this name that have such items.")
        hits = None if like is None else await alike(self._look, self._searching, request, like)
        return await run_in_threadpool(self._item, request, found, chosen, like, hits)

    def _item(
        self, request: Request, item: dict[str, Any], chosen: Chosen, like: str | None, hits: dict[str, Any] | None
    ) -> Response:
        given = {name: request.query_params.get(name, "") for name in NARROWED}
        bases = [each["name"] for each in self._look.store()["embeddings"]]
        copied = self._look.copies.item(*asked.item(request), chosen)
        if like is not None:
            copied.insert(0, self._look.alike_copied(*likeness(request, like)))
        return self._page(
            "item.html", item=item, chosen=chosen, like=like, alike=hits, given=given, bases=bases, copied=copied
        )

    def refused(self, reason: str, status: int) -> Response:
        """A page that says why there is none."""
        return self._page("refused.html", status=status, reason=reason)

    def show(self, template: str, **values: Any) -> Response:
        """A page of a template; parts of the page that have a module of their own are shown by it."""
        return self._page(template, **values)

    def _page(self, template: str, *, status: int = OK, **values: Any) -> Response:
        shown = self._environment.get_template(template).render(
            name=self._look.name, report_name=self._look.reported.name, without_token=WITHOUT_TOKEN.get(), **values
        )
        return HTMLResponse(shown, status_code=status, headers=A_MINUTE if status == OK else {})


def address(path: str, **parameters: object) -> str:
    """The address of a page with the parameters that are given.

    >>> address("/triplets", paired="image", label=None, split="", source_dataset="A & B", after=0), address("/")
    ('/triplets?paired=image&source_dataset=A+%26+B&after=0', '/')
    """
    given = urlencode({name: value for name, value in parameters.items() if value not in {None, ""}})
    return f"{path}?{given}" if given else path
