"""Which missing step may start next: parents first, and heads of the same features together."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

from outgrow.execution.step import Step, kind_of, walk


def missing(wanted: Sequence[Step], present: Callable[[Step], bool]) -> list[Step]:
    """The steps that have to be made for `wanted`, parents first. A parent of a present step is not looked at."""
    absent: set[str] = set()
    asked: set[str] = set()
    stack = list(wanted)
    while stack:
        step = stack.pop()
        if step.key not in asked:
            asked.add(step.key)
            if not present(step):
                absent.add(step.key)
                stack.extend(step.parents.values())
    return [step for step in walk(wanted) if step.key in absent]


class Schedule:
    """The steps still to be made; `next` hands out those that can start, `done` and `failed` take the answer."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.todo: dict[str, Step] = {}  # running ones included
        self.running: set[str] = set()
        self._order: dict[str, int] = {}
        self._waits: dict[str, set[str]] = {}  # for these parents
        self._children: dict[str, list[str]] = {}
        self._single: list[tuple[int, str]] = []  # a heap of what can start alone
        self._groups: dict[str, dict[int, str]] = {}  # batch -> what can start together, by order
        self._batch: dict[str, str] = {}
        self._alone: set[str] = set()
        self.add(steps)

    def add(self, steps: Iterable[Step]) -> None:
        """More steps to make, parents first. One that is running comes back, to wait for its parents."""
        for step in steps:
            key = step.key
            self.todo[key] = step
            self.running.discard(key)
            self._order.setdefault(key, len(self._order))
            self._waits[key] = {parent.key for parent in step.parents.values() if parent.key in self.todo}
            for parent in self._waits[key]:
                self._children.setdefault(parent, []).append(key)
            self._withdraw(key)
            if not self._waits[key]:
                self._offer(key)

    def separate(self, steps: Iterable[Step]) -> None:
        """Steps that failed together get another try, each alone, to find the one that fails."""
        again = list(steps)
        self._alone.update(step.key for step in again)
        self.add(again)

    def next(self) -> list[Step]:
        """The steps to start now, together; none if those that could start should wait for company on its way."""
        keys = self._choose()
        self.running.update(keys)
        for key in keys:
            self._withdraw(key)
        return [self.todo[key] for key in keys]

    def done(self, steps: Iterable[Step]) -> None:
        """These were made: what waited for them may start."""
        for step in steps:
            self._forget(step.key)
            for child in self._children.pop(step.key, []):
                if child in self._waits:
                    self._waits[child].discard(step.key)
                    if not self._waits[child] and child not in self.running:
                        self._offer(child)

    def failed(self, steps: Iterable[Step]) -> list[Step]:
        """These cannot be made: drops and returns what needed them."""
        lost = []
        stack = [step.key for step in steps]
        for key in stack:
            self._forget(key)
        while stack:
            for child in self._children.pop(stack.pop(), []):
                if child in self.todo:
                    lost.append(self.todo[child])
                    self._forget(child)
                    stack.append(child)
        return lost

    def _choose(self) -> list[str]:
        while self._single:
            _, key = heapq.heappop(self._single)
            if key in self.todo and key not in self.running and not self._waits[key]:
                return [key]
        groups = sorted(self._groups.values(), key=min)
        sized = [(group, kind_of(self.todo[group[min(group)]].kind).together) for group in groups]
        for group, together in sized:
            if len(group) >= together or not self._may_grow(group):
                return _first(group, together)
        # Two groups may each wait for a step that needs the other: then, with nothing running, one has to start.
        return _first(*sized[0]) if sized and not self.running else []

    def _may_grow(self, group: dict[int, str]) -> bool:
        """Whether a step still waiting would join the group, and does not itself need a member of it."""
        members = set(group.values())
        behind, stack = set(members), list(members)
        while stack:
            new = [child for child in self._children.get(stack.pop(), []) if child in self.todo and child not in behind]
            behind.update(new)
            stack.extend(new)
        batch = self._batch[next(iter(members))]
        return any(
            waits and key not in behind and key not in self._alone and self._batch[key] == batch
            for key, waits in self._waits.items()
        )

    def _offer(self, key: str) -> None:
        if key in self._alone or kind_of(self.todo[key].kind).together == 1:
            heapq.heappush(self._single, (self._order[key], key))
        else:
            self._groups.setdefault(self._batch[key], {})[self._order[key]] = key

    def _withdraw(self, key: str) -> None:
        batch = self._batch.setdefault(key, self.todo[key].batch)
        group = self._groups.get(batch)
        if group is not None and group.pop(self._order[key], None) is not None and not group:
            del self._groups[batch]

    def _forget(self, key: str) -> None:
        self._withdraw(key)
        del self.todo[key], self._waits[key]
        self.running.discard(key)


def _first(group: dict[int, str], count: int) -> list[str]:
    return [group[order] for order in sorted(group)[:count]]
