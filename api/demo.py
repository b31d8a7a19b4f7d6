"""`ihala demo`: the main job, shown on one machine with invented people and an invented directory.

Everything goes the way it goes in the field: forms filled from the compiled definition, posted over HTTP with
a tablet's token, taken in by the scheduled ingester, matched, and served as pages.
"""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.context import AppContext, open_context
from api.demo_accounts import (
    DemoAccount,
    provide_accounts,
    provide_tablets,
    refuse_real_installation,
)
from api.demo_open_days import begin_open_days, fill_lines
from api.settings import Settings
from db.models import Role

SENDERS = 4
_PATIENCE_SECONDS = 240.0
_SEED = 20261123
_PROVIDERS_SHOWN = 6
DEMO_FOLDER = "demo"


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """What became of the assessments.

    `received` counts those that the server said it took; `lost` those sent that are neither a case nor a
    counted refusal; `refusals_with_content` the refusals of which anything is still kept.
    """

    received: int
    stored: int
    cases: int
    refusals: int
    needs: int
    proposed: int
    unmet: int
    lost: int
    seconds: float
    undecided: int = 0
    informed: int = 0
    slot_mismatches: int = 0
    refusals_with_content: int = 0
    unmet_by_reason: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Every submission one case or one empty refusal; every need a held slot, a recorded reason or an own way."""
        return (
            self.lost == 0
            and self.received == self.stored == self.cases + self.refusals
            and self.undecided == 0
            and self.needs == self.proposed + self.unmet + self.informed
            and self.slot_mismatches == 0
            and self.refusals_with_content == 0
        )

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: its address and figures, the accounts, and the password that they share."""

    base_url: str
    figures: DemoFigures
    accounts: list[DemoAccount]
    password: str


@contextmanager
def running_demo(
    settings: Settings, *, count: int, console: Console, temporary: bool = False
) -> Iterator[Demo]:
    """Open the installation, do the main job in it and serve for the block."""
    with _open(settings, console, temporary=temporary) as context, _serving(context) as base_url:
        # Not before the port is ours: a second demo must not change the passwords of the first.
        accounts, password = provide_accounts(context)
        yield Demo(base_url, _main_job(context, base_url, count, console), accounts, password)


@contextmanager
def temporary_demo(*, count: int, console: Console) -> Iterator[Demo]:
    """A demo in a folder of its own on a free port, with its own database and keys; nothing is left behind."""
    # Not mkdtemp: the database's account must be able to pass through the folder when root runs this.
    folder = Path(tempfile.gettempdir()) / f"ihala-check-{secrets.token_hex(8)}"
    settings = Settings(
        data_folder=folder,
        port=0,
        host="127.0.0.1",
        database_url=None,
        owner_database_url=None,
        public_url=None,
        secure_cookies=False,
        master_key=None,
        index_key=None,
        key_file=None,
        central_url=None,
        sync_minutes=1,
    )
    try:
        with running_demo(settings, count=count, console=console, temporary=True) as demo:
            yield demo
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_check(*, count: int, quiet: bool) -> DemoFigures:
    """Do the whole job in a temporary folder and show what came of it."""
    console = Console(stderr=True, quiet=quiet)
    with temporary_demo(count=count, console=console) as demo:
        _show(demo.figures, console)
        return demo.figures


def run_demo(*, count: int, port: int | None) -> None:
    """Run the demo and serve until Ctrl-C; a second run finds its data and only serves.

    It lives in `demo` inside the data folder, apart from what a real installation keeps there.
    """
    console = Console()
    settings = Settings() if port is None else Settings(port=port)
    if settings.database_url is None:
        settings = settings.model_copy(update={"data_folder": settings.data_folder / DEMO_FOLDER})
    with running_demo(settings, count=count, console=console) as demo:
        _show(demo.figures, console)
        _show_accounts(demo, console)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("Stopping.")


@contextmanager
def _open(settings: Settings, console: Console, *, temporary: bool = False) -> Iterator[AppContext]:
    from db.directory import upsert_directory, upsert_offices
    from db.session import session_scope
    from governorates.directory import read_directory

    def tell(message: str) -> None:
        console.print(f"[dim]{message}[/dim]")

    with open_context(settings, migrate=True, temporary=temporary, progress=tell) as context:
        governorate = context.governorate
        directory = read_directory(governorate.directory_path, governorate)
        with session_scope(context.engine) as session:
            refuse_real_installation(session, governorate, directory)
            upsert_offices(session, governorate)
            loaded = upsert_directory(session, governorate, directory.starting(datetime.now(UTC).date()))
        tell(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in loaded.items()))
        yield context


@contextmanager
def _serving(context: AppContext) -> Iterator[str]:
    from api.server import running_server
    from api.worker import running_worker

    with running_worker(context), running_server(context) as base_url:
        yield base_url


