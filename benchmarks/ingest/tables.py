"""The tables of the bench; ratios in brackets are to the peer of the same run."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ingest.intake import Intake

CONSOLE = Console(width=130)


def show_intake(measured: Sequence[Intake], connections: int) -> None:
    """Print the quietest round of each server; the ratio is to ODK Central where it was measured."""
    if not measured:
        return
    table = _table(
        f"OpenRosa intake, {connections} connections",
        ("server", "posts", "durable a second", "median ms", "p95 ms", "load before", "all rounds"),
    )
    names = list(dict.fromkeys(one.who for one in measured))
    peer = max((one.a_second for one in measured if one.who != "ihala"), default=None)
    for name in names:
        rounds = [one for one in measured if one.who == name]
        best = max(rounds, key=lambda one: one.a_second)
        ratio = f" ({best.a_second / peer:.2f})" if peer else ""
        table.add_row(
            name,
            str(best.posts),
            f"{best.a_second:.0f}{ratio}",
            f"{best.median_ms:.1f}",
            f"{best.p95_ms:.1f}",
            f"{best.load:.2f}",
            " ".join(f"{one.a_second:.0f}" for one in rounds),
        )
    CONSOLE.print(table)


def show_catch_up(measured: Sequence[dict[str, Any]]) -> None:
    """Print the catch-up of each size; the ratio of seconds is to `get_table` in the quietest round of each."""
    if not measured:
        return
    table = _table(
        "Catch-up",
        ("server", "rows", "way", "seconds (ratio)", "rows a second", "peak MB over rest", "all rounds s"),
    )
    for one in measured:
        peers = [entry["get_table"] for entry in one["rounds"]]
        ours = [entry["ihala"] for entry in one["rounds"]]
        bare = min(peer["store_s"] for peer in peers)
        for name, rounds in (("get_table (pyODK)", peers), ("ihala: stored", ours)):
            best = min(rounds, key=lambda entry: entry["store_s"])
            table.add_row(
                one["central"],
                str(one["rows"]),
                name,
                f"{best['store_s']:.2f} ({best['store_s'] / bare:.2f})",
                f"{one['rows'] / best['store_s']:.0f}",
                f"{best['peak_mb'] - best['rest_mb']:.0f}",
                " ".join(f"{entry['store_s']:.2f}" for entry in rounds),
            )
        for name, rows, seconds in (
            ("ihala: parsed", "parsed", "parse_s"),
            ("ihala: cased", "cased", "case_s"),
        ):
            last = ours[-1]
            if last[rows]:
                rate = last[rows] / last[seconds]
                table.add_row(
                    one["central"], str(int(last[rows])), name, f"{last[seconds]:.2f}", f"{rate:.0f}", "", ""
                )
    CONSOLE.print(table)
    stored = {
        one["rows"]: min(entry["ihala"]["peak_mb"] for entry in one["rounds"])
        for one in measured
        if one["central"] == "stand-in"
    }
    if len(stored) > 1:
        few, many = min(stored), max(stored)
        CONSOLE.print(f"Peak memory from {few} to {many} rows: {stored[many] - stored[few]:+.0f} MB")


def show_poll(measured: Sequence[dict[str, Any]]) -> None:
    """Print what a poll without news costs."""
    table = _table(
        "A poll without news",
        ("server", "rows", "polls", "own ms", "own ms, worst", "processor ms", "with the wait ms"),
    )
    for one in measured:
        poll = one["poll"]
        table.add_row(
            one["central"],
            str(one["rows"]),
            str(poll["polls"]),
            *(f"{poll[name]:.1f}" for name in ("own_ms", "own_worst_ms", "cpu_ms", "wall_ms")),
        )
    CONSOLE.print(table)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column in {"server", "way"} else "right")
    return table
