"""A run that is to explain itself draws the same, and keeps what it heeded."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from engine.config import ROOT
from engine.errors import Invalid
from engine.insight import explained
from engine.plan import From, Plan
from engine.planner import Planner
from engine.policy import guard_for
from engine.registry import Registry
from engine.safety import Checker, Rules
from engine.workflow import parse
from tests.planned import planned, source
from tests.toys import Doc

KNOWN = Planner(Registry.core())
PLAIN: Doc = json.loads((ROOT / "workflows/text_to_image.json").read_text("utf-8"))


def plan(document: Doc, targets: list[str] | None = None, **inputs: Any) -> Plan:
    return KNOWN.plan(parse(document), targets=targets, inputs=inputs)


def changed(**steps: dict[str, Any]) -> Doc:
    """The workflow that draws a picture, with other values or wires in some steps."""
    document = copy.deepcopy(PLAIN)
    for name, parts in steps.items():
        step = document["steps"].setdefault(name, {})
        for part, given in parts.items():
            step[part] = {**step.get(part, {}), **given} if isinstance(given, dict) else given
    return document


def refused(document: Doc, targets: list[str] | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        explained(plan(document, targets), KNOWN.shape)
    assert {problem.code for problem in caught.value.problems} == {"not_explained"}
    return [problem.sentence() for problem in caught.value.problems]


def test_what_draws_is_told_the_same_and_tells_what_it_heeded() -> None:
    before = plan(PLAIN)
    after = explained(before, KNOWN.shape)
    assert [step.id for step in after.steps[: len(before.steps)]] == [step.id for step in before.steps]
    new = planned(after, "sample")
    assert new.shape.spec.id == "explain"
    for name in planned(before, "sample").shape.names:
        if name != "positive":  # whatever `sample` is told, `explain` is told as well
            assert source(after, f"sample.{name}") == source(before, f"sample.{name}")
    assert source(after, "sample.text") == source(before, "words.text")
    assert source(after, "sample:save_explanation.picture").step == after.steps.index(planned(after, "save"))
    kept = after.steps.index(planned(after, "sample:save_explanation"))
    new_ones = {"sample.explanation": From(kept, 0), "sample.overlay": From(kept, 1)}
    assert after.outputs == before.outputs | new_ones
    assert kept in after.targets


def test_what_is_kept_of_an_explanation_is_checked_and_its_prompt_too() -> None:
    guard = guard_for(0, Rules((Checker("words"),), "block", 8), KNOWN.shape)
    assert guard is not None
    checked = guard.plan(explained(plan(PLAIN), KNOWN.shape))
    ids = {step.id for step in checked.steps if step.guards}
    kept = "sample:save_explanation"
    assert {"sample.text:check_prompt", f"{kept}.sheet:check_safety", f"{kept}.heatmaps:check_safety"} <= ids


def test_a_workflow_that_explains_itself_stays_as_it_is() -> None:
    itself = plan(json.loads((ROOT / "workflows/trust/explain_a_picture.json").read_text("utf-8")))
    assert explained(itself, KNOWN.shape) is itself


def test_only_what_runs_is_explained() -> None:
    assert explained(plan(PLAIN, ["save"]), KNOWN.shape).steps[-1].shape.spec.id == "save_explanation"
    [sentence] = refused(PLAIN, ["canvas"])
    assert "a step `sample`" in sentence


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (changed(seeds={"node": "seeds"}, sample={"wires": {"seed": "seeds.out"}}), "a list"),
        (
            changed(
                mixed={"node": "average_prompts", "wires": {"a": "words.out", "b": "avoid.out"}},
                sample={"wires": {"positive": "mixed.out"}},
            ),
            "encode_text",
        ),
        (
            changed(
                again={"node": "resize_latent", "wires": {"latent": "sample.latent"}},
                decode={"wires": {"latent": "again.out"}},
            ),
            "not decoded",
        ),
    ],
)
def test_what_cannot_be_explained_says_so_before_it_runs(document: Doc, why: str) -> None:
    [sentence] = refused(document)
    assert sentence.startswith("sample")
    assert why in sentence


def test_what_can_be_explained_is_where_something_else_cannot() -> None:
    second = {
        "mixed": {"node": "average_prompts", "wires": {"a": "words.out", "b": "avoid.out"}},
        "again": {"node": "sample", "wires": {**PLAIN["steps"]["sample"]["wires"], "positive": "mixed.out"}},
        "seen": {"node": "decode_latent", "wires": {"vae": "model.vae", "latent": "again.latent"}},
    }
    document = changed(**second)
    document["outputs"]["other"] = "seen.out"
    after = explained(plan(document), KNOWN.shape)
    [warning] = [problem for problem in after.warnings if problem.code == "not_explained"]
    assert warning.step == "again"
    assert "encode_text" in warning.got
    assert planned(after, "again").shape.spec.id == "sample"