def _main_job(context: AppContext, base_url: str, count: int, console: Console) -> DemoFigures:
    """Fill, send and wait; an installation that holds submissions already is only counted."""
    started = time.monotonic()
    sent = received = _figures(context)["stored"]
    if sent == 0:
        sent, received = count, _fill_and_send(context, base_url, count, console)
    _wait_until_decided(context, console)
    fill_lines(context)
    figures = _figures(context)
    return DemoFigures(
        received=received,
        stored=figures["stored"],
        cases=figures["cases"],
        refusals=figures["refusals"],
        needs=figures["needs"],
        proposed=figures["proposed"],
        unmet=figures["unmet"],
        lost=sent - figures["cases"] - figures["refusals"],
        seconds=round(time.monotonic() - started, 1),
        undecided=figures["undecided"],
        informed=figures["informed"],
        slot_mismatches=figures["slot_mismatches"],
        refusals_with_content=figures["refusals_with_content"],
        unmet_by_reason=_unmet_by_reason(context),
    )


def _fill_and_send(context: AppContext, base_url: str, count: int, console: Console) -> int:
    """Fill `count` assessments from the compiled form and post them as Collect does; how many were taken."""
    from xlsforms.compile import compile_form
    from xlsforms.fill import fill_batch

    tokens = provide_tablets(context)
    begin_open_days(context)
    form = compile_form("needs_assessment", context.governorate.code)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:
        filling = progress.add_task("Filling the form", total=count)
        filled = fill_batch(
            form, count, _SEED, at=datetime.now(UTC), on_each=lambda: progress.advance(filling)
        )
        sending = progress.add_task("Sending from tablets", total=count)
        with ThreadPoolExecutor(SENDERS) as pool:
            answers = pool.map(
                lambda item: _send(
                    f"{base_url}/openrosa/{tokens[item[0] % len(tokens)]}", item[1].xml, progress, sending
                ),
                enumerate(filled),
            )
            return sum(answers)


def _send(tablet_url: str, xml: bytes, progress: Progress, task: Any) -> bool:
    """Post one submission as ODK Collect does; True when the server took it."""
    import requests

    try:
        answer = requests.post(
            f"{tablet_url}/submission?deviceID=collect%3Ademo",
            headers={"X-OpenRosa-Version": "1.0"},
            files={"xml_submission_file": ("submission.xml", xml, "text/xml")},
            timeout=30,
        )
    except requests.RequestException:
        return False  # it shows among the lost
    finally:
        progress.advance(task)
    return answer.status_code in {201, 202}


def _figures(context: AppContext) -> dict[str, int]:
    from db.cases import count_figures
    from db.referrals import list_slot_mismatches
    from db.session import session_scope
    from db.submissions import count_refusals_with_content

    with session_scope(context.engine) as session:
        return count_figures(session) | {
            "slot_mismatches": len(list_slot_mismatches(session)),
            "refusals_with_content": count_refusals_with_content(session),
        }


def _unmet_by_reason(context: AppContext) -> dict[str, int]:
    from db.cases import count_unmet_by_reason
    from db.session import session_scope

    with session_scope(context.engine) as session:
        return count_unmet_by_reason(session)


def _wait_until_decided(context: AppContext, console: Console) -> None:
    """Wait for the ingester, as a coordinator would; gives up after four minutes and lets the figures speak."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with console.status("Taking in and matching"):
        while time.monotonic() < deadline:
            figures = _figures(context)
            if figures["waiting"] == 0 and figures["undecided"] == 0:
                return
            time.sleep(0.2)


def _show(figures: DemoFigures, console: Console) -> None:
    table = Table(title="From tablet to provider's list", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name in ("received", "stored", "cases", "refusals", "needs", "proposed", "unmet", "lost", "seconds"):
        table.add_row(name, str(getattr(figures, name)))
    for reason, number in figures.unmet_by_reason.items():
        table.add_row(f"[dim]unmet: {reason}[/dim]", f"[dim]{number}[/dim]")
    console.print(table)


def _show_accounts(demo: Demo, console: Console) -> None:
    accounts = demo.accounts
    table = Table(title="Logins of the demo")
    for heading in ("login", "role", "who"):
        table.add_column(heading, overflow="fold")
    providers = [account for account in accounts if account.role == Role.PROVIDER]
    for account in [*(a for a in accounts if a.role != Role.PROVIDER), *providers[:_PROVIDERS_SHOWN]]:
        table.add_row(account.login, account.role, account.who)
    more = f"and {len(providers) - _PROVIDERS_SHOWN} more: the administration page lists them"
    table.add_row("[dim]...[/dim]", "[dim]provider[/dim]", f"[dim]{more}[/dim]")
    console.print(table)
    console.print(
        f"Password of all of them until the next start: [bold]{demo.password}[/bold]", highlight=False
    )
    console.print(f"Open [bold]{demo.base_url}[/bold]  (Ctrl-C stops)", highlight=False)
