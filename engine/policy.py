"""What a plan may use: limits on its steps, its calls and its time."""

from __future__ import annotations

from msgspec.structs import replace

from engine.config import Settings
from engine.errors import Invalid, Problem
from engine.plan import Body, Limits, Plan


def limits_of(settings: Settings) -> Limits:
    """The limits that this installation sets."""
    return Limits(settings.step_limit, settings.call_limit, settings.time_limit)


def apply(plan: Plan, limits: Limits) -> Plan:
    """The plan under these limits, or Invalid if it is too large for them."""
    steps = size(plan)
    if steps > limits.steps:
        want = f"at most {limits.steps:,} steps with every group laid out"
        remedy = "Split the workflow, or raise step_limit."
        raise Invalid([Problem("too_many_steps", got=f"{steps:,}", want=want, remedy=remedy)])
    return replace(plan, limits=limits)


def size(plan: Plan) -> int:
    """Steps of a plan and of every piece of graph in it."""
    count, waiting = 0, [plan]
    while waiting:
        one = waiting.pop()
        count += len(one.steps)
        for step in one.steps:
            if step.shape.spec.steers:
                waiting += [source.plan for source in step.sources if isinstance(source, Body)]
    return count
