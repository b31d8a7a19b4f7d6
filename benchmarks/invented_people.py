"""Invented registrations with the spelling variants of the field, and which of them are one household.

Families are brothers and sisters who register apart: same father's and grandfather's name, often the same place,
sometimes the same phone. They are the hard negatives. A share of the cases is registered a second time.
"""

import random
from dataclasses import dataclass, replace

MALE = (
    *("محمد", "أحمد", "علي", "حسين", "عمر", "يوسف", "إبراهيم", "خالد", "عبد الله", "عبد الرحمن", "مصطفى"),
    *("محمود", "حسن", "سعد", "سعيد", "طارق", "بشار", "ليث", "أنس", "زياد", "عماد", "نزار", "قاسم", "رائد"),
    *("وليد", "حازم", "صفوان", "ياسر", "جاسم", "خلف", "حمد", "صالح", "عبد الكريم", "عبد العزيز", "ذنون"),
    *("إلياس", "يونس", "سليمان", "داود", "شهاب", "عواد", "مطر", "فتحي", "غانم", "حميد", "نجم", "عزيز"),
    *("سمير", "هاشم", "رشيد", "كمال", "عثمان", "رضا", "إسماعيل", "عباس", "كريم", "أكرم", "سالم", "سليم"),
    *("ئازاد", "دلشاد", "شێرزاد", "هێمن", "ڕێبوار", "خدر", "دلێر", "بەختیار", "شڤان", "سەیدۆ", "میرزا"),
)
FEMALE = (
    *("فاطمة", "زينب", "مريم", "سارة", "نور", "هدى", "رنا", "إيمان", "سعاد", "خديجة", "عائشة", "رغد", "شهد"),
    *("أسماء", "ليلى", "سلمى", "حنان", "وفاء", "نادية", "بسمة", "رقية", "ابتسام", "انتصار", "زهراء", "آمنة"),
    *("بەفرین", "ژیان", "شیلان", "ڕۆژین", "گوڵیستان", "شیرین", "زوزان", "بێریڤان"),
)
KURDISH_SPELLING = {
    **{"محمد": "محەمەد", "أحمد": "ئەحمەد", "علي": "عەلی", "حسين": "حوسێن", "عمر": "عومەر", "يوسف": "یوسف"},
    **{"إبراهيم": "ئیبراهیم", "خالد": "خالید", "عبد الله": "عەبدوڵڵا", "مصطفى": "موستەفا", "محمود": "مەحمود"},
    **{"حسن": "حەسەن", "سعيد": "سەعید", "صالح": "ساڵح", "عثمان": "عوسمان", "رضا": "ڕەزا", "كريم": "کەریم"},
    **{
        "رشيد": "ڕەشید",
        "سليمان": "سلێمان",
        "قاسم": "قاسم",
        "عزيز": "عەزیز",
        "فاطمة": "فاتمە",
        "زينب": "زەینەب",
    },
    **{"مريم": "مەریەم", "خديجة": "خەدیجە", "إسماعيل": "ئیسماعیل", "عبد الرحمن": "عەبدولڕەحمان"},
}
SOUNDS = (("ض", "ظ"), ("ذ", "ز"), ("ت", "ط"), ("س", "ص"), ("ح", "ه"), ("ق", "ك"), ("غ", "خ"))
LETTERS = "ابتجحدرسعفقكلمنهوي"
PLACES = tuple((f"D{d}S{s}P{p}", f"D{d}S{s}", f"D{d}") for d in range(9) for s in range(3) for p in range(12))


@dataclass(frozen=True)
class Registration:
    """One case as an officer typed it. `household` says which household it really is."""

    household: int
    given: str
    father: str
    grandfather: str
    phone: str
    age: int
    sex: str
    place: tuple[str, str, str]
    size: int
    members: tuple[tuple[str, int], ...]


def _pick(rng: random.Random, names: tuple[str, ...]) -> str:
    """Draw a name; the first of a list are as common as Mohammed (about one in ten), the last are rare."""
    return rng.choices(names, [1 / (rank + 3) for rank in range(len(names))])[0]


def make_registrations(rng: random.Random, households: int, again: float = 0.1) -> list[Registration]:
    """Make registrations of `households` households; a share `again` of them registers twice."""
    cases: list[Registration] = []
    while len(cases) < households:
        cases += _family(rng, len(cases))
    cases = cases[:households]
    return cases + [_register_again(rng, case) for case in rng.sample(cases, round(again * households))]


