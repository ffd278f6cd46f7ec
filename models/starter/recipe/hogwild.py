"""Training in two processes of one thread each on shared weights, stopped and resumed at will.

Without locks: each process has its own batch and its own moments, and adds its steps to weights that both
see. It is half as fast again as one process of two threads, and not repeatable to the bit: the seeds fix
data, not weights.
"""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.multiprocessing as processes
from msgspec import Struct
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils.output_capturing import _CAN_RECORD_REGISTRY

from .attention import plain
from .progress import Progress, note, reached


class Plan(Struct, frozen=True):
    """How long and how fast a model is trained."""

    name: str
    updates: int
    lr: float
    warm: int = 50  # updates until the rate is full
    hold: float = 0.4  # part of the run before the rate falls
    floor: float = 0.02  # rate at the end, as a part of the full one
    ema: float = 0.995
    weight_decay: float = 0.01
    workers: int = 2
    save_every: float = 120.0  # seconds
    seed: int = 1

    def rate(self, done: int) -> float:
        """The learning rate after some updates."""
        part = done / self.updates
        fall = (
            1.0
            if part < self.hold
            else 0.5 * (1 + math.cos(math.pi * min(1.0, (part - self.hold) / (1 - self.hold))))
        )
        return self.lr * min(1.0, (done + 1) / self.warm) * (fall * (1 - self.floor) + self.floor)


class Lesson(Protocol):
    """What is learnt: a batch in, a loss out."""

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, `part` of the way through the run, and figures to print."""


class Shared(Struct):
    """What the processes have in common."""

    model: nn.Module
    average: dict[str, Tensor]
    done: Any  # a shared counter of updates
    stop: Any  # a shared event


def train(model: nn.Module, make_lesson: Callable[[], Lesson], plan: Plan, folder: Path) -> None:
    """Train a model, from its last checkpoint if there is one; leave the averaged weights in it."""
    folder.mkdir(parents=True, exist_ok=True)
    found = _resume(model, folder)
    device = next(model.parameters()).device
    if device.type == "cpu":
        plain(model)
    unhook(model)
    context = processes.get_context("spawn")
    average = found or {name: weight.detach().clone() for name, weight in model.named_parameters()}
    done = reached(folder / "done") if found else 0
    shared = Shared(model, average, context.Value("i", done), context.Event())
    if device.type == "cuda":
        _work(0, shared, make_lesson, plan, folder)
    else:
        _work_together(context, shared, make_lesson, plan, folder)
    save(shared, folder)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(average[name])


def rehook(model: nn.Module) -> None:
    """Let transformers put on the hooks of backbones in this process: it notes at birth who has some."""
    for part in model.modules():
        if isinstance(part, PreTrainedModel):
            _CAN_RECORD_REGISTRY[part] = part._can_record_outputs


def unhook(model: nn.Module) -> None:
    """Take off the hooks of backbones, which no process can be sent."""
    for part in model.modules():
        if getattr(part, "_output_capturing_hooks_installed", False):
            part._output_capturing_hooks_installed = False
            for inner in part.modules():
                inner._forward_hooks.clear()


def finished(plan: Plan, folder: Path) -> bool:
    """Whether a run reached its last update."""
    return (folder / "done").exists() and reached(folder / "done") >= plan.updates


def averaged(model: Any, folder: Path) -> Any:
    """A model with the averaged weights of a run, which may still be going on."""
    state = torch.load(folder / "weights.pt", weights_only=True, map_location="cpu")
    model.load_state_dict({**state["model"], **state["average"]})
    return model.eval()


def save(shared: Shared, folder: Path) -> None:
    """Write weights and averages; a stop while writing leaves the checkpoint before."""
    _write({"model": shared.model.state_dict(), "average": shared.average}, folder / "weights.pt")
    note(folder / "done", shared.done.value)


def _work_together(
    context: Any, shared: Shared, make_lesson: Callable[[], Lesson], plan: Plan, folder: Path
) -> None:
    shared.model.share_memory()
    for weight in shared.average.values():
        weight.share_memory_()
    team = [
        context.Process(target=_work, args=(rank, shared, make_lesson, plan, folder))
        for rank in range(plan.workers)
    ]
    signal.signal(signal.SIGTERM, lambda *_: shared.stop.set())
    for worker in team:
        worker.start()
    saved = time.monotonic()
    while any(worker.is_alive() for worker in team):
        time.sleep(1)
        if time.monotonic() - saved > plan.save_every:
            save(shared, folder)
            saved = time.monotonic()
    if any(worker.exitcode for worker in team):
        raise SystemExit(f"{plan.name}: a worker failed; the last checkpoint is in {folder}")


def _work(rank: int, shared: Shared, make_lesson: Callable[[], Lesson], plan: Plan, folder: Path) -> None:
    """One process: steps until the shared count of updates is full."""
    start, cuda = shared.done.value, next(shared.model.parameters()).device.type == "cuda"
    if not cuda:
        _settle()
    rng = np.random.default_rng((plan.seed, rank, start))
    torch.manual_seed(int(rng.integers(1 << 31)))
    lesson, model, moments = make_lesson(), shared.model.train(), folder / f"moments{rank}.pt"
    rehook(model)
    optimiser = _optimiser(model, plan, moments)
    diary = Diary(plan, start, folder / "log.csv")
    saved, turn, parent = time.monotonic(), 0, os.getppid()
    while (done := shared.done.value) < plan.updates and not shared.stop.is_set() and os.getppid() == parent:
        figures = _step(model, lesson, optimiser, rng, plan.rate(done), done / plan.updates)
        with shared.done.get_lock():
            shared.done.value += 1
        if rank == 0:
            if turn % 4 == 0:
                _average(shared, min(plan.ema, done / (done + 300)))
            diary.note(done + 1, figures)
        if time.monotonic() - saved > plan.save_every:
            _write(optimiser.state_dict(), moments)
            if cuda:
                save(shared, folder)
            saved = time.monotonic()
        turn += 1
    _write(optimiser.state_dict(), moments)


@contextmanager
def flushing() -> Iterator[None]:
    """Take numbers near zero for zero meanwhile: with them, networks take up to ten times as long."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _settle() -> None:
    """Leave stopping to the parent, and the other core to the other process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _optimiser(model: nn.Module, plan: Plan, moments: Path) -> Any:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, plan.lr, (0.9, 0.99), weight_decay=plan.weight_decay, foreach=False
    )
    if moments.exists():
        optimiser.load_state_dict(torch.load(moments, weights_only=True))
    return optimiser


def _step(
    model: nn.Module, lesson: Lesson, optimiser: Any, rng: np.random.Generator, rate: float, part: float
) -> dict[str, float]:
    """One update, left out where a gradient is not finite."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    loss, figures = lesson.loss(model, rng, part)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    size = nn.utils.clip_grad_norm_(
        [weight for group in optimiser.param_groups for weight in group["params"]], 1.0
    )
    if math.isfinite(float(size)):
        optimiser.step()
    return figures


