"""Every reason code the engine can give, with the parameters that come with it.

Reasons are data: ``{"code": "too_far", "minutes": 95, "max": 60}``. Pages, slips and the API turn them into
text in each language; a test of theirs walks `REASON_CODES`. This module imports no numerical library.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Reason = dict[str, Any]


class Exclusion(StrEnum):
    """Why an offer was not open to a need, in the order in which the engine asks.

    The order is also the precedence of the unmet reason (see `referral_engine.unmet`): the person's own
    word first, then the provider's conditions, then the journey, then what other people did to the offer.
    """

    CONSENT_OPEN_EXCLUSION = "consent_open_exclusion"
    CONSENT_CATEGORY = "consent_category"
    CONSENT_MOI = "consent_moi"
    CONSENT_KIND = "consent_kind"
    EXCLUDED_ORGANIZATION = "excluded_organization"
    OWN_SUBDISTRICT = "own_subdistrict"
    AREA = "area"
    NOT_ELIGIBLE = "not_eligible"
    UNREACHABLE = "unreachable"
    TOO_FAR = "too_far"
    DECLINED_BEFORE = "declined_before"
    CAPACITY_STALE = "capacity_stale"
    NO_CAPACITY_REPORTED = "no_capacity_reported"
    NO_SLOT = "no_slot"

    @property
    def bit(self) -> int:
        """The bit of this code in a mask; a lower bit is asked earlier."""
        return 1 << _POSITION[self]


_POSITION = {code: position for position, code in enumerate(Exclusion)}


class Unmet(StrEnum):
    """Why a need has no proposal."""

    NO_SERVICE = "no_service"
    EXCLUSION_OPEN = "exclusion_open"
    CONSENT = "consent"
    RESIDENCE_UNKNOWN = "residence_unknown"
    OUTSIDE_GOVERNORATE = "outside_governorate"
    OUTSIDE_AREA = "outside_area"
    NOT_ELIGIBLE = "not_eligible"
    TOO_FAR = "too_far"
    DECLINED_BY_ALL = "declined_by_all"
    CAPACITY_UNCONFIRMED = "capacity_unconfirmed"
    NO_SLOT = "no_slot"
    WAITING_LIST_ONLY = "waiting_list_only"


_OPTION = {
    "assigned": (),  # the engine's proposal for this need
    "nearest": (),  # the nearest suitable one
    "waiting_list": (),  # takes people onto its waiting list only; never assigned
    "capacity_old": (),  # its capacity was not confirmed lately, so all fresh ones go before it
    "assessment_first": (),  # the provider assesses each person before it accepts
    "not_nearest": (
        "because",
        "service_at_location_id",
        "minutes",
    ),  # the nearest of all, and why it was passed over
    "minutes": ("minutes",),
    "slots": ("free",),  # free before this run
    "rule_met": ("rule_id",),
    "rule_unknown": ("rule_id", "settle"),  # settle: the attribute whose question or document would decide it
    "needs_check": (),  # somebody must settle a rule before the referral is sent
    "river_not_considered": (),
    "place_approximate": ("radius_km",),
    "language_shared": ("languages",),
    "interpreter_needed": (),
}
_EXCLUDED: dict[str, tuple[str, ...]] = {code.value: () for code in Exclusion} | {
    "not_eligible": ("rule_id",),
    "too_far": ("minutes", "max"),
}
_DETAIL = {code.value: ("count",) for code in Exclusion} | {
    "slots_taken": ("count",),  # suitable offers whose slots went to others in this run
    "waiting_list": ("count",),  # suitable offers that have a waiting list only
    "rule_blocks": ("rule_id", "count"),
}

REASON_CODES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "option": MappingProxyType(_OPTION),
        "excluded": MappingProxyType(_EXCLUDED),
        "unmet": MappingProxyType({code.value: () for code in Unmet}),
        "detail": MappingProxyType(_DETAIL),
    }
)
"""Use -> code -> names of its parameters. `because` holds an `Exclusion` code or one of `PASSED_OVER`."""

PASSED_OVER = frozenset({"waiting_list", "capacity_old", "needs_check"})
"""Reasons of an option for which a nearer one is passed over though it is open."""
