"""The page at an address, until Ctrl-C."""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from prefrl.core.errors import PrefrlError
from prefrl.labelers.subject import Subject
from prefrl.labelers.web.app import create_app
from prefrl.labelers.web.clips import Clips
from prefrl.labelers.web.drawing import DrawingProcess
from prefrl.labelers.web.guard import HOST
from prefrl.store import PreferenceStore

OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
LAST_REQUESTS_S = 2  # that those under way may take once it is to end


def serve(
    store: PreferenceStore,
    subject: Subject,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_host: Sequence[str] = (),
    question: str | None = None,
    repeat: float = 0.05,
) -> None:
    """Serves the page, prints where once it listens, and gives back what is held at the end.

    Args:
        port: 0 for any that is free.
        allow_host: names by which another machine may call this one.
        question: to be asked from now on; None for the one that is.

    Raises:
        PrefrlError: the address is refused or taken, or nothing draws the environment.
    """
    check_names(host, allow_host)
    listening = listen(host, port)
    try:
        clips = Clips(lambda: DrawingProcess(subject.task))
        if question is not None:
            store.set_question(question)
        token = secrets.token_urlsafe(24)
        names = (*OWN_NAMES, *allow_host)
        app = create_app(store, subject, clips, token=token, names=names, repeat=repeat)
        config = uvicorn.Config(
            _unless_refused(app), http="h11", ws="none", log_level="error", access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=LAST_REQUESTS_S,
        )  # fmt: skip
        port = listening.getsockname()[1]
        for name in allow_host or (("[::1]",) if host == "::1" else ("127.0.0.1",)):
            print(f"http://{name}:{port}/?token={token}", flush=True)
        print("open this to label; Ctrl-C ends it, and every answer is saved as it is given", file=sys.stderr)
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn's way to say that it has ended
    finally:
        listening.close()


def _unless_refused(app: ASGIApp) -> ASGIApp:
    """Lets uvicorn's own 400, to a body that is no HTTP, be the only reply: the application may be about to reply."""

    async def unless_refused(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(h11.LocalProtocolError):
            await app(scope, receive, send)

    return unless_refused


def check_names(host: str, allow_host: Sequence[str]) -> None:
    """Refuses what would let anybody in by any name.

    Raises:
        PrefrlError: another address without names, or what is no name.
    """
    for name in allow_host:
        match = HOST.fullmatch(name.lower())
        if match is None or match["port"]:
            raise PrefrlError(f"`allow_host` takes names without a port, such as 192.168.1.20, got {name!r}")
    if not _is_loopback(host) and not allow_host:
        raise PrefrlError(f"`host` {host} needs `allow_host` with the names that others call this machine by")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        PrefrlError: it cannot, and why.
    """
    if not 0 <= port < 65536:
        raise PrefrlError(f"a port is a number from 0 to 65535, got {port}")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":  # on Windows it would let two servers listen at once
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is in use; leave `port` away for one that is free" if taken else f"cannot be had: {error.strerror}"
        raise PrefrlError(f"port {port} of {host} {why}") from error
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
