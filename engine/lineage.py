"""How the results of a run came about: from its plan and what its steps gave, to receipts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from engine.artifacts import Folder
from engine.digest import digest, hashed
from engine.errors import TesseraError
from engine.looks import look
from engine.models import Models
from engine.plan import Body, Branch, Const, From, Handed, Plan, PlanStep, Source
from engine.policy import lets_out
from engine.ports import JsonValue
from engine.receipt import Facts, Lora, Made, Paper, Parent, Receipt
from engine.run import Run
from engine.shelf import Cached
from engine.types import Artifact, Model, Value
from engine.weights import Kind

MOST_STEPS = 5000
"""Steps up to which a receipt tells of each."""
LONGEST_TEXT = 2000
LONGEST_LIST = 64
PLAIN = (str, int, float, bool, type(None))


class Around(Struct, frozen=True):
    """What a run's receipts say besides its steps."""

    run: str
    title: str
    workflow: str
    mode: int
    explain: bool
    inputs: dict[str, JsonValue]
    targets: list[str] | None
    files: dict[str, Artifact]
    environment: dict[str, str | int]


class Place(NamedTuple):
    """A step, and the steps that it needs."""

    step: PlanStep
    needs: set[str]
    at: int
    """In the plan of the run; -1 within a piece of graph."""


