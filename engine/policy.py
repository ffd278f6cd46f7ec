"""What a plan may use, and what is looked at before it leaves: limits, and checks put in. Plan → Plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from engine.config import Settings
from engine.errors import GateClosed, Invalid, Problem
from engine.node import InputPort, OutputPort
from engine.plan import Body, Branch, Const, From, Handed, Limits, Plan, PlanStep, Shape, Source
from engine.ports import Class, Either, ListOf, Piece, PortType, Scalar, Var
from engine.safety import NSFW, SAFE, Flagged, Rules
from engine.types import Value

CHECK, CHECK_PROMPT = "check_safety", "check_prompt"
"""The nodes that look at what leaves, and at prompts."""
READER, DRAWN = "TextEncoder", ("Conditioning", "Latent", "Image")
FRAMES = "frames"
"""What inputs are called that take the pictures of one clip."""
UNWANTED = "negative"
"""What inputs are called that take what a picture should not show."""


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


# -- checks


class Guard(Struct, frozen=True):
    """How checks are put into the plans of a run."""

    picture: Shape | None
    """None where no node can look; then nothing leaves that may show anything."""
    prompt: Shape | None
    flagged: Flagged
    closed: bool
    """Whether what was not looked at stays here."""

    def plan(self, plan: Plan) -> Plan:
        """The plan with a check before everything through which something leaves."""
        return Guarding(self).plan(plan, leaves=True)

    def lone(self, id: str) -> Plan:
        """A plan that checks the one value handed to it."""
        step = self.check(self.picture, id, Handed(0))
        return Plan((step,), (0,), {"out": From(0, 0)}, {"out": Scalar("json")}, takes=1)

    def check(
        self, shape: Shape | None, id: str, source: Source, *, clip: bool = False, each: bool = False
    ) -> PlanStep:
        """A step that checks what this source gives, or each item of it."""
        if shape is None:
            remedy = "Use the nodes that come with Tessera, or a mode that checks nothing."
            raise GateClosed("No node here can look at what leaves.", remedy=remedy)
        given = {"flagged": Const(self.flagged), "clip": Const(clip)}
        _, *others = shape.names
        sources = (source, *(given.get(name) or shape.defaults[name] for name in others))
        needs = (source.step,) if isinstance(source, From) else ()
        types = tuple(Scalar("json") for _ in shape.outputs)
        maps = (0,) if each else ()
        return PlanStep(f"{id}:{shape.spec.id}", shape, sources, maps, needs, types, guards=True)


def guard_for(mode: int, rules: Rules, shapes: Callable[[str], Shape | None]) -> Guard | None:
    """The guard of a run in this mode; None where nothing is checked."""
    if mode == NSFW:
        return None
    return Guard(shapes(CHECK), shapes(CHECK_PROMPT), rules.flagged if mode == SAFE else "log", mode == SAFE)


class Guarding:
    """Plans on their way through a guard. Those that several steps share stay shared."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.known: dict[tuple[int, bool], tuple[Plan, Plan]] = {}

    def plan(self, plan: Plan, *, leaves: bool) -> Plan:
        """One plan; `leaves` says that its outputs are let out."""
        place = (id(plan), leaves)
        if place not in self.known:
            self.known[place] = (plan, self.guarded(plan, leaves))  # the plan is kept, and so its id its own
        return self.known[place][1]

    def guarded(self, plan: Plan, leaves: bool) -> Plan:
        steps: list[PlanStep] = []
        at: list[int] = []
        """Where each old step stands now."""
        unwanted = only_unwanted(plan)
        for index, step in enumerate(plan.steps):
            exits = is_exit(step.shape)
            sources = [self.moved(source, at, exits) for source in step.sources]
            if exits:
                sources = [self.before_exit(step, place, one, steps) for place, one in enumerate(sources)]
            elif self.guard.prompt is not None and index not in unwanted and reads_prompts(step.shape):
                sources = [self.before_reader(step, place, one, steps) for place, one in enumerate(sources)]
            needs = tuple(sorted({s.step for s in sources if isinstance(s, From)}))
            at.append(len(steps))
            steps.append(replace(step, sources=tuple(sources), needs=needs))
        outputs = {}
        for name, source in plan.outputs.items():
            trusted = isinstance(source, From) and is_trusted(plan.steps[source.step].shape)
            new = self.placed(source, at)
            if leaves and not trusted and may_show(plan.types.get(name)):
                new = self.checked(self.guard.picture, name, new, steps)
            outputs[name] = new
        targets = tuple(at[target] for target in plan.targets)
        return replace(plan, steps=tuple(steps), targets=targets, outputs=outputs)

    def moved(self, source: Source, at: Sequence[int], exits: bool) -> Source:
        if isinstance(source, Body):
            captured = tuple(self.placed(one, at) for one in source.captured)
            return Body(self.plan(source.plan, leaves=exits), captured)
        if isinstance(source, Branch):
            found = self.placed(source.source, at)
            return Branch(found) if isinstance(found, (From, Handed)) else source
        return self.placed(source, at)

    def placed(self, source: From | Handed | Const, at: Sequence[int]) -> From | Handed | Const:
        return replace(source, step=at[source.step]) if isinstance(source, From) else source

    def before_exit(self, step: PlanStep, place: int, source: Source, steps: list[PlanStep]) -> Source:
        """A check before an input through which something may leave."""
        port = step.shape.spec.inputs[place]
        if isinstance(source, Body) or not may_show(port.type, also_json=not isinstance(source, Const)):
            return source
        id = f"{step.id}.{port.name}"
        if isinstance(source, Branch):
            found = self.checked(self.guard.picture, id, source.source, steps)
            return Branch(found) if isinstance(found, (From, Handed)) else source
        clip = port.name == FRAMES and place not in step.maps
        return self.checked(self.guard.picture, id, source, steps, clip=clip)

    def before_reader(self, step: PlanStep, place: int, source: Source, steps: list[PlanStep]) -> Source:
        """A check before an input whose words are drawn."""
        port = step.shape.spec.inputs[place]
        if self.guard.prompt is None or not is_text(port.type) or isinstance(source, (Body, Branch)):
            return source
        id, each = f"{step.id}.{port.name}", place in step.maps
        return self.checked(self.guard.prompt, id, source, steps, each=each)

    def checked(
        self,
        shape: Shape | None,
        id: str,
        source: From | Handed | Const,
        steps: list[PlanStep],
        *,
        clip: bool = False,
        each: bool = False,
    ) -> From | Handed | Const:
        """The source behind a new check; typed-in plain data is no picture, and empty text no prompt."""
        if isinstance(source, Const):
            words = shape is not None and shape is self.guard.prompt and source.value
            if not words and not holds_value(source.value):
                return source
            plain: Source = source
            after = From(len(steps), 0)
        else:
            plain = replace(source, how="as is", widen=False)
            after = From(len(steps), 0, source.how, source.widen)
        steps.append(self.guard.check(shape, id, plain, clip=clip, each=each))
        return after


