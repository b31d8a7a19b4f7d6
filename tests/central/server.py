"""A small stand-in for ODK Central: the answers that the ingester asks for, over real HTTP.

Its statuses, error bodies and shapes are compared with recorded answers of a real Central in
tests/integration/test_sync_stand_in.py.
"""

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tests.central.faults import FaultyWire
from tests.central.store import Store, feed_row, index_row, stamp

ID_CLAUSE = re.compile(r"__id eq '((?:[^']|'')*)'")
FIELD = re.compile(r"\s*([\w$/]+)")
FILTER_FIELDS = ("__id", "__system/")


class CentralProblemError(Exception):
    """An error as Central words it."""

    def __init__(self, code: float, message: str, details: Any = None) -> None:
        self.code, self.message, self.details = code, message, details
        super().__init__(message)


def make_app(store: Store) -> FastAPI:
    app = FastAPI()

    @app.exception_handler(CentralProblemError)
    def problem(_: Request, error: CentralProblemError) -> JSONResponse:
        body = {"message": error.message, "code": error.code}
        if error.details is not None:
            body["details"] = error.details
        return JSONResponse(body, int(error.code))

    def enter(request: Request, form_id: str | None = None, project_id: int | None = None) -> None:
        """Log, fail where the script says so, and check the session."""
        path = request.url.path
        store.requests.append(f"{request.method} {path}")
        for part, status in store.broken.items():
            if part in path:
                raise CentralProblemError(status + 0.1, "Completely unhandled exception: x")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in store.tokens:
            raise CentralProblemError(401.2, "Could not authenticate with the provided credentials.")
        if project_id not in {None, store.project_id} or form_id not in {None, *store.forms}:
            raise CentralProblemError(404.1, "Could not find the resource you were looking for.")

    @app.post("/v1/sessions")
    async def sign_in(request: Request) -> Response:
        store.requests.append("POST /v1/sessions")
        body = await request.json()
        if store.accounts.get(body["email"]) != body["password"]:
            raise CentralProblemError(401.2, "Could not authenticate with the provided credentials.")
        token = secrets.token_hex(32)
        store.tokens.add(token)
        now = stamp(store.now())
        return JSONResponse({"token": token, "csrf": "x", "expiresAt": now, "createdAt": now})

    @app.get("/v1/users/current")
    def user(request: Request) -> Response:
        enter(request)
        at = {"lastLoginAt": stamp(store.now()), "createdAt": stamp(store.now())}
        nulls = {"updatedAt": None, "deletedAt": None}
        who = {"email": "reader@example.org", "id": 5, "type": "user", "displayName": "Reader"}
        return JSONResponse(who | at | nulls)

    @app.get("/v1/projects/{project_id}/forms")
    def forms(request: Request, project_id: int) -> Response:
        enter(request, project_id=project_id)
        return JSONResponse([{"projectId": project_id, "xmlFormId": form_id} for form_id in store.forms])

    @app.get("/v1/projects/{project_id}/forms/{form_id}/submissions")
    def index(request: Request, project_id: int, form_id: str, deleted: bool = False) -> Response:
        enter(request, form_id, project_id)
        etag = store.etag(form_id)
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        rows = [index_row(entry) for entry in store.listed(form_id, deleted=deleted)]
        return JSONResponse(rows, headers={"ETag": etag})

    @app.get("/v1/projects/{project_id}/forms/{form_id}.svc/Submissions")
    def feed(request: Request, project_id: int, form_id: str) -> Response:
        enter(request, form_id, project_id)
        return _feed(store, request, form_id)

    return app


def _feed(store: Store, request: Request, form_id: str) -> Response:
    asked = dict(request.query_params)
    if "$orderby" in asked and "$skiptoken" in asked:
        feature = "using $orderby and $skiptoken together"
        raise CentralProblemError(
            501.1, f"The requested feature {feature} is not supported by this server.", {"feature": feature}
        )
    entries = store.listed(form_id)
    if "$filter" in asked:
        wanted = _ids(asked["$filter"])
        entries = [entry for entry in entries if entry.root in wanted]
    count = len(entries)
    if "$skiptoken" in asked:
        last = _from_token(asked["$skiptoken"])
        at = next((i for i, entry in enumerate(entries) if entry.root == last), len(entries))
        entries = entries[at + 1 :]
    top = int(asked.get("$top", store.page_limit or len(entries) or 1))
    page, rest = entries[:top], entries[top:]
    context = f"{store.public_url}/v1/projects/{store.project_id}/forms/{form_id}.svc"
    body: dict[str, Any] = {
        "value": [feed_row(entry, expand=asked.get("$expand") == "*") for entry in page],
        "@odata.context": f"{context}/$metadata#Submissions",
    }
    if asked.get("$count") == "true":
        body["@odata.count"] = count
    if rest:
        token = _token(page[-1].root)
        body["@odata.nextLink"] = f"{context}/Submissions?{urlencode(asked | {'$skiptoken': token})}"
    # ASCII, so that a row may hold what UTF-8 cannot.
    return Response(json.dumps(body), media_type="application/json", headers={"ETag": store.etag(form_id)})


def _ids(choice: str) -> set[str]:
    """Read the ids of `__id eq 'a' or __id eq 'b'`; what Central refuses is refused the same way."""
    ids = set()
    for clause in choice.split(" or "):
        found = ID_CLAUSE.fullmatch(clause.strip())
        if found:
            ids.add(found[1].replace("''", "'"))
            continue
        name = FIELD.match(clause)
        if name and not name[1].startswith(FILTER_FIELDS):
            at = choice.index(name[1])
            raise CentralProblemError(
                501.5,
                "The given OData filter expression references fields not supported by this server: "
                f"{name[1]} at {at}",
                {"at": at, "text": name[1]},
            )
        reason = "Unexpected character at 23"
        raise CentralProblemError(
            400.18,
            f"The OData filter expression you provided could not be parsed: {reason}",
            {"reason": reason},
        )
    return ids


def _token(root: str) -> str:
    return "01" + base64.b64encode(json.dumps({"instanceId": root}).encode()).decode()


def _from_token(token: str) -> str:
    try:
        return str(json.loads(base64.b64decode(token.removeprefix("01"), validate=True))["instanceId"])
    except (ValueError, KeyError):
        raise CentralProblemError(400.35, "Invalid $skiptoken") from None


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
