"""The SOP handbook, written from the tables that the code runs on: `make handbook`.

`docs/sop/` holds one page and one drawing a language. A test writes them anew and compares, so that they cannot say
anything else than the code does.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from api.error_texts import ERRORS
from api.texts import EVENTS, ROLES, STATES, choice_or_code, text_of
from docs.sop_diagram import Words, draw, numbers
from docs.sop_words import BREACHES, GUARDS, HOURS, NEEDS, RULES, SLOTS, WORDS
from governorates import Clock, Governorate, choices, codes_with_words, load, name_in
from referral_engine import sop

FOLDER = Path(__file__).parent / "sop"
LANGUAGES = ("ar", "en")
URGENCIES = ("emergency", "urgent", "normal")


def pages() -> Mapping[str, str]:
    """Every file of the handbook by its name."""
    governorate = load()
    made = {}
    for language in LANGUAGES:
        made[f"handbook.{language}.md"] = handbook(governorate, language)
        made[f"states.{language}.svg"] = draw(words_of(governorate, language))
    return made


def words_of(governorate: Governorate, language: str) -> Words:
    """The words of the drawing."""
    return Words(
        direction="rtl" if language == "ar" else "ltr",
        title=WORDS["states_title"][language],
        state=lambda state: text_of(STATES, state, language),
        actor=lambda actor: text_of(ROLES, actor, language),
        clock=lambda state: _in_one_line(clock_words(governorate, state, language), language),
        final=WORDS["final"][language],
    )


def clock_words(governorate: Governorate, state: str, language: str) -> list[str]:
    """The clock of a state for the three urgencies: hours, or days where they are whole days."""
    clocks = [governorate.clocks[state, urgency] for urgency in URGENCIES]
    return [_length(clock.hours, clock.working, language) for clock in clocks]


def _length(hours: float, working: bool, language: str) -> str:
    days = hours / 24
    unit = "days" if days >= 2 and days == int(days) else "hours"
    figure = days if unit == "days" else hours
    return f"{figure:g} {HOURS[unit][language]}{HOURS['working'][language] if working else ''}"


def _in_one_line(clocks: list[str], language: str) -> str:
    working = HOURS["working"][language]
    if all(clock.endswith(working) for clock in clocks):
        return " / ".join(clock.removesuffix(working) for clock in clocks) + working
    return " / ".join(clocks)


def handbook(governorate: Governorate, language: str) -> str:
    """The handbook as Markdown."""
    return "\n".join(_lines(governorate, language)).rstrip() + "\n"


def _lines(governorate: Governorate, language: str) -> Iterator[str]:
    yield f"# {WORDS['title'][language]}"
    yield ""
    yield f"<!-- {WORDS['generated'][language]} -->"
    yield ""
    if language == "ar":
        yield '<div dir="rtl">'
        yield ""
    yield WORDS["introduction"][language]
    yield ""
    yield f"![{WORDS['states_title'][language]}](states.{language}.svg)"
    yield ""
    yield from _rules(language)
    yield from _states(governorate, language)
    yield from _moves(language)
    yield from _reasons(language)
    yield from _mandates(governorate, language)
    if language == "ar":
        yield "</div>"


def _rules(language: str) -> Iterator[str]:
    yield f"## {WORDS['rules'][language]}"
    yield ""
    for rule in RULES:
        yield f"- {rule[language]}"
    yield ""


def _states(governorate: Governorate, language: str) -> Iterator[str]:
    columns = ("state", "next", *(f"clock_{urgency}" for urgency in URGENCIES), "breach", "slot", "source")
    yield f"## {WORDS['states_title'][language]}"
    yield ""
    yield from _head(columns, language)
    for state in sop.ReferralState:
        slot = SLOTS["held" if state in sop.HOLDS_SLOT else "free"][language]
        if state in sop.FINAL:
            need = NEEDS[sop.NEED_AFTER[state]][language]
            cells = [WORDS["final"][language], "–", "–", "–", "–", slot, need]
        else:
            clocks = clock_words(governorate, state, language)
            sources = {governorate.clocks[state, urgency].source for urgency in URGENCIES}
            who = text_of(ROLES, sop.NEXT_ACTOR[state], language)
            breach = _breach_words(governorate, state, language)
            cells = [who, *clocks, breach, slot, "; ".join(sorted(sources))]
        yield _row([f"**{text_of(STATES, state, language)}** `{state}`", *cells])
    yield ""


def _breach_words(governorate: Governorate, state: str, language: str) -> str:
    """What follows when a clock of this state runs out, and who is told."""
    said = []
    for urgency in URGENCIES:
        clock = governorate.clocks[state, urgency]
        told = "" if clock.escalate_to is None else f": {text_of(ROLES, clock.escalate_to, language)}"
        end = "" if clock.expire_hours is None else f", {_end_words(clock, language)}"
        said.append(BREACHES[clock.breach][language] + told + end)
    return "; ".join(dict.fromkeys(said))


def _end_words(clock: Clock, language: str) -> str:
    length = _length(clock.expire_hours or clock.hours, clock.working, language)
    return f"{WORDS['after'][language]} {length}: {BREACHES['expire'][language]}"


def _moves(language: str) -> Iterator[str]:
    yield f"## {WORDS['moves'][language]}"
    yield ""
    yield from _head(("number", "move", "from", "to", "who", "condition"), language)
    for name, move in sop.MOVES.items():
        sources = "، " if language == "ar" else ", "
        before = sources.join(text_of(STATES, state, language) for state in sop.sorted_states(move.sources))
        after = WORDS["same"][language] if move.target is None else text_of(STATES, move.target, language)
        who = sources.join(text_of(ROLES, actor, language) for actor in sorted(move.actors))
        yield _row(
            [
                str(numbers()[name]),
                f"{text_of(EVENTS, name, language)} `{name}`",
                before or WORDS["new"][language],
                after,
                who,
                _conditions(move, language),
            ]
        )
    yield ""
    yield text_of(ERRORS, "illegal_move", language) + " (`illegal_move`)"
    yield ""


def _conditions(move: sop.Move, language: str) -> str:
    said = []
    if move.guard is not None:
        said.append(GUARDS[move.guard][language])
    if move.reason_list is not None:
        said.append(f"{WORDS['reason'][language]} [`{move.reason_list}`](#{move.reason_list})")
        said += _words_besides(move, move.reason_list, language)
    elif move.needs_text:
        said.append(WORDS["text"][language])
    return "; ".join(said) or "–"


def _words_besides(move: sop.Move, list_name: str, language: str) -> Iterator[str]:
    """Whether words are asked for beside the reason, and with which reasons they are or are not."""
    codes = {choice.code for choice in choices(list_name)}
    if move.needs_text:
        without = [choice_or_code(list_name, code, language) for code in sorted(codes & sop.NEEDS_NO_TEXT)]
        but = f" ({WORDS['no_text'][language]}: {', '.join(without)})" if without else ""
        yield WORDS["text"][language] + but
    elif codes_with_words(list_name):
        named = [choice_or_code(list_name, code, language) for code in codes_with_words(list_name)]
        yield f"{WORDS['text_for'][language]}: {', '.join(named)}"


def _reasons(language: str) -> Iterator[str]:
    yield f"## {WORDS['reasons'][language]}"
    yield ""
    for list_name in sorted({move.reason_list for move in sop.MOVES.values() if move.reason_list}):
        yield f"### {list_name}"
        yield ""
        for choice in choices(list_name):
            mark = f" ({WORDS['by_system'][language]})" if choice.by_system else ""
            yield f"- {choice_or_code(list_name, choice.code, language)} `{choice.code}`{mark}"
        yield ""


def _mandates(governorate: Governorate, language: str) -> Iterator[str]:
    yield f"## {WORDS['mandates'][language]}"
    yield ""
    yield from _head(("category", "ministry"), language)
    for category in governorate.categories.values():
        ministry = governorate.ministries[category.ministry]
        yield _row([name_in(category.names, language), name_in(ministry.names, language)])
    yield ""


def _head(columns: tuple[str, ...], language: str) -> Iterator[str]:
    yield _row([WORDS[column][language] for column in columns])
    yield _row(["---"] * len(columns))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def main() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in pages().items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