class Lineage:
    """One run, while it goes on or once it is over: the receipts of what it makes."""

    def __init__(
        self,
        plan: Plan,
        run: Run,
        around: Around,
        *,
        named: Models | None,
        met: Mapping[str, str],
        store: Folder,
    ) -> None:
        self.run = run
        self.around = around
        self.places: dict[str, Place] = {}
        self._named = named
        """Where the models lie that steps name themselves; None where no step does."""
        self._met = met
        """Name and hash of those that the run came across, with the embeddings in its prompts."""
        self._store = store
        self._looks: dict[str, str] = {}
        self._bypassed = lets_out(plan) if run.guard is None else []
        if sum(1 for _ in plan.every_step()) <= MOST_STEPS:
            lay_out(plan, set(), self.places)

    def of(self, step: str) -> Receipt:
        """The receipt of what this step makes."""
        found = self.receipt(self.before(step))
        found.step = step
        return found

    def whole(self, values: Mapping[str, Any]) -> Receipt:
        """The receipt of the run with these outputs."""
        found = self.receipt(self.places)
        found.models |= self._met
        found.verdicts = self.verdicts(self.run.reports)
        found.outputs = {name: digest(value).hex() for name, value in values.items()}
        found.looks = {name: self.look(value) for name, value in values.items() if files_in([value])}
        effects = [effect.value for effect in self.run.effects]
        if effects and not values:  # sorted, since branches may overtake each other
            found.outputs["effects"] = digest(sorted(digest(value) for value in effects)).hex()
            found.looks["effects"] = digest(sorted(self.look(value) for value in effects)).hex()
        return found

    def papers(self, made: Mapping[str, tuple[str, str]]) -> list[Paper]:
        """The receipts of files, by SHA-256 with the step and the place that made each."""
        given = {file.sha256 for file in self.around.files.values()}
        steps: dict[str, dict[str, str]] = {}
        for sha256, (step, place) in made.items():
            if sha256 not in given:  # an upload that is only passed on was not made here
                steps.setdefault(step, {})[sha256] = place
        return [self.paper(step, files) for step, files in steps.items()]

    def paper(self, step: str, files: dict[str, str]) -> Paper:
        receipt = self.of(step)
        receipt.looks = {sha: self._looks.get(sha) or self.look_of_file(sha) for sha in files}
        return Paper(receipt, files)

    def before(self, step: str) -> dict[str, Place]:
        """The step and all those that it needs, in order."""
        wanted, waiting = set(), [step]
        while waiting:
            if (id := waiting.pop()) not in wanted and id in self.places:
                wanted.add(id)
                waiting += self.places[id].needs
        return {id: place for id, place in self.places.items() if id in wanted}

    def receipt(self, places: Mapping[str, Place]) -> Receipt:
        run, around = self.run, self.around
        known = {id: place for id, place in places.items() if id in run.reports}
        given = {id: dict(self.given(place)) for id, place in known.items()}
        results = {id: self.result(place) for id, place in known.items()}
        rich = {id: r for id, r in results.items() if r is not None and not known[id].step.shape.scalar}
        entries = [place.step.shape.entry for place in known.values()]
        met = models_in(value for result in rich.values() for value in result.values)
        loras = list(dict.fromkeys(lora for model in met for lora in model.loras))
        named = {model.name for model in met} | {name for name, *_ in loras}
        found = {n: s for n, s in self._met.items() if n in named or n.startswith("embedding:")}
        steps = {id: self.made(id, place, given[id], results[id]) for id, place in known.items()}
        return Receipt(
            form=1,
            run=around.run,
            title=around.title,
            workflow=around.workflow,
            mode=around.mode,
            explain=around.explain,
            verdicts=self.verdicts(known),
            inputs=around.inputs,
            targets=around.targets,
            nodes={entry.spec.id: entry.spec.version for entry in entries},
            packs={entry.pack: entry.epoch for entry in entries if entry.pack},
            models=self.models_named(known.values()) | found,
            loras=[Lora(*lora) for lora in loras],
            seeds=self.seeds(known, given),
            sampling=sampling(known, given),
            environment=around.environment,
            fallbacks={id: made.fallback for id, made in steps.items() if made.fallback},
            steps=steps,
            parents=parents(known, given, rich),
            files={id: file.sha256 for id, file in around.files.items()},
        )

    # -- of one step

    def made(self, id: str, place: Place, given: Facts, result: Cached | None) -> Made:
        spec, entry = place.step.shape.spec, place.step.shape.entry
        report = self.run.reports[id]
        return Made(
            node=spec.id,
            version=spec.version,
            lane=spec.lane,
            pack=entry.epoch if entry.pack else "",
            gave=self.gave(id, result),
            values={name: short(value) for name, value in given.items() if is_plain(value)},
            cache=report.cache,
            calls=report.calls,
            hits=report.hits,
            seconds=round(report.seconds, 4),
            fallback=report.fallback,
            elsewhere={} if result is None else elsewhere(result.made, self.around.environment),
        )

    def result(self, place: Place) -> Cached | None:
        """What a step gave, unless it is within a piece of graph: there it gives one thing each turn."""
        if place.at < 0 or self.run.frame is None:
            return None
        found = self.run.frame.results[place.at]
        return found if isinstance(found, Cached) else None

    def gave(self, id: str, result: Cached | None) -> str:
        if result is None:
            turns = self.run.turns.get(id)
            return "" if turns is None else f"{turns:032x}"
        if len(result.values) == 1 and type(result.values[0]) in PLAIN:
            return result.digests[0].hex()
        if files_in(result.values):
            return hashed("".join(self.look(value) for value in result.values).encode()).hex()
        return (result.digests[0] if len(result.digests) == 1 else hashed(b"".join(result.digests))).hex()

    def given(self, place: Place) -> Iterator[tuple[str, Any]]:
        """The values that reached a step's inputs, by name."""
        shape, frame = place.step.shape, self.run.frame if place.at >= 0 else None
        for name, source, eager in zip(shape.names, place.step.sources, shape.eager, strict=True):
            if isinstance(source, Const):
                yield name, source.value
            elif eager and frame is not None and isinstance(got := frame.read(source), tuple):
                yield name, got[0]

    def look(self, value: Any) -> str:
        """The digest of a value; of a file, what it shows."""
        if isinstance(value, Artifact):
            if value.sha256 not in self._looks:
                self._looks[value.sha256] = self.look_of_file(value.sha256)
            return self._looks[value.sha256]
        if isinstance(value, (list, tuple)):
            return hashed("".join(self.look(item) for item in value).encode()).hex()
        return digest(value).hex()

    def look_of_file(self, sha256: str) -> str:
        try:
            return look(self._store.get(sha256))
        except TesseraError:  # deleted or damaged meanwhile: its name is its content's
            return f"sha256:{sha256}"

    # -- of several

    def models_named(self, places: Iterable[Place]) -> dict[str, str]:
        """Name and content hash of every model that a step loads by its name."""
        used: dict[str, str] = {}
        if (here := self._named) is None:
            return used
        for step in (place.step for place in places):
            for port, source in zip(step.shape.spec.inputs, step.sources, strict=True):
                if port.ui.get("x-widget") == "model" and isinstance(source, Const) and source.value:
                    kind = msgspec.convert(port.ui["x-kind"], Kind)
                    file = here.find(str(source.value), kind)
                    used[file.name] = here.sha256(file)
        return used

    def verdicts(self, steps: Iterable[str]) -> list[Facts]:
        """What the checks among some steps found, and where they stood; that nobody looked is said too."""
        if self.run.guard is None:
            return [{"step": place, "action": "bypassed"} for place in self._bypassed]
        asked = set(steps)
        reports = [
            (id, report) for id, report in self.run.reports.items() if id in asked or alone(id) in asked
        ]
        return [{"step": id, **verdict} for id, report in reports for verdict in report.verdicts]

    def seeds(self, places: Mapping[str, Place], given: Mapping[str, Facts]) -> Facts:
        found: Facts = {}
        for id, place in places.items():
            for name in [place.step.shape.names[index] for index in place.step.shape.seeds]:
                if name in given[id]:
                    found[f"{id}.{name}"] = given[id][name]
                if turns := self.run.drawn.get(f"{id}.{name}"):
                    found[f"{id}.{name}"] = [turns[turn] for turn in sorted(turns)]
        return found


