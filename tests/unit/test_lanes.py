"""Who runs next: slots, priority, fairness between owners."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from engine.lanes import Lanes, Ticket

SLOTS = {"gpu": 1, "cpu": 2}
URGENCY = st.integers(-1, 1)


class Desk:
    """Asks for slots and notes who got one, in order."""

    def __init__(self, slots: int = 1) -> None:
        self.lanes = Lanes({"gpu": slots})
        self.order: list[str] = []
        self.running: list[int] = []
        self.owners: dict[int, str] = {}
        self._ids = itertools.count(1)

    def ask(self, owner: str, priority: int = 0) -> int:
        id = next(self._ids)
        self.owners[id] = owner
        self.granted(self.lanes.ask(Ticket(id, "gpu", owner, priority)))
        return id

    def granted(self, ids: list[int]) -> None:
        self.running += ids
        self.order += [self.owners[id] for id in ids]

    def done(self) -> None:
        self.granted(self.lanes.done(self.running.pop(0)))

    def finish(self) -> list[str]:
        while self.running:
            self.done()
        return self.order


def test_a_free_slot_is_given_at_once() -> None:
    lanes = Lanes(SLOTS)
    assert lanes.ask(Ticket(1, "gpu", "ann")) == [1]
    assert lanes.ask(Ticket(2, "gpu", "ann")) == []
    assert lanes.waiting("gpu") == 1
    assert lanes.done(1) == [2]


def test_lanes_do_not_wait_for_each_other() -> None:
    lanes = Lanes(SLOTS)
    assert lanes.ask(Ticket(1, "gpu", "ann")) == [1]
    assert lanes.ask(Ticket(2, "cpu", "ann")) == [2]
    assert lanes.ask(Ticket(3, "cpu", "ann")) == [3]
    assert lanes.ask(Ticket(4, "cpu", "ann")) == []


def test_one_owner_is_served_in_order() -> None:
    desk = Desk()
    ids = [desk.ask("ann") for _ in range(4)]
    served = [ids[0]]
    while desk.running:
        desk.done()
        served += desk.running
    assert served == ids


def test_owners_take_turns_however_much_one_asks_for() -> None:
    desk = Desk()
    for owner in ("ann", "ann", "ann", "ann", "bob", "bob"):
        desk.ask(owner)
    assert desk.finish() == ["ann", "bob", "ann", "bob", "ann", "ann"]


def test_the_owner_with_the_fewest_slots_goes_first() -> None:
    desk = Desk(slots=4)
    for owner in ("ann", "ann", "ann", "ann", "ann", "bob", "bob"):
        desk.ask(owner)
    assert desk.order == ["ann"] * 4
    desk.done()
    desk.done()
    assert desk.order[4:] == ["bob", "bob"]


def test_priority_goes_before_fairness() -> None:
    desk = Desk()
    desk.ask("ann")
    desk.ask("bob")
    desk.ask("ann", priority=5)
    desk.ask("bob", priority=9)
    assert desk.finish() == ["ann", "bob", "ann", "bob"]


def test_a_waiting_call_may_be_hurried() -> None:
    desk = Desk()
    for owner in ("ann", "bob"):
        desk.ask(owner)
    last = desk.ask("cid")
    desk.lanes.hurry(last, 3)
    desk.lanes.hurry(last, 1)  # less urgent than it is: nothing changes
    assert desk.finish() == ["ann", "cid", "bob"]


def test_hurrying_what_runs_or_is_unknown_does_nothing() -> None:
    desk = Desk()
    first = desk.ask("ann")
    desk.lanes.hurry(first, 9)
    desk.lanes.hurry(12345, 9)
    desk.ask("bob")
    assert desk.finish() == ["ann", "bob"]


def test_who_is_dropped_is_passed_over() -> None:
    desk = Desk()
    desk.ask("ann")
    gone = desk.ask("bob", priority=5)
    desk.ask("cid")
    desk.lanes.hurry(gone, 8)
    desk.lanes.drop(gone)
    desk.lanes.drop(gone)
    assert desk.finish() == ["ann", "cid"]
    assert desk.lanes.waiting("gpu") == 0


def test_an_unknown_lane_or_ticket_is_an_error() -> None:
    lanes = Lanes(SLOTS)
    with pytest.raises(KeyError):
        lanes.ask(Ticket(1, "tpu", "ann"))
    with pytest.raises(KeyError):
        lanes.done(1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=40), st.integers(1, 3))
def test_everybody_is_served_once_and_higher_priority_never_waits_for_lower(
    asked: list[tuple[str, int]], slots: int
) -> None:
    desk = Desk(slots)
    blockers = [desk.ask("blocker") for _ in range(slots)]
    ids = {desk.ask(owner, priority): priority for owner, priority in asked}
    served: list[int] = []
    for blocker in blockers:
        desk.running.remove(blocker)
        served += (got := desk.lanes.done(blocker))
        desk.running += got
    while desk.running:
        served += (got := desk.lanes.done(desk.running.pop(0)))
        desk.running += got
    assert sorted(served) == sorted(ids)
    urgency = [ids[id] for id in served]
    assert urgency == sorted(urgency, reverse=True)


class AnyOrder(RuleBasedStateMachine):
    """Asking, ending, dropping and hurrying in any order."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes(SLOTS)
        self.tickets: dict[int, Ticket] = {}
        self.running: set[int] = set()
        self.queue: set[int] = set()
        self.ids = itertools.count(1)

    def grant(self, ids: list[int]) -> None:
        for id in ids:
            assert id in self.queue, "granted twice, or after it was dropped"
            self.queue.remove(id)
            self.running.add(id)

    @rule(
        target=waiting, lane=st.sampled_from(["gpu", "cpu"]), owner=st.sampled_from("abc"), priority=URGENCY
    )
    def ask(self, lane: str, owner: str, priority: int) -> int:
        id = next(self.ids)
        self.tickets[id] = Ticket(id, lane, owner, priority)
        self.queue.add(id)
        self.grant(self.lanes.ask(self.tickets[id]))
        return id

    @rule(target=waiting, id=consumes(waiting))
    def done(self, id: int) -> object:
        if id not in self.running:
            return id
        self.running.remove(id)
        self.grant(self.lanes.done(id))
        return multiple()

    @rule(id=waiting)
    def drop(self, id: int) -> None:
        if id in self.queue:
            self.queue.remove(id)
            self.lanes.drop(id)

    @rule(id=waiting, priority=st.integers(-1, 3))
    def hurry(self, id: int, priority: int) -> None:
        self.lanes.hurry(id, priority)

    @invariant()
    def never_more_than_the_slots_and_nobody_waits_for_a_free_one(self) -> None:
        for lane, slots in SLOTS.items():
            inside = sum(self.tickets[id].lane == lane for id in self.running)
            outside = sum(self.tickets[id].lane == lane for id in self.queue)
            assert inside <= slots
            assert inside == slots or not outside
            assert self.lanes.waiting(lane) == outside

    def teardown(self) -> None:
        """However it went: once all end, all who still wait are served."""
        while self.running:
            id = self.running.pop()
            self.grant(self.lanes.done(id))
        assert not self.queue


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, deadline=None)