def is_exit(shape: Shape) -> bool:
    """Whether what goes in may leave: by an effect, or as a person is asked about it.

    An effect of ours that runs on the loop reads no file: it only notes what it is given.
    """
    noting = is_own_effect(shape) and shape.spec.lane == "inline"
    return shape.spec.asks or (shape.spec.kind == "effect" and not noting)


def is_own_effect(shape: Shape) -> bool:
    """An effect that comes with Tessera, and not with a pack."""
    return shape.spec.kind == "effect" and not shape.entry.pack


def is_trusted(shape: Shape) -> bool:
    """Whether what it gives is only what went in, and that was checked."""
    return is_own_effect(shape) and is_exit(shape)


def reads_prompts(shape: Shape) -> bool:
    """Whether its words become what a picture shows."""
    return is_one(READER, shape.spec.inputs) and any(is_one(name, shape.spec.outputs) for name in DRAWN)


def is_one(name: str, ports: Sequence[InputPort | OutputPort]) -> bool:
    """Whether one of the ports is of this class."""
    return any(isinstance(port.type, Class) and name in port.type.ancestry for port in ports)


def only_unwanted(plan: Plan) -> set[int]:
    """Steps that nothing reads but as what a picture should not show."""
    readers: dict[int, set[str]] = {}
    for step in plan.steps:
        for port, source in zip(step.shape.names, step.sources, strict=True):
            many = source.captured if isinstance(source, Body) else (source,)
            for one in many:
                plain = one.source if isinstance(one, Branch) else one
                if isinstance(plain, From):
                    name = "" if isinstance(source, Body) else port
                    readers.setdefault(plain.step, set()).add(name)
    for source in plan.outputs.values():
        if isinstance(source, From):
            readers.setdefault(source.step, set()).add("")
    return {step for step, names in readers.items() if names == {UNWANTED}}


def may_show(kind: PortType | None, *, also_json: bool = False) -> bool:
    """Whether values of this type may hold a picture."""
    match kind:
        case Class() | Var() | None:
            return True
        case ListOf(item=item):
            return may_show(item, also_json=also_json)
        case Either(options=options):
            return any(may_show(one, also_json=also_json) for one in options)
        case Piece(gives=gives):
            return may_show(gives, also_json=also_json)
        case Scalar(name="json"):
            return also_json
        case _:
            return False


def is_text(kind: PortType) -> bool:
    """Text that a person writes or a step gives, also where it may be left out."""
    if isinstance(kind, Either):
        return any(is_text(one) for one in kind.options)
    return is_text(kind.item) if isinstance(kind, ListOf) else isinstance(kind, Scalar) and kind.name == "str"


def holds_value(value: object) -> bool:
    """Whether there is anything but plain data in it."""
    if isinstance(value, dict):
        return any(map(holds_value, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_value, value))
    return isinstance(value, Value)


def lets_out(plan: Plan) -> list[str]:
    """Where pictures may leave a plan: names of outputs, and of the inputs of effects."""
    found = [
        name
        for name, source in plan.outputs.items()
        if may_show(plan.types.get(name))
        and not (isinstance(source, From) and is_trusted(plan.steps[source.step].shape))
    ]
    for step in plan.every_step():
        if is_exit(step.shape):
            found += [f"{step.id}.{p.name}" for p in step.shape.spec.inputs if may_show(p.type)]
    return found
