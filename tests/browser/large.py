"""Large workflows for the canvas: chains of numbers side by side, laid out in a grid."""

from __future__ import annotations

from typing import Any

ROWS = 20


def workflow(count: int) -> dict[str, Any]:
    """So many steps, in rows of twenty along which each feeds the next."""
    steps: dict[str, Any] = {}
    places: dict[str, Any] = {}
    for index in range(count):
        across, down = divmod(index, ROWS)
        name = f"n{index}"
        steps[name] = {"node": "add", "version": 1, "values": {"a": 1, "b": 1}}
        if across:
            steps[name] = {**steps[name], "values": {"b": 1}, "wires": {"a": f"n{index - ROWS}.out"}}
        places[name] = {"at": [across * 340, down * 160]}
    return {"title": f"{count} steps", "steps": steps, "layout": {"": {"steps": places}}}
