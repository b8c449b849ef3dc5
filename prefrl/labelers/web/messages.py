"""Messages that the page may send: small JSON objects with exactly the expected fields."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES = 4096


async def read_message(request: Request, **fields: type) -> dict[str, Any]:
    """The fields of a request's body.

    Args:
        fields: the type of each; an int is no bool.

    Raises:
        HTTPException: 413, 415 or 400, the body is anything else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    try:
        values = json.loads(await _read(request))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != fields:
        raise HTTPException(400, f"the body must be an object of {', '.join(fields) or 'nothing'}")
    return values


async def _read(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"the body has more than {MOST_BYTES} bytes")
    return body
