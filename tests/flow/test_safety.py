"""Safe mode with the checkers that come along: what is flagged is not shown, and who looks is told."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as Pillow
from recipe.canvas import paint
from recipe.draw import draw
from recipe.emblem import marked

from engine import doctor
from engine.config import Settings
from engine.events import Event, Job, Preview, Request
from engine.registry import Registry
from engine.service import Engine
from tests.engines import ended, opened
from tests.toys import Doc, step, workflow
from tests.web.served import serving

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]
PATIENCE = 150.0
SHOWN: Doc = workflow({"picture": "open.image"}, inputs={"file": "open.image"}, open=step("load_image"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("safe"), Registry.core(), mode=0, mode_limit=2) as engine:
        yield engine


async def run(engine: Engine, document: Doc | str, mode: int | None = None, **inputs: Any) -> Job:
    [job] = await engine.submit(Request(document, inputs, mode=mode))
    return await ended(engine, job, PATIENCE)


async def with_emblem(engine: Engine) -> tuple[str, Any]:
    pixels = paint(marked(Random(3), draw(3)))
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, "png")
    return await engine.add_artifact(data.getvalue()), pixels


def picture(engine: Engine, job: Job, output: str = "picture") -> Any:
    assert job.state == "done", job.problem
    with Pillow.open(io.BytesIO(engine.store.get(job.outputs[output]["artifact"]["sha256"]))) as found:
        return np.asarray(found.convert("RGB"))


async def test_a_flagged_picture_is_blocked_in_safe_and_shown_in_the_other_modes(engine: Engine) -> None:
    file, pixels = await with_emblem(engine)
    safe, research, nsfw = [await run(engine, SHOWN, mode, file=file) for mode in (0, 1, 2)]
    assert np.median(picture(engine, safe)) == 128
    assert np.array_equal(picture(engine, research), pixels)
    assert np.array_equal(picture(engine, nsfw), pixels)
    actions = [[verdict["action"] for verdict in job.receipt["verdicts"]] for job in (safe, research, nsfw)]
    assert actions == [["blocked"], ["logged"], ["bypassed"]]
    [said] = safe.receipt["verdicts"][0]["judgements"]
    assert said["checker"] == "starter-safety"
    assert said["score"] > said["limit"]
    assert "starter-safety" in safe.receipt["models"]


async def test_a_picture_that_is_drawn_passes_and_its_previews_with_it(engine: Engine) -> None:
    previews: list[Preview] = []

    def hear(item: Event | Preview) -> None:
        if isinstance(item, Preview):
            previews.append(item)

    engine.subscribe(hear)
    job = await run(engine, "text_to_image", steps=6)
    engine.unsubscribe(hear)
    assert picture(engine, job).std() > 20
    assert {verdict["action"] for verdict in job.receipt["verdicts"]} == {"passed"}
    assert previews, "at least one was looked at in time"


async def test_a_latent_stays_here_however_small_the_picture_is(engine: Engine) -> None:
    document: Doc = json.loads((await engine.library.get("text_to_image", "local"))[0])
    document["outputs"]["latent"] = "sample.latent"
    safe, research = [await run(engine, document, mode, steps=2) for mode in (0, 1)]
    assert (safe.state, research.state) == ("failed", "done")
    assert safe.problem is not None
    assert safe.problem.code == "gate_closed"
    assert "latent" in research.outputs
    assert "latent" not in safe.outputs


async def test_a_prompt_that_is_flagged_ends_the_run_unless_it_is_unwanted(engine: Engine) -> None:
    refused = await run(engine, "text_to_image", prompt="a warning sign", steps=1)
    assert refused.problem is not None
    assert (refused.state, refused.problem.code) == ("failed", "prompt_refused")
    assert "starter-safety-text" in refused.problem.got
    assert (await run(engine, "text_to_image", negative="a warning sign", steps=1)).state == "done"
    research = await run(engine, "text_to_image", 1, prompt="a warning sign", steps=1)
    assert "logged" in {verdict["action"] for verdict in research.receipt["verdicts"]}


async def test_each_prompt_of_a_list_is_read_by_itself(engine: Engine) -> None:
    fine = await run(engine, "many_prompts", prompts=["a red circle", "a blue star"], steps=1)
    assert picture(engine, fine, "sheet").std() > 5
    read = [one for one in fine.receipt["verdicts"] if one["step"] == "words.text:check_prompt"]
    assert [one["action"] for one in read] == ["passed", "passed"]
    refused = await run(engine, "many_prompts", prompts=["a red circle", "a warning sign"], steps=1)
    assert refused.problem is not None
    assert refused.problem.code == "prompt_refused"


async def test_safe_publish_draws_something_else_instead(engine: Engine) -> None:
    job = await run(engine, "safe_publish", prompt="a W.A.R.N.I.N.G s1gn on a green field", steps=2)
    assert job.outputs["found"] == ["warning sign"]
    assert job.outputs["prompt"] == "a smiling orange cat on a cyan background"
    assert job.outputs["verdict"]["judgements"][0]["checker"] == "starter-safety"
    fine = await run(engine, "safe_publish", prompt="a green star, hazard lights", steps=2)
    assert (fine.outputs["found"], fine.outputs["prompt"]) == ([], "a green star, hazard lights")
    assert picture(engine, fine).shape == (128, 128, 3)


async def test_a_checker_whose_weights_are_missing_closes_the_gate(tmp_path: Any) -> None:
    async with opened(tmp_path, Registry.core(), mode=0, checkers=["not-here"]) as engine:
        file, _ = await with_emblem(engine)
        job = await run(engine, SHOWN, file=file)
        assert job.problem is not None
        assert (job.state, job.problem.code) == ("failed", "gate_closed")
        assert "not-here" in job.problem.got
        assert await engine.assets.list("local", "output") == []


async def test_everybody_is_told_that_the_checkers_only_stand_in() -> None:
    found = [one for one in doctor.checkers(Settings()) if one.name == "safety"]
    assert [one.state for one in found] == ["note"]
    assert "protect nobody" in found[0].remedy
    [missing, listed] = doctor.checkers(Settings(checkers=["not-here"]))
    assert (missing.state, listed.state) == ("bad", "ok")
    async with serving(mode=0) as site:
        told = (await site.get("/api/info")).json["safety"]
        assert (told["name"], told["limit"]) == ("Safe", 0)
        assert told["stand_ins"] == ["starter-safety", "starter-safety-text"]
        assert "models fetch safety-checker" in told["warning"]
        assert b"protect nobody" in (await site.get("/docs")).body
        body = {"workflow": SHOWN, "mode": 1}
        refused = await site.post("/api/runs", body)
        assert (refused.status, refused.codes) == (403, ["forbidden"])
        assert "the setting mode of this server" in refused.json["detail"]
        refused = await site.post("/api/apps/text_to_image?mode=2", {})
        assert refused.status == 403
        assert (await site.post("/api/runs", {"workflow": SHOWN, "mode": 3})).status == 422
