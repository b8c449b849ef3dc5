"""Access to the server, checked for every request before anything else."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:(?P<port>[0-9]{1,5}))?", re.ASCII)
COOKIE = re.compile(r"[\w-]{1,100}", re.ASCII)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
REFUSED = "Open the address that `prefrl serve` printed: it lets this browser in.\n"
# A link in a mail or a chat: SameSite=Strict holds the cookie back until our own page asks for the next one.
ONWARD = '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>prefrl</title>\n'


class Guard:
    """Lets in who has the token, asks for this server by a name of its own, and comes from its own pages.

    Args:
        app: what is guarded.
        token: the secret in the printed address; moves into a cookie.
        names: what Host may say, without a port.
    """

    def __init__(self, app: ASGIApp, token: str, names: Collection[str]) -> None:
        self._app, self._token = app, token
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            response = self._answer(scope)
            await (response or self._app)(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """Returns the refusal of a request, or None if it may proceed."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if host is None:
            return PlainTextResponse("One Host, please.\n", 400)
        if host["name"] not in self._names:
            known = "it must be started with the names that others call it by"
            return PlainTextResponse(f"This server does not go by that name; {known}.\n", 421)
        cookie = f"prefrl-{host['port'] or 80}"  # a browser shares cookies between the ports of a host
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if scope["method"] == "GET" and scope["path"] == "/" and given:
            return self._let_in(cookie, given[0], headers)
        if not self._knows(_cookie(headers, cookie)):
            return PlainTextResponse(REFUSED, 403)
        if scope["method"] not in ("GET", "HEAD") and not _from_own_page(headers, hosts[0]):
            return PlainTextResponse("That did not come from a page of this server.\n", 403)
        return None

    def _knows(self, secret: str) -> bool:
        return secrets.compare_digest(secret.encode("utf-8", "replace"), self._token.encode())

    def _let_in(self, cookie: str, secret: str, headers: Headers) -> Response:
        if not self._knows(secret):
            return PlainTextResponse(REFUSED, 403)
        elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        response = HTMLResponse(ONWARD) if elsewhere else RedirectResponse("/", 303)
        response.set_cookie(cookie, self._token, httponly=True, samesite="strict")
        return response


def _cookie(headers: Headers, name: str) -> str:
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name and COOKIE.fullmatch(value):
                return value
    return ""


def _from_own_page(headers: Headers, host: str) -> bool:
    """A browser says where a request comes from, and a page cannot make it say otherwise.

    Sec-Fetch-Site is missing where the address is neither HTTPS nor this machine, Origin may be "null" for want of a
    referrer; one of the two must speak for the request, and none against it.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or origin == "null":
        return site == "same-origin"
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