def parents(
    places: Mapping[str, Place], given: Mapping[str, Facts], results: Mapping[str, Cached]
) -> list[Parent]:
    """The files that went in, and those that steps on the way made."""
    found: dict[str, Parent] = {}
    last = next((id for id in reversed(list(places)) if not places[id].step.guards), "")
    for id, place in places.items():
        for file in files_in(given[id].values()) if place.step.shape.artifacts else ():
            found.setdefault(file.sha256, Parent(file.sha256, file.mime, file.name))
        for file in files_in(results[id].values) if id in results and id != last else ():
            parent = found.setdefault(file.sha256, Parent(file.sha256, file.mime, file.name))
            parent.step = parent.step or (id if place.step.shape.spec.kind == "effect" else "")
    return list(found.values())


def sampling(places: Mapping[str, Place], given: Mapping[str, Facts]) -> dict[str, Facts]:
    """What each step that takes a seed and a model was told."""
    found: dict[str, Facts] = {}
    for id, place in places.items():
        if place.step.shape.seeds and (models := models_in(given[id].values())):
            found[id] = {name: short(value) for name, value in given[id].items() if is_plain(value)}
            found[id]["models"] = {model.name: model.sha256 for model in models}
    return found


def lay_out(plan: Plan, around: set[str], found: dict[str, Place], depth: int = 0) -> None:
    """Every step with those that it needs; those of a piece of graph come before the one that awaits it."""
    ids = [step.id for step in plan.steps]
    for index, step in enumerate(plan.steps):
        outside = {id for source in step.sources for id in needed(source, ids, around)}
        needs = set(outside)
        for source in step.sources:
            if isinstance(source, Body):
                ends = {source.plan.steps[end].id for end in source.plan.ends}
                # What a turn is handed may come from the turn before it.
                lay_out(source.plan, outside | ends, found, depth + 1)
                needs |= ends
        known = found.get(step.id)
        found[step.id] = Place(step, needs | (known.needs if known else set()), -1 if depth else index)


def needed(source: Source, ids: list[str], around: set[str]) -> set[str]:
    """The steps behind a source, and behind what a piece of graph captures."""
    match source:
        case From():
            return {ids[source.step]}
        case Handed():
            return around
        case Branch():
            return needed(source.source, ids, around)
        case Body():
            return {id for captured in source.captured for id in needed(captured, ids, around)}
    return set()


def alone(id: str) -> str:
    """The step, if this is a check that was made of what it gave."""
    return id.rpartition(":")[0].rpartition("]/")[2]


def elsewhere(made: str, here: Mapping[str, str | int]) -> Facts:
    """What the surroundings of a cached result have that is different here."""
    there: Facts = json.loads(made) if made else {}
    return {name: value for name, value in there.items() if name in here and here[name] != value}


def is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= LONGEST_LIST and all(isinstance(item, PLAIN) for item in value)
    return isinstance(value, PLAIN)


def short(value: Any) -> Any:
    """A plain value; a long text as its digest, since the workflow holds it anyway."""
    long = isinstance(value, str) and len(value) > LONGEST_TEXT
    return f"digest:{digest(value).hex()}" if long else value


def files_in(values: Iterable[Any]) -> list[Artifact]:
    """The files among some values, also in lists."""
    found: list[Artifact] = []
    for value in values:
        if isinstance(value, Artifact):
            found.append(value)
        elif isinstance(value, list) and value and isinstance(value[0], (Artifact, list)):
            found += files_in(value)
    return found


def models_in(values: Iterable[Any]) -> list[Model]:
    """The models among some values, also in lists and behind other values' fields."""
    found: list[Model] = []
    for value in values:
        if isinstance(value, Model):
            found.append(value)
        elif isinstance(value, list) and value and isinstance(value[0], Value):
            found += models_in(value)
        elif isinstance(value, Value):
            fields = [getattr(value, name) for name in value.__struct_fields__]
            found += [item for item in fields if isinstance(item, Model)]
    return found


def workflow_digest(document: bytes) -> str:
    """Of a workflow, wherever its steps lie on the canvas and in whatever order they are written."""
    raw = msgspec.json.decode(document)
    plain = {name: part for name, part in raw.items() if name != "layout"}
    return hashed(msgspec.json.encode(plain, order="sorted")).hex()
