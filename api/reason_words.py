"""The engine's reasons in words: `{"code": "too_far", "minutes": 95, "max": 60}` becomes a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import intake_texts, texts
from api.i18n import format_number, translate
from api.i18n import mark as _
from db.options import Option
from governorates import name_in

SHOWN_AS_COLUMNS = frozenset({"minutes", "slots", "assigned", "nearest", "not_nearest", "rule_met"})
"""Reasons of an option that its card already shows as a figure, a mark or the sentence on the nearest."""

NEAREST = _("This is the nearest suitable provider.")
NOT_NEAREST = _("Nearer, but passed over: %(organization)s (%(minutes)s minutes). %(because)s.")
RULE_REPLACED = _("a condition of the service that was replaced since")
NEARER_OPTION = _("A nearer option exists: %(organization)s (%(minutes)s minutes).")


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """Puts reasons into one language; `rule_names` are the eligibility rules' own names, by rule id."""

    language: str
    rule_names: Mapping[int, Mapping[str, str]]

    def excluded(self, reason: Mapping[str, Any]) -> str:
        """Why an option was not open to the need."""
        return self._sentence(texts.EXCLUSION_REASONS, reason)

    def option(self, reason: Mapping[str, Any]) -> str:
        """What speaks for or against an option that is open."""
        return self._sentence(texts.OPTION_REASONS, reason)

    def _sentence(self, table: Mapping[str, str], reason: Mapping[str, Any]) -> str:
        code = str(reason["code"])
        if code not in table:
            return code
        return translate(self.language, table[code]) % self._parameters(reason)

    def _parameters(self, reason: Mapping[str, Any]) -> dict[str, str]:
        words = {name: self._figure(value) for name, value in reason.items() if name != "code"}
        if "rule_id" in reason:
            names = self.rule_names.get(int(reason["rule_id"]))
            words["rule"] = (
                name_in(names, self.language) if names else translate(self.language, RULE_REPLACED)
            )
        if "settle" in reason:
            words["settle"] = texts.text_of(intake_texts.FIELDS, str(reason["settle"]), self.language)
        return words

    @staticmethod
    def _figure(value: object) -> str:
        return format_number(value) if isinstance(value, int | float) else str(value)

    def on_the_nearest(self, chosen: Option | None, options: Sequence[Option]) -> str | None:
        """Whether the chosen option is the nearest, and if not, why the nearer one was passed over."""
        if chosen is None:
            return None
        for reason in chosen.reasons:
            if reason["code"] == "nearest":
                return translate(self.language, NEAREST)
            if reason["code"] == "not_nearest":
                return self._passed_over(reason, options)
        nearer = [
            option
            for option in options
            if option.status == "option" and (option.minutes or 0.0) < (chosen.minutes or 0.0)
        ]
        if not nearer:
            return None
        nearest = min(nearer, key=lambda option: option.minutes or 0.0)
        return translate(self.language, NEARER_OPTION) % self._named(nearest)

    def _passed_over(self, reason: Mapping[str, Any], options: Sequence[Option]) -> str | None:
        passed = {option.service_at_location_id: option for option in options}.get(
            reason["service_at_location_id"]
        )
        if passed is None:
            return None
        because = str(reason["because"])
        why = next((own for own in passed.reasons if own["code"] == because), {"code": because})
        table = texts.EXCLUSION_REASONS if because in texts.EXCLUSION_REASONS else texts.OPTION_REASONS
        words = self._named(passed) | {"because": self._sentence(table, why)}
        return translate(self.language, NOT_NEAREST) % words

    def _named(self, option: Option) -> dict[str, str]:
        return {
            "organization": name_in(option.organization, self.language),
            "minutes": format_number(option.minutes or 0.0),
        }


def rule_ids(options: Sequence[Option]) -> set[int]:
    """The eligibility rules that the reasons of these options name."""
    return {int(reason["rule_id"]) for option in options for reason in option.reasons if "rule_id" in reason}
