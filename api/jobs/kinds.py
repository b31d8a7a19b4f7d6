"""What a scheduled job is, and what it says of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api.context import AppContext

ARRIVAL = "arrival"
"""Something came from a tablet, or a need or a slot became free: `AppContext.wake`."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did.

    `figures`: numbers by name, never of a person. `error`: a code when it failed in part or whole. `busy`: another
    run was under way and nothing was done. `again_after`: seconds after which to look again, before the clock does.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    busy: bool = False
    again_after: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One scheduled job; `api.jobs.table` lists them.

    `run` works through `context.engine` alone, a transaction a page, so that it can be stopped between two of them
    and killed anywhere. `every` and `jitter` are seconds: it runs within `jitter` of every `every` seconds, so that
    installations do not ask Central in the same second. `woken_by` names the words that start it at once.
    `after`: seconds from the start of a worker's lead to the first run; None: when the clock says so.
    """

    name: str
    run: Callable[[AppContext], Ran | None]
    every: float
    jitter: float = 0.0
    woken_by: frozenset[str] = frozenset()
    after: float | None = 0.0