def _family(rng: random.Random, first: int) -> list[Registration]:
    father, grandfather = _pick(rng, MALE), _pick(rng, MALE)
    home, phone, eldest = rng.choice(PLACES), _phone(rng), rng.randint(28, 70)
    siblings: list[Registration] = []
    used: set[str] = set()
    for number in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        sex = rng.choice(("male", "male", "female"))
        given = _pick(rng, MALE if sex == "male" else FEMALE)
        if given in used:
            continue
        used.add(given)
        age = max(18, eldest - number * rng.randint(1, 4))
        size = rng.randint(1, 9)
        siblings.append(
            Registration(
                first + len(siblings),
                given,
                father,
                grandfather,
                phone if rng.random() < 0.2 else _phone(rng),
                age,
                sex,
                home if rng.random() < 0.6 else rng.choice(PLACES),
                size,
                tuple((_pick(rng, rng.choice((MALE, FEMALE))), rng.randint(0, 60)) for _ in range(size - 1)),
            )
        )
    return siblings


def _phone(rng: random.Random) -> str:
    return "07" + rng.choice("578") + "".join(rng.choice("0123456789") for _ in range(8))


def _register_again(rng: random.Random, case: Registration) -> Registration:
    phones = (case.phone, slip_of_phone(rng, case.phone), _phone(rng), "")
    size = max(1, case.size + rng.choice((-1, 0, 0, 0, 1)))
    kept = [(spell(rng, name), max(0, age + rng.randint(-2, 2))) for name, age in case.members]
    places = (case.place, _nearby(rng, case.place), rng.choice(PLACES))
    return replace(
        case,
        given=spell(rng, case.given),
        father=spell(rng, case.father),
        grandfather="" if rng.random() < 0.15 else spell(rng, case.grandfather),
        phone=rng.choices(phones, (0.5, 0.1, 0.25, 0.15))[0],
        age=case.age + rng.randint(-2, 2),
        place=rng.choices(places, (0.75, 0.15, 0.1))[0],
        size=size,
        members=() if rng.random() < 0.2 else tuple(kept[: size - 1]),
    )


def _nearby(rng: random.Random, place: tuple[str, str, str]) -> tuple[str, str, str]:
    return rng.choice([other for other in PLACES if other[2] == place[2]])


def slip_of_phone(rng: random.Random, phone: str) -> str:
    """Mistype one digit or swap two neighbours."""
    at = rng.randrange(3, len(phone) - 1)
    if rng.random() < 0.4:
        return phone[:at] + phone[at + 1] + phone[at] + phone[at + 2 :]
    return phone[:at] + rng.choice("0123456789") + phone[at + 1 :]


def spell(rng: random.Random, name: str) -> str:
    """Write a name as another officer would."""
    if rng.random() < 0.02:
        return _pick(rng, MALE)  # the name used at home
    if rng.random() < 0.1 and name in KURDISH_SPELLING:
        return KURDISH_SPELLING[name]
    if rng.random() < 0.45:
        name = _orthography(rng, name)
    if rng.random() < 0.06:
        name = _sound(rng, name)
    return _typing_slip(rng, name) if rng.random() < 0.07 else name


def _orthography(rng: random.Random, name: str) -> str:
    for letters, plain in (("أإآ", "ا"), ("ة", "ه"), ("ى", "ي")):
        if rng.random() < 0.7:
            for letter in letters:
                name = name.replace(letter, plain)
    if rng.random() < 0.5:
        name = name.replace("عبد ", "عبد")
    if rng.random() < 0.2:
        name = name.replace("ك", "ک").replace("ي", "ی")
    return name


def _sound(rng: random.Random, name: str) -> str:
    one, other = rng.choice(SOUNDS)
    return name.replace(one, other) if one in name else name.replace(other, one)


def _typing_slip(rng: random.Random, name: str) -> str:
    if len(name) < 3:
        return name
    at = rng.randrange(1, len(name) - 1)
    kind = rng.random()
    if kind < 0.35:
        return name[:at] + name[at + 1 :]
    if kind < 0.6:
        return name[:at] + name[at] + name[at:]
    if kind < 0.8:
        return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return name[:at] + rng.choice(LETTERS) + name[at + 1 :]
