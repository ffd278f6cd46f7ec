"""A run that is to explain itself: what draws also tells what it heeded, and that is kept. Plan → Plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from engine.errors import Invalid, Problem
from engine.plan import From, Handed, Plan, PlanStep, Shape, Source, holds
from engine.policy import is_own_effect
from engine.ports import ARTIFACT

SAMPLER, READER, DECODER = "sample", "encode_text", "decode_latent"
TELLER, REPORT, KEEPER = "explain", "report_explanation", "save_explanation"
"""The nodes that take part; `explain` draws what `sample` draws, to the bit."""

Shapes = Callable[[str], Shape | None]


class Scene(NamedTuple):
    """A picture that can be explained: its sampler, the prompt it is drawn from, and where it is seen."""

    sampler: int
    reader: int
    decoder: int
    saved: From | None
    """The file that it comes to, perhaps after more steps."""


class Cannot(Exception):
    """Says why what this draws cannot be explained; never leaves this module."""

    def __init__(self, got: str, remedy: str) -> None:
        self.got, self.remedy = got, remedy


def explained(plan: Plan, shapes: Shapes) -> Plan:
    """The plan, with an explanation of each picture that can have one. Invalid if none can."""
    run = reached(plan)
    if any(plan.steps[index].shape.spec.id == KEEPER for index in run):
        return plan  # it explains itself already
    scenes, problems = [], []
    for index in [index for index in run if plan.steps[index].shape.spec.id == SAMPLER]:
        try:
            scenes.append(scene(plan, index, run))
        except Cannot as why:
            want = "a picture whose words can be told"
            problems.append(Problem("not_explained", plan.steps[index].id, "", why.got, want, why.remedy))
    if not scenes:
        remedy = "Run it without `explain`."
        want = "a step `sample` of the workflow itself, not within a loop or a branch"
        raise Invalid(problems or [Problem("not_explained", input="explain", want=want, remedy=remedy)])
    for one in scenes:
        plan = with_explanation(plan, one, shapes)
    return replace(plan, warnings=(*plan.warnings, *problems))


def reached(plan: Plan) -> list[int]:
    """The steps that a run is sure to come to, in order."""
    found: set[int] = set()
    waiting = list(plan.ends)
    while waiting:
        if (index := waiting.pop()) not in found:
            found.add(index)
            waiting += plan.steps[index].needs
    return sorted(found)


def scene(plan: Plan, index: int, run: list[int]) -> Scene:
    """Where a sampler finds its words, and where what it draws is seen."""
    sampler = plan.steps[index]
    if sampler.maps:
        raise Cannot("a step that draws a list", "Draw one picture, or several runs with `count`.")
    positive = told(sampler)["positive"]
    reader = plan.steps[positive.step] if isinstance(positive, From) else None
    if reader is None or reader.shape.spec.id != READER or reader.maps or not isinstance(positive, From):
        raise Cannot("a prompt that does not come straight from `encode_text`", f"Wire one {READER} into it.")
    decoder = next((one for one in run if shows(plan.steps[one], index)), None)
    if decoder is None:
        raise Cannot("a latent that is not decoded as it was drawn", f"Wire it into a `{DECODER}`.")
    return Scene(index, positive.step, decoder, saved(plan, decoder, run))


def told(step: PlanStep) -> Mapping[str, Source]:
    """What feeds the inputs of a step, by name."""
    return dict(zip(step.shape.names, step.sources, strict=True))


def shows(step: PlanStep, sampler: int) -> bool:
    """Whether this decodes just what the sampler drew."""
    latent = From(sampler, 0)
    return step.shape.spec.id == DECODER and not step.maps and told(step)["latent"] == latent


def saved(plan: Plan, decoder: int, run: list[int]) -> From | None:
    """The first file that a step of ours makes of the picture."""
    after = {decoder}
    for index in run:
        step = plan.steps[index]
        if not after.isdisjoint(step.needs):
            after.add(index)
            if is_own_effect(step.shape) and not step.maps and holds_file(step):
                return From(index, 0)
    return None


def holds_file(step: PlanStep) -> bool:
    return bool(step.types) and holds(step.types[0], ARTIFACT)


# -- put in


def with_explanation(plan: Plan, one: Scene, shapes: Shapes) -> Plan:
    """The plan with `explain` in the place of a sampler, and its report kept at the end."""
    sampler, reader = plan.steps[one.sampler], plan.steps[one.reader]
    teller = step_of(sampler.id, shapes(TELLER), {**told(sampler), **told(reader)})
    at = len(plan.steps)
    seen = {"explanation": From(one.sampler, 2), "image": From(one.decoder, 0)}
    report = step_of(f"{sampler.id}:{REPORT}", shapes(REPORT), seen)
    parts: dict[str, Source] = {"report": From(at, 0), "sheet": From(at, 1), "heatmaps": From(at, 2)}
    parts |= {} if one.saved is None else {"picture": one.saved}
    keeper = step_of(f"{sampler.id}:{KEEPER}", shapes(KEEPER), parts)
    steps = [*plan.steps, report, keeper]
    steps[one.sampler] = teller
    named = {f"{sampler.id}.explanation": 0, f"{sampler.id}.overlay": 1}
    return replace(
        plan,
        steps=tuple(steps),
        targets=(*plan.targets, at + 1),
        outputs={**plan.outputs, **{name: From(at + 1, port) for name, port in named.items()}},
        types={**plan.types, **{name: keeper.types[port] for name, port in named.items()}},
    )


def step_of(id: str, shape: Shape | None, given: Mapping[str, Source]) -> PlanStep:
    """A step of this node; what is not given is at its default."""
    if shape is None:
        raise Invalid([Problem("not_explained", remedy="Use the nodes that come with Tessera.")])
    sources = tuple(given.get(name) or shape.defaults[name] for name in shape.names)
    needs = tuple(sorted({source.step for source in sources if isinstance(source, From)}))
    checks = tuple(i for i in shape.limited if isinstance(sources[i], (From, Handed)))
    types = tuple(port.type for port in shape.spec.outputs)
    return PlanStep(id, shape, sources, (), needs, types, checks)
