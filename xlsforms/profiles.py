"""Who answers an invented form, and what: plausible answers by question, bent to a profile.

The answers are proposals only. The form's own conditions decide what is asked and what is accepted.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterable, Iterator, Mapping

from governorates import Governorate
from xlsforms import names
from xlsforms.residences import draw_place, draw_point
from xlsforms.walk.questions import Question

PROFILES = ("ordinary", "refusal", "minor_caregiver", "proxy", "unknown_place", "odd")

SHARES: Mapping[str, float] = {
    "refusal": 0.05,
    "minor_caregiver": 0.05,
    "proxy": 0.04,
    "unknown_place": 0.04,
    "odd": 0.04,
}
"""Share of each profile in a batch; the rest is ordinary."""

EASTERN_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
EPOCH = dt.date(1970, 1, 1)
SKIPPED = 0.12
"""How often a question that may stay empty stays empty."""

ELSEWHERE = 0.02
"""How often a person lives in another governorate and only came here for help."""

EVERYTHING = 0.1
"""How often an odd person asks for every kind of help there is."""

FOR_WOMEN = frozenset({"womens_legal_counselling"})

GENERATION = 16
DAYS_PER_YEAR = 365.25

Answer = Callable[[Question], str]


def weighted(rng: random.Random, weights: Mapping[str, float]) -> str:
    """Draw a key by its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