class Diary:
    """The means of the figures over every 25 steps, printed and kept."""

    def __init__(self, plan: Plan, start: int, store: Path) -> None:
        self.progress, self.store = Progress(plan.name, plan.updates, start), store
        self.seen: list[dict[str, float]] = []
        if not start:
            store.unlink(missing_ok=True)

    def note(self, done: int, figures: dict[str, float]) -> None:
        """Note the figures of one step."""
        self.seen.append(figures)
        if len(self.seen) < 25:
            return
        mean = {name: float(np.nanmean([one[name] for one in self.seen])) for name in figures}
        self.progress.at(done, "  ".join(f"{name} {value:.4f}" for name, value in mean.items()))
        with self.store.open("a") as log:
            log.write(",".join([str(done), *(f"{value:.5f}" for value in mean.values())]) + "\n")
        self.seen = []


def _average(shared: Shared, keep: float) -> None:
    with torch.no_grad():
        for name, weight in shared.model.named_parameters():
            shared.average[name].lerp_(weight, 1 - keep)


def _resume(model: nn.Module, folder: Path) -> dict[str, Tensor] | None:
    store = folder / "weights.pt"
    if not store.exists():
        return None
    device = next(model.parameters()).device
    state = torch.load(store, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    average: dict[str, Tensor] = state["average"]
    return average


def _write(what: object, store: Path) -> None:
    fresh = store.with_suffix(".new")
    torch.save(what, fresh)
    fresh.replace(store)
