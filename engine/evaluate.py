"""Pictures to be scored, as a run of the shipped workflow that scores: of it, only what was asked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field

from engine.canonical import Raw
from engine.errors import Invalid, Problem
from engine.events import Request
from engine.types import Prompt
from engine.workflow import read, split

WORKFLOW = "evaluate"
MOST = 64
"""Pictures that one request may bring."""
Metric = Literal["clip", "aesthetic", "sharpness", "colourfulness", "faces", "psnr", "ssim", "lpips"]
METRICS: tuple[Metric, ...] = get_args(Metric)
AGAINST: dict[Metric, str] = {
    "clip": "prompt",
    "psnr": "reference",
    "ssim": "reference",
    "lpips": "reference",
}
"""What some cannot be measured without."""
READY: tuple[Metric, ...] = ("clip", "sharpness", "colourfulness", "psnr", "ssim")
"""What can be measured with what comes along."""
Judge = Literal["clip", "aesthetic", "aesthetic_clip", "faces", "lpips", "lpips_backbone"]
Picture = Annotated[
    str, Meta(min_length=1, description="The id of an artifact, or the picture as a data URL.")
]


class Evaluate(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Pictures to be scored."""

    images: Annotated[list[Picture], Meta(min_length=1, max_length=MOST)]
    prompt: Prompt = ""
    """What they should show, for `clip`."""
    reference: Picture | None = None
    """The picture they should be like, for `psnr`, `ssim` and `lpips`; of the same size."""
    metrics: list[Metric] = field(default_factory=list)
    """Left out, all that comes along and can be measured with what is given."""
    models: dict[Judge, str] = field(default_factory=dict)
    """The names of other models than the usual ones, by what they measure."""


def wanted(asked: Evaluate) -> list[Metric]:
    """The metrics that are asked for, each once. Raises Invalid for those that lack something."""
    given = {"prompt": asked.prompt.strip(), "reference": asked.reference}
    lacks = {metric: needs for metric, needs in AGAINST.items() if not given[needs]}
    if not asked.metrics:
        return [metric for metric in READY if metric not in lacks]
    problems = [
        Problem("missing_input", input=lacks[metric], want=f"something to measure {metric} against")
        for metric in dict.fromkeys(asked.metrics)
        if metric in lacks
    ]
    if problems:
        raise Invalid(problems)
    return list(dict.fromkeys(asked.metrics))


def request(asked: Evaluate, document: bytes) -> Request:
    """The run that measures, of the shipped workflow's document."""
    metrics = wanted(asked)
    inputs: dict[str, Any] = {"images": asked.images, "prompt": asked.prompt, "reference": asked.reference}
    inputs |= {f"{metric}_model": name for metric, name in asked.models.items()}
    workflow = only(read(document), metrics)
    return Request(workflow, {name: inputs[name] for name in workflow["inputs"] if name in inputs})


def only(workflow: Raw, outputs: Collection[str]) -> Raw:
    """A workflow without what these outputs do not need."""
    named = {name: wire for name, wire in workflow["outputs"].items() if name in outputs}
    needed = closure(workflow, [split(wire)[0] for wire in named.values()])
    inputs = {
        name: {**given, "to": to}
        for name, given in workflow["inputs"].items()
        if (to := [place for place in given["to"] if split(place)[0] in needed])
    }
    steps = {name: step for name, step in workflow["steps"].items() if name in needed}
    return {**workflow, "steps": steps, "inputs": inputs, "outputs": named}


def closure(workflow: Raw, waiting: list[str]) -> set[str]:
    """These steps and all that feed them, also from within the groups that they use."""
    steps, groups = workflow["steps"], workflow.get("groups", {})
    found: set[str] = set()
    while waiting:
        if (name := waiting.pop()) in found or name not in steps:
            continue
        found.add(name)
        for wire in steps[name].get("wires", {}).values():
            within = groups[wire[1:]]["steps"].values() if wire.startswith("#") else ()
            inner = [feed for step in within for feed in step.get("wires", {}).values()]
            waiting += [split(each)[0] for each in (wire, *inner) if not each.startswith("#")]
    return found
