"""`ihala worker`: run the scheduled jobs alone, beside any number of web servers and other workers."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer


def run(
    quiet: Annotated[bool, typer.Option("--quiet", help="Write warnings only, not every run.")] = False,
) -> None:
    """Run the scheduled jobs until SIGTERM or Ctrl-C.

    Several workers may run, on one machine or on many: one leads, the others take over within seconds when it is
    gone. Ends within five seconds; a page under way is finished or rolled back, and nothing is half done.
    """
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    # Before the database is opened: whoever starts it leaves these handlers as they are.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    if not _work(stop):
        # Some run hangs in a foreign library; its transaction ends with its connection, which ends with us.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(0)


def _work(stop: threading.Event) -> bool:
    from api.context import open_context
    from api.settings import Settings
    from api.worker import Worker, running_bell
    from ingest.forms import published_forms

    with (
        open_context(Settings(), progress=lambda text: typer.echo(text, err=True)) as context,
        running_bell(context),
    ):
        worker = Worker(context)
        worker.start()
        # Compiling the forms takes seconds; the first arrival must not wait for it.
        code = context.governorate.code
        threading.Thread(target=published_forms, args=(code,), daemon=True).start()
        while not stop.wait(0.5):
            pass
        return worker.stop()
