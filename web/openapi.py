"""Routes and the types on them as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from web.problems import MEDIA, ProblemDocument
from web.route import EXPLAIN, MODE, WAIT, Param, Route
from web.views import FileView, Submitted

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"
ABOUT = (
    "Workflows are checked, run, cached by content and remembered. Every refusal is a problem document whose"
    " `problems` name the step, the input, what was found, what was wanted and what to do."
)


def describe(routes: Iterable[Route], apps: dict[str, Schema]) -> Schema:
    """The whole interface: each route once, and each saved workflow as an operation of its own."""
    routes = tuple(routes)
    types = {kind for route in routes for kind in (route.answer, route.body) if is_struct(kind)}
    ordered = sorted((*types, ProblemDocument, FileView), key=lambda kind: str(kind.__name__))
    _, components = msgspec.json.schema_components(ordered, ref_template=REF)
    paths: dict[str, dict[str, Schema]] = {}
    for route in routes:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = operation(route)
    for name, app in apps.items():
        paths[f"/api/apps/{name}"] = {"post": app_operation(name, app)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tessera", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def operation(route: Route) -> Schema:
    found: Schema = {
        "operationId": route.handler.__name__ + "_" + route.tag,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*map(in_path, re.findall(r"{(\w+)", route.path)), *map(parameter, route.params)],
        "responses": {str(route.status): response(route), "default": PROBLEM},
    }
    if route.body is not None:
        schema = {"type": "string", "format": "binary"} if route.body is bytes else schema_of(route.body)
        found["requestBody"] = {"required": True, "content": {route.takes: {"schema": schema}}}
    return found


def app_operation(name: str, app: Schema) -> Schema:
    """A saved workflow as a function: its named inputs in, the run with its named outputs out."""
    given = {output: {"description": words} for output, words in app["outputs"].items()}
    outputs = {"type": "object", "properties": given}
    run = {"allOf": [schema_of(Submitted), {"properties": {"outputs": outputs}}]}
    inputs = {
        "type": "object",
        "properties": app["inputs"],
        "required": app["required"],
        "additionalProperties": False,
    }
    return {
        "operationId": f"app_{name}",
        "tags": ["apps"],
        "summary": app["title"] or name,
        "parameters": [parameter(WAIT), parameter(MODE), parameter(EXPLAIN)],
        "requestBody": {"content": {"application/json": {"schema": inputs}}},
        "responses": {
            "200": {"description": "Finished.", "content": {"application/json": {"schema": run}}},
            "202": {"description": "Not finished yet.", "content": {"application/json": {"schema": run}}},
            "default": PROBLEM,
        },
    }


def response(route: Route) -> Schema:
    found: Schema = {"description": route.summary}
    if route.answer is not None:
        found["content"] = {route.media: {"schema": schema_of(route.answer)}}
    elif route.media:
        found["content"] = {route.media: {}}
    return found


def parameter(param: Param) -> Schema:
    return {"name": param.name, "in": param.where, "description": param.help, "schema": {"type": param.type}}


def in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def plain_path(path: str) -> str:
    return re.sub(r":[^}]*}", "}", path)


def schema_of(kind: Any) -> Schema:
    if is_struct(kind):
        return {"$ref": REF.format(name=kind.__name__)}
    return {"type": "object"}


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


PROBLEM: Schema = {
    "description": "Refused: what is wrong, all of it at once.",
    "content": {MEDIA: {"schema": {"$ref": REF.format(name="ProblemDocument")}}},
}
