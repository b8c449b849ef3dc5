"""The labeling page as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.labelers.base import person_name
from prefrl.labelers.session import ON_SCREEN
from prefrl.labelers.subject import Subject
from prefrl.labelers.web.clips import Clips
from prefrl.labelers.web.guard import Guard
from prefrl.labelers.web.messages import read_message
from prefrl.labelers.web.progress import progress
from prefrl.labelers.web.tabs import Tab, Tabs
from prefrl.store import PreferenceStore

PAGES = Path(__file__).parent / "pages"
SWEEP_S = 60.0  # seconds between two looks for tabs that are gone


def create_app(
    store: PreferenceStore,
    subject: Subject,
    clips: Clips,
    *,
    token: str,
    names: Collection[str] = ("127.0.0.1", "localhost", "[::1]"),
    repeat: float = 0.05,
    rng: np.random.Generator | None = None,
    clock: Callable[[], float] = time.time,
) -> Guard:
    """The page, its sittings and its progress, behind a guard.

    Args:
        clips: closed with the application.
        token: the secret that lets a browser in.
        names: what a request's Host may say.
        repeat: share of the pairs that a labeler sees a second time.
        rng: draws sides and repeats.
        clock: seconds since 1970.
    """
    tabs = Tabs(store, rng or np.random.default_rng(), repeat=repeat)
    desk = Desk(store, subject, clips, tabs, clock)
    pages = {"/": "page.html", "/progress": "progress.html"}
    pages |= {f"/{path.name}": path.name for path in PAGES.iterdir() if path.suffix in (".js", ".css", ".svg")}
    routes = [Route(path, _page(name)) for path, name in pages.items()]
    routes += [
        Route("/progress.json", desk.progress),
        Route("/tabs", desk.open, methods=["POST"]),
        Route("/tabs/{tab}/answer", desk.answer, methods=["POST"]),
        Route("/tabs/{tab}/undo", desk.undo, methods=["POST"]),
        Route("/tabs/{tab}/refill", desk.refill, methods=["POST"]),
        Route("/tabs/{tab}/close", desk.close, methods=["POST"]),
        Route("/tabs/{tab}/clips/{segment}", desk.clip),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _refused,
        ClientDisconnect: _gone,
        SQLAlchemyError: _store_fails,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=desk.lifespan)
    app.router.redirect_slashes = False
    return Guard(app, token, names)


class Desk:
    """The handlers of the addresses."""

    def __init__(
        self,
        store: PreferenceStore,
        subject: Subject,
        clips: Clips,
        tabs: Tabs,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._subject, self._clips, self._tabs = store, subject, clips, tabs
        self._clock = clock
        self._read: tuple[int, dict[str, Any]] | None = None  # what the records said at a revision

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """While the server runs; what is held at its end is given back."""
        sweep = asyncio.create_task(self._sweep())
        yield
        sweep.cancel()
        await run_in_threadpool(self._tabs.close_all)
        await run_in_threadpool(self._clips.close)

    async def open(self, request: Request) -> Response:
        given = await read_message(request, name=str)
        try:
            name = person_name(given["name"])
        except PrefrlError as error:
            raise HTTPException(400, str(error)) from None
        try:
            tab = await run_in_threadpool(self._tabs.open, name)
        except PrefrlError as error:
            raise HTTPException(429, str(error)) from None
        return await self._state(self._tabs.find(tab), 201, tab=tab)

    async def answer(self, request: Request) -> Response:
        given = await read_message(request, turn=int, choice=str)
        tab = self._tab(request)
        try:
            look_up("choice", given["choice"], ON_SCREEN)
        except PrefrlError as error:
            raise HTTPException(400, str(error)) from None
        said = await run_in_threadpool(tab.answer, given["turn"], given["choice"])
        return await self._state(tab, 409 if said else 200, error=said)

    async def undo(self, request: Request) -> Response:
        given = await read_message(request, turn=int)
        tab = self._tab(request)
        said = await run_in_threadpool(tab.undo, given["turn"])
        return await self._state(tab, 409 if said else 200, error=said)

    async def refill(self, request: Request) -> Response:
        await read_message(request)
        tab = self._tab(request)
        await run_in_threadpool(tab.refill)
        return await self._state(tab)

    async def close(self, request: Request) -> Response:
        await read_message(request)
        await run_in_threadpool(self._tabs.close, request.path_params["tab"])
        return Response(status_code=204)

    async def clip(self, request: Request) -> Response:
        """Only of what this tab shows or has ahead."""
        segments = await run_in_threadpool(self._tab(request).segments)
        ids = [segment.id for segment in segments]
        if (name := request.path_params["segment"]) not in ids:
            raise HTTPException(404, "no such clip")
        rank = ids.index(name)
        try:
            # Shielded: others may wait for the same clip.
            video = await asyncio.shield(asyncio.wrap_future(self._clips.clip(segments[rank], rank)))
        except PrefrlError as error:
            raise HTTPException(409, str(error)) from None
        return Response(video, media_type="video/webm")

    async def progress(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._progress))

    def _progress(self) -> dict[str, Any]:
        counts, revision, now = self._store.counts(), self._store.revision(), self._clock()
        said = self._said_of_the_run()
        if self._read is None or self._read[0] != revision or now - self._read[1]["now"] > 10:
            self._read = revision, progress(self._store.records(), counts, now)
        return self._read[1] | said | {"counts": vars(counts)}

    async def _state(self, tab: Tab | None, status: int = 200, /, **more: str) -> Response:
        assert tab is not None
        return JSONResponse(await run_in_threadpool(self._said_of, tab) | more, status)

    def _said_of(self, tab: Tab) -> dict[str, Any]:
        self._clips.want(tab, tab.segments())
        counts = self._store.counts()
        said = {"question": self._store.question, "waiting": counts.open + counts.held}
        return tab.state() | self._said_of_the_run() | said

    def _said_of_the_run(self) -> dict[str, Any]:
        subject = self._subject
        return {"subject": subject.name, "trainer": subject.trainer().said(), "resume": subject.resume}

    def _tab(self, request: Request) -> Tab:
        tab = self._tabs.find(request.path_params["tab"])
        if tab is None:
            raise HTTPException(404, "no such tab; it was closed")
        return tab

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await run_in_threadpool(self._tabs.forget_unseen)


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(PAGES / name)

    return send


async def _refused(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _gone(*_: object) -> Response:
    return Response(status_code=400)  # to nobody


async def _store_fails(*_: object) -> Response:
    return JSONResponse({"error": "the store cannot be reached now"}, 503)
