"""Draws the states of a referral and the moves between them, from `referral_engine.sop`, as one SVG a language.

States stand in columns by who holds the matter; arrows carry the number of the move in the handbook. Moves into a
final state are written inside the state they leave, so that ten arrows to "recalled" do not hide the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from referral_engine import sop
from referral_engine.sop import FINAL, LIVE, MOVES, NEXT_ACTOR, Move, ReferralState, moves_from

S = ReferralState
COLUMNS: Sequence[Sequence[ReferralState]] = (
    (S.DRAFT, S.PROPOSED, S.APPROVED, S.AWAITING_CONSENT),
    (S.SENT, S.ACKNOWLEDGED, S.INFO_REQUESTED, S.WAITLISTED),
    (S.ACCEPTED, S.SERVICE_STARTED, S.SERVICE_DELIVERED),
    (S.DISPUTED, S.CONFIRMED),
)
LIVE_ORDER = tuple(state for column in COLUMNS for state in column)
FIRST_ROW = (0, 0, 0, 1)
"""The row in which each column begins."""

BOX_WIDTH, BOX_HEIGHT, GUTTER, ROW_GAP, MARGIN, LANE = 230, 144, 130, 34, 30, 24
FINAL_HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Words:
    """What the drawing says, in one language."""

    direction: str
    title: str
    state: Callable[[ReferralState], str]
    actor: Callable[[str], str]
    clock: Callable[[ReferralState], str]
    final: str


def numbers() -> Mapping[str, int]:
    """The number of each move, in the order of the table."""
    return {name: number for number, name in enumerate(MOVES, start=1)}


def draw(words: Words) -> str:
    """The drawing as SVG text; the same table always gives the same bytes."""
    if set(LIVE_ORDER) != LIVE:
        raise ValueError(f"no place in the drawing for {sorted(LIVE ^ set(LIVE_ORDER))}")
    sheet = _Sheet(words)
    for state in LIVE_ORDER:
        sheet.box(state)
    for move in MOVES.values():
        if move.target in LIVE and move.sources:
            sheet.arrow(move)
    sheet.final_row()
    return sheet.text()


class _Sheet:
    """Lines of the drawing as they are added. Mirrored for right-to-left languages."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.lines: list[str] = []
        self.lanes: dict[tuple[int, str], int] = {}
        self.ports: dict[tuple[ReferralState, str, str, str], int] = {}
        self.numbered: set[tuple[str, float]] = set()
        self.width = 2 * MARGIN + len(COLUMNS) * BOX_WIDTH + (len(COLUMNS) - 1) * GUTTER + GUTTER
        rows = max(first + len(column) for first, column in zip(FIRST_ROW, COLUMNS, strict=True))
        self.bottom = MARGIN + 40 + rows * (BOX_HEIGHT + ROW_GAP)
        self.height = self.bottom + FINAL_HEIGHT + MARGIN

    def place(self, state: ReferralState) -> tuple[int, int, float, float]:
        """Column, row, and the upper corner of a state's box."""
        for number, column in enumerate(COLUMNS):
            if state in column:
                row = FIRST_ROW[number] + column.index(state)
                x = MARGIN + GUTTER / 2 + number * (BOX_WIDTH + GUTTER)
                return number, row, x, MARGIN + 40 + row * (BOX_HEIGHT + ROW_GAP)
        raise KeyError(state)

    def mirror(self, x: float) -> float:
        return self.width - x if self.words.direction == "rtl" else x

    def write(self, x: float, y: float, text: str, style: str) -> None:
        self.lines.append(
            f'<text x="{self.mirror(x):g}" y="{y:g}" class="{style}" text-anchor="middle"'
            f' direction="{self.words.direction}">{escape(text)}</text>'
        )

    def rectangle(self, x: float, y: float, height: float, style: str) -> None:
        left = min(self.mirror(x), self.mirror(x + BOX_WIDTH))
        self.lines.append(
            f'<rect x="{left:g}" y="{y:g}" width="{BOX_WIDTH}" height="{height:g}" rx="8" class="{style}"/>'
        )

    def box(self, state: ReferralState) -> None:
        _, _, x, y = self.place(state)
        centre, words = x + BOX_WIDTH / 2, self.words
        self.rectangle(x, y, BOX_HEIGHT, "state")
        self.write(centre, y + 22, words.state(state), "name")
        self.write(centre, y + 40, words.actor(NEXT_ACTOR[state]), "small")
        self.write(centre, y + 56, words.clock(state), "small")
        exits = [(move.name, move.target) for move in moves_from(state) if move.target in FINAL]
        for place, (name, target) in enumerate(exits):
            tip = "⟵" if words.direction == "rtl" else "⟶"
            text = f"{numbers()[name]} {tip} {words.state(ReferralState(target or state))}"
            self.write(centre, y + 78 + 17 * place, text, "exit")

    def arrow(self, move: Move) -> None:
        """One arrow, or several that join on one lane when the move leaves more than one state."""
        target = ReferralState(move.target or sop.INITIAL)
        for source in (state for state in LIVE_ORDER if state in move.sources and state is not target):
            column, row, x, y = self.place(source)
            to_column, to_row, _, to_y = self.place(target)
            if column == to_column and to_row == row + 1 and len(move.sources) == 1:
                centre = x + BOX_WIDTH / 2
                self.path([(centre, y + BOX_HEIGHT), (centre, to_y)])
                self.number(centre, y + BOX_HEIGHT + ROW_GAP / 2 - 3, move.name)
            else:
                self.around(move, source, target)

    def around(self, move: Move, source: ReferralState, target: ReferralState) -> None:
        column, to_column = self.place(source)[0], self.place(target)[0]
        side, to_side = _sides(column, to_column)
        gutter = column - 1 if side == "before" else column
        lane = self.lane(gutter, move.name)
        start = self.port(source, side, move.name, "out")
        end = self.port(target, to_side, move.name, "in")
        self.path([start, (lane, start[1]), (lane, end[1]), end])
        if (move.name, lane) not in self.numbered:
            self.number(lane, (start[1] + end[1]) / 2, move.name)
            self.numbered.add((move.name, lane))

    def lane(self, gutter: int, name: str) -> float:
        """The vertical line of a move between two columns; moves of the same name share it."""
        used = [one for one in self.lanes if one[0] == gutter]
        place = self.lanes.setdefault((gutter, name), len(used))
        left = MARGIN + GUTTER / 2 + gutter * (BOX_WIDTH + GUTTER) + BOX_WIDTH
        return left + LANE / 2 + 4 + place * LANE

    def port(self, state: ReferralState, side: str, name: str, way: str) -> tuple[float, float]:
        """Where an arrow touches a box: one height a move, so that arrows do not lie on each other."""
        _, _, x, y = self.place(state)
        used = [one for one in self.ports if one[:2] == (state, side)]
        place = self.ports.setdefault((state, side, name, way), len(used))
        return (x if side == "before" else x + BOX_WIDTH), y + 16 + place * 22

    def path(self, points: Sequence[tuple[float, float]]) -> None:
        steps = " ".join(f"{self.mirror(x):g},{y:g}" for x, y in points)
        self.lines.append(f'<polyline points="{steps}" class="move" marker-end="url(#tip)"/>')

    def number(self, x: float, y: float, name: str) -> None:
        label = (
            f'<circle cx="{self.mirror(x):g}" cy="{y:g}" r="10" class="tag"/>'
            f'<text x="{self.mirror(x):g}" y="{y + 4:g}" class="number" text-anchor="middle">{numbers()[name]}</text>'
        )
        self.lines.append(label)

    def final_row(self) -> None:
        states = [state for state in ReferralState if state in FINAL]
        step = (self.width - 2 * MARGIN) / len(states)
        for place, state in enumerate(states):
            x = MARGIN + place * step + (step - BOX_WIDTH) / 2
            self.rectangle(x, self.bottom, FINAL_HEIGHT, "final")
            text = f"{self.words.state(state)} ({self.words.final})"
            self.write(x + BOX_WIDTH / 2, self.bottom + 25, text, "name")

    def text(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}"'
            f' width="{self.width:g}" height="{self.height:g}" role="img">\n'
            f"<title>{escape(self.words.title)}</title>\n<style>{_STYLE}</style>\n"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
            ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#2b5c57"/></marker></defs>\n'
            f'<rect width="{self.width:g}" height="{self.height:g}" fill="#fff"/>\n'
            f'<text x="{self.width / 2:g}" y="{MARGIN + 12}" class="title" text-anchor="middle"'
            f' direction="{self.words.direction}">{escape(self.words.title)}</text>\n'
        )
        drawn = sorted(self.lines, key=lambda line: _LAYER[line.split(maxsplit=1)[0]])
        return head + "\n".join(drawn) + "\n</svg>\n"


def _sides(column: int, to_column: int) -> tuple[str, str]:
    """Which side of its box an arrow leaves, and which it reaches; within a column it goes around one side."""
    if column == to_column:
        side = "before" if column == 1 else "after"
        return side, side
    return ("after", "before") if to_column > column else ("before", "after")


_LAYER = {"<polyline": 0, "<rect": 1, "<text": 2, "<circle": 3}
_STYLE = (
    "text{font-family:'Noto Naskh Arabic','Noto Sans Arabic',Tahoma,'Segoe UI',Arial,sans-serif;fill:#1d2625}"
    ".title{font-size:18px;font-weight:700}.name{font-size:15px;font-weight:700}.small{font-size:11px;fill:#4a5654}"
    ".exit{font-size:11px;fill:#8a3b12}.number{font-size:11px;font-weight:700;fill:#fff}"
    ".state{fill:#eef5f3;stroke:#2b5c57}.final{fill:#f6efe7;stroke:#8a3b12}.tag{fill:#2b5c57}"
    ".move{fill:none;stroke:#2b5c57;stroke-width:1.6}"
)