class InventedPerson:
    """Answers a needs assessment for one invented person and the people around that person."""

    def __init__(self, rng: random.Random, profile: str, governorate: Governorate) -> None:
        self.rng = rng
        self.profile = profile
        self.governorate = governorate
        self.place = (
            None if profile == "ordinary" and rng.random() < ELSEWHERE else draw_place(rng, governorate)
        )
        self.sex = rng.choice(("female", "male"))
        self.fixed = _fixed(rng, profile)
        self.types = self._draw_types()
        self.answers = self._answers()

    def propose(self, question: Question) -> Iterator[str]:
        """Yield what the profile fixes, else what the person would say, else a random choice."""
        if question.path in self.fixed:
            yield self.fixed[question.path]
        answer = self.answers.get(question.path)
        if not question.required and question.path not in NEVER_SKIPPED and self.rng.random() < SKIPPED:
            yield ""
        if answer is not None:
            yield from (answer(question) for _ in range(20))
        if question.kind == "select":
            yield " ".join(self._some(question.choices))
        elif question.kind == "select1" and question.choices:
            yield self.rng.choice(question.choices)

    def _answers(self) -> dict[str, Answer]:
        rng = self.rng
        return {
            "consent/language": lambda q: weighted(rng, {"ar": 76, "kmr": 15, "ckb": 6, "syr": 2, "tr": 1}),
            "consent/respondent": lambda q: "self",
            "consent/given": lambda q: "yes",
            "consent/proxy_relation": lambda q: rng.choice(("spouse", "child", "sibling", "parent")),
            "consent/proxy_reason": lambda q: rng.choice(names.REASONS_FOR_PROXY),
            "consent/proxy_evidence": self._evidence,
            "consent/child_assent": lambda q: weighted(rng, {"yes": 8, "unknown": 2}),
            "consent/categories": self._categories,
            "consent/recipients": self._recipients,
            "consent/moi": self._moi,
            "consent/exclusions": lambda q: weighted(
                rng, {"": 91, "own_subdistrict": 6, "named_organization": 3}
            ),
            "consent/exclusion_note": lambda q: rng.choice(names.EXCLUDED),
            "consent/statistics": lambda q: weighted(rng, {"yes": 9, "no": 1}),
            "consent/contact": lambda q: weighted(rng, {"yes": 9, "no": 1}),
            "consent/interpreter": lambda q: rng.choice(("", "", "", "", *names.INTERPRETERS)),
            "person/given_name": lambda q: rng.choice(names.FEMALE if self.sex == "female" else names.MALE),
            "person/father_name": lambda q: rng.choice((*names.MALE, *names.ELDERS)),
            "person/grandfather_name": lambda q: rng.choice(names.ELDERS),
            "person/sex": lambda q: self.sex,
            "person/age_years": lambda q: str(int(rng.triangular(18, 85, 34))),
            "person/age_estimated": lambda q: weighted(rng, {"no": 8, "yes": 2}),
            "person/caregiver_name": self._full_name,
            "person/caregiver_phone": self._phone,
            "displacement/status": lambda q: weighted(
                rng, {"returned_idp": 55, "displaced": 25, "returned_from_abroad": 20}
            ),
            "displacement/return_date": self._return_date,
            "contact/language": lambda q: q.instance.value("/data/consent/language"),
            "contact/language_other": lambda q: rng.choice(names.OTHER_LANGUAGES),
            "contact/phone": self._phone,
            "residence/governorate": lambda q: self._in_cascade("governorate"),
            "residence/district": lambda q: self._in_cascade("district"),
            "residence/subdistrict": lambda q: self._in_cascade("subdistrict"),
            "residence/place": lambda q: self._in_cascade("place"),
            "residence/place_text": lambda q: rng.choice(names.UNKNOWN_PLACES),
            "residence/at_home": lambda q: weighted(rng, {"no": 75, "yes": 25 if self.place else 0}),
            "residence/point": lambda q: draw_point(rng, self.place) if self.place else "",
            "profile/disability": lambda q: weighted(rng, {"no": 84, "yes": 13, "unknown": 3}),
            "profile/documents": self._documents,
            "household/size": lambda q: str(
                int(rng.triangular(2 if self._age(q) < GENERATION else 1, 13, 5))
            ),
            "household/female_headed": lambda q: weighted(
                rng, {"no": 6, "yes": 4} if self.sex == "female" else {"no": 98, "yes": 2}
            ),
            "household/member/given_name": lambda q: rng.choice((*names.FEMALE, *names.MALE)),
            "household/member/relation": self._relation,
            "household/member/sex": self._member_sex,
            "household/member/age_years": self._member_age,
            "needs/types": lambda q: " ".join(code for code in q.choices if code in self.types),
            "needs/need/urgency": lambda q: weighted(rng, {"normal": 65, "urgent": 27, "emergency": 8}),
            "notes": lambda q: rng.choice(("", *names.NOTES)),
        }

    def _some(self, codes: Iterable[str]) -> list[str]:
        """Draw at least one of the codes, in the order of the list, as Collect stores them."""
        codes = list(codes)
        chosen = set(self.rng.sample(codes, self.rng.randint(1, len(codes))))
        return [code for code in codes if code in chosen]

    def _draw_types(self) -> frozenset[str]:
        codes = list(self.governorate.service_types)
        if self.profile == "odd" and self.rng.random() < EVERYTHING:
            return frozenset(codes)
        fitting = [code for code in codes if self.sex == "female" or code not in FOR_WOMEN]
        count = self.rng.choices((1, 2, 3, 4), (45, 33, 16, 6))[0]
        return frozenset(self.rng.sample(fitting, count))

    def _categories(self, question: Question) -> str:
        """Agree mostly to all that the needs call for; sometimes to less, so that consent blocks a need."""
        needed = {self.governorate.service_types[code].category for code in self.types}
        others = set(self._some(question.choices))
        agreed = needed | others if self.rng.random() < 0.9 else others
        return " ".join(code for code in question.choices if code in agreed)

    def _recipients(self, question: Question) -> str:
        """Agree mostly to every kind of organization, sometimes to some, seldom to none."""
        agreed = weighted(self.rng, {"all": 74, "some": 22, "none": 4})
        return {"all": " ".join(question.choices), "some": " ".join(self._some(question.choices))}.get(
            agreed, ""
        )

    def _moi(self, question: Question) -> str:
        """Refuse the ministry mostly where nobody else was agreed to either."""
        trusts = bool(question.instance.value("/data/consent/recipients"))
        return weighted(self.rng, {"yes": 8, "no": 2} if trusts else {"yes": 2, "no": 8})

    def _evidence(self, question: Question) -> str:
        """Show something that fits, seldom nothing."""
        shown = [code for code in question.choices if code != "none"]
        return weighted(self.rng, {self.rng.choice(shown): 9, "none": 1})

    def _documents(self, question: Question) -> str:
        if self.rng.random() < 0.06:
            return "none"
        return " ".join(self._some(code for code in question.choices if code != "none"))

    def _full_name(self, question: Question) -> str:
        given = self.rng.choice((*names.FEMALE, *names.MALE))
        return f"{given} {self.rng.choice(names.MALE)} {self.rng.choice(names.ELDERS)}"

    def _phone(self, question: Question) -> str:
        """Draw an Iraqi mobile number from a block of zeros, so that it is nobody's."""
        number = f"0770000{self.rng.randrange(10_000):04d}"
        if self.profile == "odd":
            return self.rng.choice((number.translate(EASTERN_DIGITS), f"+964{number[1:]}"))
        return number

    def _return_date(self, question: Question) -> str:
        low, high = question.bounds
        if self.profile == "odd":
            return _iso(self.rng.choice((low, high)))
        lived = max(30, self._age(question) * DAYS_PER_YEAR)
        return _iso(high - min(high - low, lived, self.rng.expovariate(1 / 700)))

    def _in_cascade(self, level: str) -> str:
        """Code of the person's place at a level; '' lets somebody from elsewhere answer at random."""
        if self.place is None:
            return ""
        return (
            self.place.pcode
            if level == "place"
            else self.governorate.ancestor_at(self.place.pcode, level) or ""
        )

    def _age(self, question: Question) -> int:
        return int(question.instance.value("/data/person/age_years") or 0)

    def _relation(self, question: Question) -> str:
        adult = self._age(question) > 2 * GENERATION
        married = adult and question.position == 0 and self._member_sex(question) != self.sex
        return weighted(
            self.rng,
            {
                "spouse": 20 if married else 0,
                "child": 6 if adult else 0,
                "sibling": 2,
                "parent": 1,
                "other_relative": 1,
            },
        )

    def _member_sex(self, question: Question) -> str:
        return "female" if _sibling(question, "given_name") in names.FEMALE else "male"

    def _member_age(self, question: Question) -> str:
        age = self._age(question)
        low, high = {
            "child": (0, age - GENERATION),
            "parent": (age + GENERATION, age + 2 * GENERATION),
            "spouse": (max(GENERATION, age - 8), age + 8),
            "sibling": (max(0, age - 12), age + 12),
        }.get(_sibling(question, "relation"), (0, 80))
        return str(min(110, self.rng.randint(low, max(low, high))))


