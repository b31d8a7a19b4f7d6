"""Waking the ingester after an act that frees a need or a slot, so that nobody waits for the schedule."""

from collections.abc import Callable
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request


def waking(request: Request, tasks: BackgroundTasks) -> Callable[[], None]:
    """A call that wakes the ingester once the answer has left, hence after the commit; not when the act failed."""

    def wake() -> None:
        tasks.add_task(request.app.state.context.wake)

    return wake


Wake = Annotated[Callable[[], None], Depends(waking)]
