"""A small stand-in for ODK Central: the answers that Ihala asks for, over real HTTP.

`store` holds its state, each module here answers for one noun. What a real Central answered is recorded in
`recordings`, and tests/integration/test_sync_stand_in.py compares the two.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tests.central import (
    accounts,
    app_users,
    datasets,
    entities,
    exports,
    feeds,
    forms,
    openrosa,
    submissions,
    version_files,
)
from tests.central.faults import FaultyWire
from tests.central.gate import Gate
from tests.central.problems import CentralProblemError, not_found
from tests.central.store import Store

NOUNS = (accounts, app_users, exports, feeds, version_files, submissions, datasets, entities, openrosa, forms)
"""In this order: `forms/x.svc` and `forms/x/submissions.csv` must not be taken for a form or a submission."""


def make_app(store: Store) -> FastAPI:
    app, gate = FastAPI(), Gate(store)

    @app.exception_handler(CentralProblemError)
    def problem(_: Request, error: CentralProblemError) -> JSONResponse:
        return JSONResponse(error.body(), int(error.code))

    @app.exception_handler(HTTPException)
    def no_route(_: Request, __: HTTPException) -> JSONResponse:
        return JSONResponse(not_found().body(), 404)

    for noun in NOUNS:
        app.include_router(noun.make_router(store, gate))
    return app


@contextmanager
def running(store: Store) -> Iterator[str]:
    """Serve a store on a free port for the block; yields its address."""
    server = uvicorn.Server(
        uvicorn.Config(
            FaultyWire(make_app(store), store),
            host="127.0.0.1",
            port=0,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            date_header=False,
            server_header=False,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
