"""The pure engine: frames and arrays in, decisions and their reasons out.

Nothing here reads a row, a file, a clock or a network. Names are loaded when they are first used, so that
``import referral_engine.sop`` costs no numerical library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from referral_engine.eligibility import ATTRIBUTES, Rule, RuleError, evaluate
    from referral_engine.engine import ENGINE_VERSION, MatchResult, match
    from referral_engine.frames import FrameError, check_needs, check_offers, from_geodataframe
    from referral_engine.reasons import REASON_CODES
    from referral_engine.sop import IllegalMove, Move, ReferralState, next_state

__all__ = [
    "ATTRIBUTES",
    "ENGINE_VERSION",
    "REASON_CODES",
    "FrameError",
    "IllegalMove",
    "MatchResult",
    "Move",
    "ReferralState",
    "Rule",
    "RuleError",
    "check_needs",
    "check_offers",
    "evaluate",
    "from_geodataframe",
    "match",
    "next_state",
]

_HOMES = {
    "eligibility": ("ATTRIBUTES", "Rule", "RuleError", "evaluate"),
    "engine": ("ENGINE_VERSION", "MatchResult", "match"),
    "frames": ("FrameError", "check_needs", "check_offers", "from_geodataframe"),
    "reasons": ("REASON_CODES",),
    "sop": ("IllegalMove", "Move", "ReferralState", "next_state"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"referral_engine has no name {name!r}")
    return getattr(import_module(f"referral_engine.{_HOME_OF[name]}"), name)
