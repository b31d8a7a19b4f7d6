"""Invented submissions, filled by walking the compiled form: for the demo, tests and benchmarks."""

import datetime as dt
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from governorates import load
from xlsforms.compile import CompiledForm
from xlsforms.profiles import PROFILES, SHARES, InventedPerson, weighted
from xlsforms.walk.check import check_submission
from xlsforms.walk.instance import Instance, grow
from xlsforms.walk.questions import answer_form
from xlsforms.walk.submission import submission_xml
from xlsforms.walk.xform import read_definition

BAGHDAD_TIME = dt.timezone(dt.timedelta(hours=3))
DEFAULT_MOMENT = dt.datetime(2026, 11, 15, 14, 0, tzinfo=BAGHDAD_TIME)
"""When forms are finished unless the caller says otherwise: fixed, so that a seed gives the same bytes."""

DEVICE_SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
TABLETS = 8
BETWEEN_FORMS = dt.timedelta(minutes=1)
"""Eight tablets at an open day finish a form a minute, so 300 forms fill one working day."""


@dataclass(frozen=True, slots=True)
class FilledForm:
    """One submission as Collect would send it; `attachments` is file name -> bytes.

    The XML holds (invented) personal data and stays out of the representation.
    """

    instance_id: str
    xml: bytes = field(repr=False)
    profile: str
    attachments: dict[str, bytes] = field(default_factory=dict, repr=False)


def fill_form(
    compiled: CompiledForm,
    rng: random.Random,
    profile: str | None = None,
    *,
    at: dt.datetime = DEFAULT_MOMENT,
) -> FilledForm:
    """Fill a form once; the same `rng` state and moment give the same bytes.

    Args:
        compiled: the form.
        rng: decides every answer, the instance id and the form's own random().
        profile: one of `PROFILES`; drawn by `SHARES` if None.
        at: when the officer finishes the form, with a time zone; it was opened some minutes before.

    Raises:
        ValueError: no such profile.
        xlsforms.walk.questions.FillError: the form asks something to which no valid answer was found.

    """
    profile = _draw_profile(rng) if profile is None else profile
    if profile not in PROFILES:
        raise ValueError(f"There is no profile {profile!r}; there are: {', '.join(PROFILES)}.")
    definition = read_definition(compiled.xml)
    opened = at - dt.timedelta(seconds=rng.randint(240, 2400))
    instance = Instance(definition, grow(definition, definition.shape), moment=opened, rng=rng)
    instance_id = f"uuid:{uuid.UUID(int=rng.getrandbits(128), version=4)}"
    _preload(instance, at, instance_id)
    answer_form(instance, InventedPerson(rng, profile, load(compiled.governorate_code)))
    return FilledForm(instance_id, submission_xml(instance), profile)


def fill_batch(
    compiled: CompiledForm,
    count: int,
    seed: int,
    *,
    at: dt.datetime = DEFAULT_MOMENT,
    on_each: Callable[[], object] | None = None,
) -> list[FilledForm]:
    """Fill `count` different forms, finished a minute apart, the last one at `at`.

    Profiles are mixed by `SHARES` exactly (rounded down, at least one of each where `count` allows) in random
    order. `on_each` is called after each form, for a progress bar.
    """
    rng = random.Random(seed)  # noqa: S311
    filled = []
    for position, profile in enumerate(_mixed_profiles(count, rng)):
        moment = at - BETWEEN_FORMS * (count - 1 - position)
        filled.append(fill_form(compiled, rng, profile, at=moment))
        if on_each is not None:
            on_each()
    return filled


def check_filled(compiled: CompiledForm, xml: bytes) -> list[str]:
    """Return why the form could not have produced this XML, one message a fault; empty if it could.

    Messages hold paths, never answers.
    """
    return check_submission(read_definition(compiled.xml), xml)


def _draw_profile(rng: random.Random) -> str:
    return weighted(rng, {"ordinary": 1 - sum(SHARES.values()), **SHARES})


def _mixed_profiles(count: int, rng: random.Random) -> list[str]:
    special = [profile for profile, share in SHARES.items() for _ in range(max(1, int(share * count)))]
    profiles = (special + ["ordinary"] * count)[:count]
    rng.shuffle(profiles)
    return profiles


def _preload(instance: Instance, at: dt.datetime, instance_id: str) -> None:
    """Write what Collect knows without asking, by the binds' preload parameters."""
    scope = instance.scope
    tablet = random.Random(scope.rng.randrange(TABLETS))  # noqa: S311
    known = {
        "start": scope.moment.isoformat(timespec="milliseconds"),
        "end": at.isoformat(timespec="milliseconds"),
        "today": scope.moment.date().isoformat(),
        "deviceid": f"collect:{''.join(tablet.choices(DEVICE_SYMBOLS, k=16))}",
        "uid": instance_id,
    }
    for path, bind in instance.definition.binds.items():
        if bind.preload:
            instance.answer(instance.nodes(path)[0], known[bind.preload])
