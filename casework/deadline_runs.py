"""One run over the clocks: end pauses, start what is missing, act on what ran out, tell of offers and of high risk.

The command and the scheduled job call `run_deadlines`. Each clock is one transaction, so a run may be killed at
any moment and started again, and two workers never act on one breach twice: each holds the case and looks again.
"""

import logging
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from casework.breaches import Breach, Outcome, act_on_breach, end_pause, tell_supervisors
from casework.deadlines import start_missing_clocks
from casework.offers import tell_overdue_hand_over, tell_overdue_transfer
from casework.rerouting import trace_unreached
from db import deadlines as query
from db.keyfile import MasterKeys
from db.models import CaseTransfer, HandOver
from db.offers import list_due_offer_ids
from db.session import exclusive, session_scope
from db.vault import Vault
from governorates import Governorate

logger = logging.getLogger(__name__)

LOCK = "deadlines"
MOST_AT_ONCE = 1000


@dataclass(slots=True)
class DeadlineReport:
    """What one run did.

    `traced`: tasks to trace a person that were missing. `offers`: turns of offers that nobody answers. `left`:
    breaches that somebody was acting on. `busy`: another run was under way.
    """

    started: int = 0
    resumed: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    told: int = 0
    traced: int = 0
    offers: int = 0
    left: int = 0
    errors: tuple[str, ...] = ()
    busy: bool = False

    @property
    def reopened(self) -> bool:
        """Whether a need waits for the next matching run, which is then better woken."""
        return bool(self.outcomes.get(Outcome.EXPIRED) or self.outcomes.get(Outcome.REROUTED))


def run_deadlines(
    engine: Engine, masters: MasterKeys, governorate: Governorate, *, now: datetime, limit: int = MOST_AT_ONCE
) -> DeadlineReport:
    """Do all that is due by `now` (aware). Raises OperationalError when the database goes away."""
    report = DeadlineReport()
    with exclusive(engine, LOCK) as free:
        if not free:
            return DeadlineReport(busy=True)
        with session_scope(engine) as session:
            report.started = start_missing_clocks(session, governorate, now)
        with session_scope(engine) as session:
            ended = query.list_ended_pauses(session, governorate.code, now, limit)
        for referral_id in ended:
            with session_scope(engine) as session:
                report.resumed += end_pause(session, Vault(session, masters), referral_id, now)
        _note(report, act_on_breaches(engine, masters, governorate, now=now, limit=limit))
        _tell_of_offers(engine, governorate, report, now, limit)
        with session_scope(engine) as session:
            report.traced = trace_unreached(session, governorate.code, now)
        with session_scope(engine) as session:
            report.told = len(tell_supervisors(session, governorate.code, now))
    return report


def _note(report: DeadlineReport, acted: "Acted") -> None:
    report.outcomes = dict(Counter(str(breach.outcome) for breach in acted.breaches))
    report.left, report.errors = acted.left, tuple(acted.errors)


@dataclass(slots=True)
class Acted:
    """Breaches acted on, how many were left to a later run, and what went wrong (kind and place, no text)."""

    breaches: list[Breach] = field(default_factory=list)
    left: int = 0
    errors: list[str] = field(default_factory=list)


def act_on_breaches(
    engine: Engine,
    masters: MasterKeys,
    governorate: Governorate,
    *,
    now: datetime,
    limit: int = MOST_AT_ONCE,
) -> Acted:
    """Act on every clock that ran out by `now`, one transaction each; workers may do so side by side.

    One clock that cannot be acted on stops no other.
    """
    with session_scope(engine) as session:
        due = query.list_due_referral_ids(session, governorate.code, now, limit)
    acted = Acted()
    for referral_id in due:
        try:
            with session_scope(engine) as session:
                breach = act_on_breach(session, Vault(session, masters), referral_id, now)
        except (OperationalError, InterfaceError):
            raise  # the database: nothing else would work either
        except Exception as error:  # what is wrong with one referral must not stop everybody else's clock
            acted.errors.append(f"{referral_id}: {type(error).__name__} {_where(error)}")
            logger.warning("clock of referral %s", acted.errors[-1])
            continue
        if breach is None:
            acted.left += 1
            continue
        acted.breaches.append(breach)
    return acted


def _tell_of_offers(
    engine: Engine, governorate: Governorate, report: DeadlineReport, now: datetime, limit: int
) -> None:
    """Tell of every offer that was not answered in time, one transaction each."""
    with session_scope(engine) as session:
        code = governorate.code
        transfers = list_due_offer_ids(session, CaseTransfer, code, now, limit)
        hand_overs = list_due_offer_ids(session, HandOver, code, now, limit)
    due = [(tell_overdue_transfer, offer_id) for offer_id in transfers]
    due += [(tell_overdue_hand_over, offer_id) for offer_id in hand_overs]
    for tell, offer_id in due:
        try:
            with session_scope(engine) as session:
                report.offers += tell(session, governorate, offer_id, now)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # as in `act_on_breaches`
            report.errors += (f"{tell.__name__} {offer_id}: {type(error).__name__} {_where(error)}",)
            logger.warning("clock of an offer: %s", report.errors[-1])


def _where(error: BaseException) -> str:
    """File and line of an error: its text may quote what a person said, so it is kept nowhere."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
