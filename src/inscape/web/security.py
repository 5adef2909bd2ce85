"""What stands between a client and the application: who may come, how much, how often, and what browsers are told.

Plain ASGI, so that answers are streamed and nothing waits.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from inscape.web.options import LOCAL_HOSTS, ServiceOptions
from inscape.web.problems import Problem, Refused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("inscape.web")

COOKIE = "inscape_token"
OPEN = ("/api/v1/health",)
"""Paths that need no token."""

CLIENTS = 10_000
"""So many clients are told apart by the rate limit."""

BODIES = {"POST", "PUT", "PATCH"}
JSON_TYPE, BINARY_TYPE = "application/json", "application/octet-stream"

PLOTLY_STYLE = "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
"""Hash of the one style sheet that Plotly puts into the page."""


def content_security_policy(nonce: str) -> str:
    """Everything from this service and nowhere else; scripts by nonce."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}' {PLOTLY_STYLE}; "
        "style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """The application behind checks of host, token, rate, length and type of bodies; headers; one line of log."""

    def __init__(self, app: Application, options: ServiceOptions, binary_paths: tuple[str, ...] = ()) -> None:
        self.app, self.options, self.binary_paths = app, options, binary_paths
        self.rate = RateLimit(options.rate, options.burst)
        self.hosts = {*LOCAL_HOSTS, *(host.lower() for host in options.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        nonce = secrets.token_urlsafe(16)
        scope["state"]["nonce"] = nonce
        began, status = time.perf_counter(), 500

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = {**HEADERS, "content-security-policy": content_security_policy(nonce)}
                if scope["path"].startswith("/api/"):
                    extra["cache-control"] = "no-store"
                known = {name for name, _ in message.get("headers", ())}
                added = [(k.encode(), v.encode()) for k, v in extra.items() if k.encode() not in known]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, self._limited(scope, receive), send_with_headers)
        except Refused as error:
            await _send_problem(send_with_headers, error.status_code, error.problem, dict(error.headers or {}))
        finally:
            seconds = time.perf_counter() - began
            LOG.info("%s %s %s %d %.3f s", client_of(scope), scope["method"], scope["path"], status, seconds)

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if "*" not in self.hosts and name not in self.hosts:
            raise Refused(
                421, "HostError", f"this service is not {host or 'without a name'}", "start it with --allow-host"
            )
        if self.options.token is not None and scope["path"] not in OPEN:
            self._check_token(scope, headers)
        if (wait := self.rate.wait(client_of(scope))) > 0:
            raise Refused(
                429, "TooManyRequests", f"more than {self.options.rate:g} requests a second came from this client",
                f"wait {wait:.1f} s", **{"retry-after": str(max(1, round(wait)))},
            )  # fmt: skip
        if scope["method"] in BODIES:
            self._check_body(scope, headers)

    def _check_token(self, scope: Scope, headers: dict[str, str]) -> None:
        """By ``Authorization: Bearer``, by the cookie of the page, or once in its address, which sets the cookie."""
        given = headers.get("authorization", "").removeprefix("Bearer ").strip()
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        offered = [given, cookie.value if cookie is not None else ""]
        if scope["path"] == "/":
            offered += parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        token = str(self.options.token).encode()
        if not any(hmac.compare_digest(text.encode("utf-8", "replace"), token) for text in offered if text):
            raise Refused(
                401, "TokenError", "this service needs a token", "send Authorization: Bearer …, or open /?token=…",
                **{"www-authenticate": "Bearer"},
            )  # fmt: skip

    def _check_body(self, scope: Scope, headers: dict[str, str]) -> None:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        expected = BINARY_TYPE if scope["path"] in self.binary_paths else JSON_TYPE
        empty = headers.get("content-length", "") in ("", "0") and "transfer-encoding" not in headers
        if kind != expected and not empty:
            raise Refused(415, "ContentTypeError", f"the body is {kind or 'of no type'}; expected {expected}", "set it")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most(scope):
            raise self._too_long(scope)

    def _most(self, scope: Scope) -> int:
        if scope["path"] in self.binary_paths:
            return self.options.max_upload_bytes
        return (
            2
            * self.options.max_structure_bytes
            * (self.options.max_structures if scope["path"].endswith("/many") else 1)
        )

    def _too_long(self, scope: Scope) -> Refused:
        return Refused(413, "TooLarge", f"the body is longer than {self._most(scope)} bytes", "send less")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """The body, counted, whatever the headers said of its length."""
        count = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self._most(scope):
                raise self._too_long(scope)
            return message

        return counted


class RateLimit:
    """A bucket of requests for each client, filled at a rate."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, float(burst)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take one request out; how many seconds until there is one, 0 if there was."""
        if self.rate <= 0:
            return 0.0
        now = time.monotonic()
        left, before = self._left.get(client, (self.burst, now))
        left = min(self.burst, left + (now - before) * self.rate)
        wait = 0.0 if left >= 1 else (1 - left) / self.rate
        self._left[client] = (left - 1 if wait == 0 else left, now)
        self._left.move_to_end(client)
        while len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return wait


def client_of(scope: Scope) -> str:
    """Who asks, by address."""
    return str(scope["client"][0]) if scope.get("client") else "unknown"


async def _send_problem(send: Send, status: int, problem: Problem, headers: dict[str, str]) -> None:
    body = json.dumps(problem.model_dump(), ensure_ascii=False).encode()
    head = {"content-type": JSON_TYPE, "content-length": str(len(body)), "connection": "close", **headers}
    pairs = [(name.encode(), value.encode()) for name, value in head.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