def _sibling(question: Question, name: str) -> str:
    """Answer given before in the same repeat instance."""
    above = question.node.parent
    found = above.first(name) if above else None
    return found.text if found else ""


NEVER_SKIPPED = frozenset({"consent/recipients", "consent/exclusions", "person/father_name", "notes"})
"""Questions that may stay empty, but whose answers above already say how often they do."""


def _iso(days: float) -> str:
    return (EPOCH + dt.timedelta(days=int(days))).isoformat()


def _fixed(rng: random.Random, profile: str) -> dict[str, str]:
    """Answers that make the profile; they come before any other."""
    if profile == "refusal":
        return {
            "consent/given": "no",
            "consent/respondent": weighted(rng, {"self": 8, "caregiver": 1, "proxy": 1}),
        }
    if profile == "minor_caregiver":
        relation = weighted(rng, {"parent": 7, "grandparent": 2, "guardian": 1})
        return {
            "consent/respondent": "caregiver",
            "consent/proxy_relation": relation,
            "person/age_years": str(rng.randint(0, 17)),
            "profile/education_level": rng.choice(("none", "primary")),
            "profile/work_status": "student",
        }
    if profile == "proxy":
        return {"consent/respondent": "proxy", "person/age_years": str(rng.randint(30, 95))}
    if profile == "unknown_place":
        return {"residence/place": "unknown", "residence/at_home": "no"}
    return _odd(rng) if profile == "odd" else {}


def _odd(rng: random.Random) -> dict[str, str]:
    """Answers at the edge of what the form accepts."""
    long_name = ("عبد الرحمن ال" + "ع" * 60)[:60]
    texts = {
        path: rng.choice(names.ODD_TEXTS)
        for path in (
            "consent/interpreter",
            "consent/exclusion_note",
            "residence/place_text",
            "person/caregiver_name",
        )
    }
    return texts | {
        "consent/exclusions": rng.choice(("", "", "", "own_subdistrict named_organization")),
        "person/given_name": rng.choice((long_name, "\u200fنور\u200e", "م", "Jean-Luc d'Ëz")),
        "person/age_years": rng.choice(("0", "17", "110")),
        "contact/language": "other",
        "contact/language_other": rng.choice(names.ODD_TEXTS),
        "residence/place": rng.choice(("unknown", "")),
        "household/size": rng.choice(("1", "30")),
        "notes": rng.choice((" ".join(names.ODD_TEXTS), ("سطر طويل " * 112)[:1000])),
    }
