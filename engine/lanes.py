"""Who runs next: a pure machine of slots, fairness between owners, and priority."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from msgspec import Struct


class Ticket(Struct):
    """A call that wants a slot."""

    id: int
    lane: str
    owner: str
    priority: int = 0


class Lane:
    """One kind of slot: who holds one, who waits."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.running: dict[int, Ticket] = {}
        self.held: dict[str, int] = {}
        """Slots by owner."""
        self.served: dict[str, int] = {}
        """When each owner was last served, as a count of grants."""
        self.queues: dict[str, list[tuple[int, int]]] = {}
        """Waiting tickets by owner: (-priority, ticket id), as heaps. Stale entries are skipped."""


class Lanes:
    """Tells which calls may start. No clock and no I/O: every verb answers with the ids now granted.

    The highest priority goes first; among equals the owner who holds the fewest slots, then the one who was
    served longest ago; then the order of asking.
    """

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._lanes = {name: Lane(count) for name, count in slots.items()}
        self._waiting: dict[int, Ticket] = {}
        self._running: dict[int, Lane] = {}
        self._grants = 0

    def ask(self, ticket: Ticket) -> list[int]:
        """A call wants a slot."""
        lane = self._lanes[ticket.lane]
        self._waiting[ticket.id] = ticket
        heapq.heappush(lane.queues.setdefault(ticket.owner, []), (-ticket.priority, ticket.id))
        return self._grant(lane)

    def done(self, id: int) -> list[int]:
        """A call gave its slot back."""
        lane = self._running.pop(id)
        ticket = lane.running.pop(id)
        lane.held[ticket.owner] -= 1
        if not lane.held[ticket.owner]:
            del lane.held[ticket.owner]
        return self._grant(lane)

    def drop(self, id: int) -> None:
        """A waiting call no longer wants its slot."""
        self._waiting.pop(id, None)

    def hurry(self, id: int, priority: int) -> None:
        """A waiting call became more urgent."""
        ticket = self._waiting.get(id)
        if ticket is not None and priority > ticket.priority:
            ticket.priority = priority
            heapq.heappush(self._lanes[ticket.lane].queues[ticket.owner], (-priority, id))

    def waiting(self, lane: str) -> int:
        """How many calls wait for a slot of this lane."""
        return sum(ticket.lane == lane for ticket in self._waiting.values())

    def _grant(self, lane: Lane) -> list[int]:
        granted: list[int] = []
        while len(lane.running) < lane.slots and (ticket := self._next(lane)) is not None:
            self._grants += 1
            lane.running[ticket.id] = ticket
            lane.held[ticket.owner] = lane.held.get(ticket.owner, 0) + 1
            lane.served[ticket.owner] = self._grants
            self._running[ticket.id] = lane
            granted.append(ticket.id)
        return granted

    def _next(self, lane: Lane) -> Ticket | None:
        heads = [head for owner in list(lane.queues) if (head := self._head(lane, owner)) is not None]
        if not heads:
            return None
        best = min(
            heads, key=lambda t: (-t.priority, lane.held.get(t.owner, 0), lane.served.get(t.owner, 0), t.id)
        )
        heapq.heappop(lane.queues[best.owner])
        return self._waiting.pop(best.id)

    def _head(self, lane: Lane, owner: str) -> Ticket | None:
        queue = lane.queues[owner]
        while queue:
            priority, id = queue[0]
            ticket = self._waiting.get(id)
            if ticket is not None and -priority == ticket.priority:
                return ticket
            heapq.heappop(queue)
        del lane.queues[owner]
        return None
