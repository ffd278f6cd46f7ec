"""Every refusal as one kind of answer: an RFC 9457 problem document."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import Struct

from engine.errors import Problem, TesseraError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MEDIA = "application/problem+json"
log = logging.getLogger("tessera.web")


class ProblemDocument(Struct):
    """What is wrong with a request: all of it at once, each thing with its place and its remedy."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[dict[str, str]]
    """Each has code, step, input, got, want and remedy; empty where it does not apply."""


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what handlers raise into problem documents; what nobody foresaw is logged and told to nobody."""
    try:
        return await handler(request)
    except TesseraError as error:
        return refusal(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return http_refusal(error)
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception:
        if request.writer.output_size > 0:
            raise  # half an answer is sent: only closing the connection says so
        log.exception("%s %s failed", request.method, request.path)
        return unforeseen()


def refusal(error: TesseraError) -> web.Response:
    """One of our own errors as an answer."""
    title = (type(error).__doc__ or "").partition("\n")[0]
    headers = {"WWW-Authenticate": 'Bearer realm="tessera"'} if error.status == 401 else {}
    return document(error.status, error.code, title, str(error), error.problems, headers)


def http_refusal(error: web.HTTPException) -> web.Response:
    """One of aiohttp's errors (no route, wrong method, body too large) as an answer."""
    code, detail, remedy = SAID.get(error.status, (phrase(error.status), "", ""))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return document(error.status, code, "", detail, [Problem(code, remedy=remedy)], headers)


def malformed(status: int = 400) -> web.Response:
    """The answer to bytes that are not an HTTP request."""
    problem = Problem("bad_request", want="HTTP/1.1", remedy="Send a well-formed HTTP request.")
    return document(status, problem.code, "", "The request could not be read.", [problem])


def unforeseen() -> web.Response:
    """The answer to a defect of ours, which says nothing about our insides."""
    problem = Problem("internal_error", remedy="The server's log says more.")
    return document(500, problem.code, "", "Something went wrong in the server.", [problem])


def document(
    status: int,
    code: str,
    title: str,
    detail: str,
    problems: list[Problem] | tuple[Problem, ...],
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    plain = [msgspec.structs.asdict(problem) for problem in problems]
    body = ProblemDocument(f"urn:tessera:{code}", title or HTTPStatus(status).phrase, status, detail, plain)
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type=MEDIA,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "_")
    except ValueError:
        return "refused"


SAID = {
    404: ("no_route", "There is no such address.", "GET /api/openapi.json lists every route."),
    405: (
        "wrong_method",
        "This address does not know that method.",
        "The Allow header lists those it knows.",
    ),
    413: ("too_large", "The body is larger than the configured limit.", "Send less, or raise the limit."),
    417: ("bad_expectation", "Only Expect: 100-continue is understood.", "Leave the Expect header out."),
}
