"""OpenRosa intake: durable posts a second at some connections, beside a real ODK Central on the same machine."""

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.parse import urlsplit

import requests

from api.context import AppContext
from benchmarks.ingest.installation import add_tablets
from benchmarks.ingest.people import make_xml
from ingest.forms import published_forms

FORM = "needs_assessment"
BOUNDARY = "----ihala-bench"
SERVE = "import sys; from api.cli import main; sys.argv[1:] = ['serve', '--no-scheduler']; main()"


@dataclass(frozen=True)
class Intake:
    """What one round of posts gave. Milliseconds are a post's own, answered; `load` is the machine's before."""

    who: str
    posts: int
    durable: int
    a_second: float
    median_ms: float
    p95_ms: float
    load: float


@contextmanager
def serving(context: AppContext) -> Iterator[int]:
    """Run `ihala serve` as a process of its own over the installation; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IHALA_")}
    environment |= {"IHALA_DATA_FOLDER": str(context.settings.data_folder), "IHALA_PORT": str(port)}
    server = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
        [sys.executable, "-c", SERVE], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError("The web server did not start.") from None
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def measure_ihala(context: AppContext, posts: int, connections: int, rounds: int, seed: int) -> list[Intake]:
    """Post to `ihala serve`, each round other people; counts what stands in the database afterwards."""
    tokens = add_tablets(context, connections)
    measured = []
    with serving(context) as port:
        paths = [f"/openrosa/{token}/submission" for token in tokens]
        _round("warm", "127.0.0.1", port, paths, make_xml(200, seed - 1), connections)
        for number in range(rounds):
            xml = make_xml(posts, seed + number)
            before = _count(context)
            one = _round("ihala", "127.0.0.1", port, paths, xml, connections)
            measured.append(_with_durable(one, _count(context) - before))
    return measured


def measure_central(central: "PeerCentral", posts: int, connections: int, seed: int) -> Intake:
    """Post the same kind of submissions to a real Central."""
    parts = urlsplit(central.url)
    path = f"/v1/key/{central.key}/projects/{central.project_id}/submission"
    host, port = str(parts.hostname), parts.port or 80
    _round("warm", host, port, [path], make_xml(50, seed - 1), connections)
    before = central.count()
    one = _round("ODK Central", host, port, [path], make_xml(posts, seed), connections)
    return _with_durable(one, central.count() - before)


class PeerCentral:
    """A project of the bench's own in a real Central, with our form and one app user."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url, self.http = url, requests.Session()
        token = self.call("POST", "sessions", json={"email": email, "password": password})["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        name = f"bench {secrets.token_hex(3)}"
        self.project_id: int = self.call("POST", "projects", json={"name": name})["id"]
        xml = published_forms("nineveh")[FORM].xml.encode()
        headers = {"Content-Type": "application/xml"}
        address = f"projects/{self.project_id}/forms?publish=true&ignoreWarnings=true"
        self.call("POST", address, data=xml, headers=headers)
        user = self.call("POST", f"projects/{self.project_id}/app-users", json={"displayName": "Tablet"})
        self.key: str = user["token"]
        self.call("POST", f"projects/{self.project_id}/forms/{FORM}/assignments/2/{user['id']}")

    def call(self, method: str, path: str, **options: object) -> dict[str, object]:
        """Ask Central. Raises requests.HTTPError."""
        answer = self.http.request(method, f"{self.url}/v1/{path}", timeout=60, **options)  # type: ignore[arg-type]
        answer.raise_for_status()
        row: dict[str, object] = answer.json()
        return row

    def count(self) -> int:
        """How many submissions the form has."""
        path = f"projects/{self.project_id}/forms/{FORM}.svc/Submissions?%24top=0&%24count=true"
        return int(str(self.call("GET", path)["@odata.count"]))


def as_request(host: str, path: str, xml: bytes) -> bytes:
    """Write a whole HTTP request as ODK Collect posts a submission without photos."""
    disposition = 'form-data; name="xml_submission_file"; filename="submission.xml"'
    body = (
        f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: text/xml\r\n\r\n".encode()
        + xml
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    head = (
        f"POST {path}?deviceID=collect%3Abench HTTP/1.1\r\nHost: {host}\r\nX-OpenRosa-Version: 1.0\r\n"
        "X-Forwarded-Proto: https\r\n"
        "User-Agent: org.odk.collect.android/v2026.1.2\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _round(who: str, host: str, port: int, paths: list[str], xml: list[bytes], connections: int) -> Intake:
    bodies = [as_request(host, paths[number % len(paths)], one) for number, one in enumerate(xml)]
    plan = {
        "host": host,
        "port": port,
        "connections": connections,
        "requests": [base64.b64encode(body).decode() for body in bodies],
    }
    load = os.getloadavg()[0]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest.tablets"],
        input=json.dumps(plan).encode(),
        capture_output=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    refused = {status: number for status, number in told["statuses"].items() if int(status) != 201}
    if refused:
        raise RuntimeError(f"{who} answered otherwise than 201: {refused}")
    times = told["milliseconds"]
    p95 = quantiles(times, n=20)[-1]
    return Intake(who, len(xml), len(xml), len(xml) / told["seconds"], median(times), p95, load)


def _with_durable(one: Intake, durable: int) -> Intake:
    if durable != one.posts:
        raise RuntimeError(f"{one.who} answered {one.posts} posts with 201 and holds {durable}.")
    return one


def _count(context: AppContext) -> int:
    from db.session import session_scope
    from db.submissions import count_by_status

    with session_scope(context.engine) as session:
        return sum(count_by_status(session, context.governorate.code).values())
