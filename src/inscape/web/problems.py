"""Errors as answers: one shape for all, with the text of the command line."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from inscape.errors import InscapeError, MissingPackageError

NAMES = {404: "NotFound", 405: "MethodNotAllowed"}
"""What errors of HTTP are called."""


class Problem(BaseModel):
    """Why a request was refused: the kind of error, what came and what was expected, and what to do."""

    error: str
    message: str
    hint: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        400: "a body that is no JSON",
        401: "no token",
        404: "nothing of that id",
        413: "too large",
        415: "another type of content",
        421: "another host",
        422: "what inscape refuses, in its words",
        429: "too many requests",
        501: "a package is not installed",
    }.items()
}
"""The answers to bad requests, for the description of the API."""


class Refused(HTTPException):
    """A request that the service itself refuses, with a status of HTTP."""

    def __init__(self, status: int, error: str, message: str, hint: str = "", **headers: str) -> None:
        super().__init__(status, message, headers)
        self.problem = Problem(error=error, message=message, hint=hint)


def answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that states a problem."""
    return JSONResponse(problem.model_dump(), status, headers)


def problem_of(error: InscapeError) -> Problem:
    """What inscape refuses, in its own words; the hint is the last clause, which says what to do."""
    message = " ".join(str(error).split())
    last = re.split(r": |; (?=[a-z])", message)[-1]
    return Problem(error=type(error).__name__, message=message, hint="" if last == message else last)


def status_of(error: InscapeError) -> int:
    """422 for what the request got wrong; 501 where a package is missing on this machine."""
    return 501 if isinstance(error, MissingPackageError) else 422


def install(app: FastAPI) -> None:
    """Let the application answer errors in this shape."""

    @app.exception_handler(InscapeError)
    async def refused_by_inscape(request: Request, error: InscapeError) -> JSONResponse:
        return answer(status_of(error), problem_of(error))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return answer(error.status_code, error.problem, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{place}: {first['msg']}"
        return answer(422, Problem(error="RequestError", message=message, hint="see /docs"))

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}"
        problem = Problem(error=NAMES.get(error.status_code, "RequestError"), message=message, hint="see /docs")
        return answer(error.status_code, problem, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        problem = Problem(error="InternalError", message="the service failed; its log says where", hint="report it")
        return answer(500, problem)
