"""Replays the recorded history against a Central: the stand-in, or a real one.

What differs between two servers is put in place of what was recorded: ids of projects and users, tokens,
UUIDs (entities' are unique on a whole server), ETags and instants.
"""

import base64
import io
import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests
from pyxform.xls2xform import convert

from tests.central.recorded import RECORDINGS, exchanges

V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SKIPTOKEN = re.compile(r"(skiptoken=)01([A-Za-z0-9+/]+(?:%3D|=)*)")
INSTANT = re.compile(r"(lt\+)?2026-11-23T\d\d(?::|%3A)\d\d(?::|%3A)\d\d(?:\.\d+)?Z")
END = "lt+2099-01-01T00%3A00%3A00Z"
PUBLIC = "https://central.example.org"
PHOTO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WORKBOOKS = {
    6428: "confidential_note",
    8661: "returnee_assessment",
    8733: "returnee_assessment_v2",
    7211: "returnee_followup",
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NO_UUID = "00000000-0000-4000-8000-0000"
COLLECT = {"X-OpenRosa-Version": "1.0", "User-Agent": "org.odk.collect.android/v2026.1.2"}

LEARNT = {"project-create", "app-users-create-pyodk-step2", "app-users-create-pyodk-step3"}


@dataclass
class Replay:
    """One run of the history. `settle`: let the server's workers do what they have to."""

    url: str
    email: str
    password: str
    settle: Callable[[], None]
    viewer: Callable[["Replay"], str]
    answers: dict[str, requests.Response] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    """What was recorded -> what it is here."""
    etags: dict[str, str] = field(default_factory=dict)
    converted: set[str] = field(default_factory=set)
    """Where an XForm was sent in place of a workbook."""
    since: str = "2026-01-01T00:00:00.000Z"
    token: str = ""
    web: requests.Session = field(default_factory=requests.Session)

    def sign_in(self, email: str | None = None) -> str:
        body = {"email": email or self.email, "password": self.password}
        answer = self.web.post(f"{self.url}/v1/sessions", json=body, timeout=20)
        return str(answer.json()["token"])

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Make an exchange that was not recorded, as the administrator; it must succeed."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        answer = self.web.request(
            method, f"{self.url}/v1/{self.put_in(path)}", headers=headers, timeout=30, **options
        )
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer

    def put_in(self, text: str) -> str:
        """Put what is known here in place of what was recorded."""
        text = SKIPTOKEN.sub(lambda found: found[1] + self._skip_token(found[2]), text)
        text = V4.sub(self._own_uuid, text)
        for word, own in self.words.items():
            text = re.sub(word, own.replace("\\", "\\\\"), text)
        return text.replace(PUBLIC, self.url)

    def _own_uuid(self, found: re.Match[str]) -> str:
        if found[0].startswith(NO_UUID):
            return found[0]
        return self.words.setdefault(found[0], str(uuid.uuid4()))

    def _skip_token(self, token: str) -> str:
        text = base64.b64decode(token.replace("%3D", "=") + "==").decode()
        return "01" + base64.b64encode(self.put_in(text).encode()).decode().replace("=", "%3D")

    def play(self, name: str) -> None:
        """Make a recorded exchange here."""
        request = exchanges()[name]["request"]
        url = self.put_in(request["url"])
        url = INSTANT.sub(lambda found: END if found[1] else self.since.replace(":", "%3A"), url)
        headers = dict(request["headers"])
        if not any(part in url for part in ("/key/", "/sessions")) or request["method"] == "DELETE":
            headers["Authorization"] = self._authorization(name)
        if "If-None-Match" in headers:
            headers["If-None-Match"] = self.etags.get(headers["If-None-Match"], headers["If-None-Match"])
        data, files = self._body(name, request, headers)
        send = partial(self.web.request, request["method"], self.url + url, timeout=30, allow_redirects=False)
        answer = send(headers=headers, data=data, files=files)
        if (
            "XLSForm conversion service" in answer.text[:200]
        ):  # a Central without it: only the XForm can be sent
            answer = send(headers=headers | {"Content-Type": "application/xml"}, data=to_xform(data))
            self.converted.add(name)
        self.answers[name] = answer
        told = exchanges()[name]["response"]["headers"].get("ETag")
        if told and "ETag" in answer.headers:
            self.etags[told] = answer.headers["ETag"]

    def _authorization(self, name: str) -> str:
        if name == "basic-auth-over-plain-http":
            return "Basic " + base64.b64encode(f"{self.email}:{self.password}".encode()).decode()
        if name in {"bearer-invalid-or-expired", "after-logout-or-expiry"}:
            return f"Bearer {'x' * 64}"
        return f"Bearer {self.viewer(self) if name == 'viewer-review-refused' else self.token}"

    def _body(self, name: str, request: dict[str, Any], headers: dict[str, str]) -> tuple[Any, Any]:
        """Return the body, or the parts of one, as it is sent here."""
        text, note = request.get("body_text"), request.get("body_note", "")
        if headers.get("Content-Type", "").startswith("multipart/"):
            del headers["Content-Type"]
            return None, self._parts(text)
        body = None
        if "body_json" in request:
            told = request["body_json"]
            if "password" in told:
                password = self.password if told["password"] == "PASSWORD" else told["password"]
                told = {"email": self.email, "password": password}
            body = self.put_in(json.dumps(told)).encode()
        elif text is not None:
            # One that ends so was too long to be recorded.
            body = (_assessment(name) if text.endswith("…") else self.put_in(text)).encode()
        elif note.endswith(XLSX):
            body = (RECORDINGS / f"{WORKBOOKS[int(note.split()[0])]}.xlsx").read_bytes()
        elif "districts.csv" in request["url"] and request["method"] == "POST":
            body = (RECORDINGS / "districts.csv").read_bytes()
        return body, None

    def _parts(self, text: str) -> dict[str, Any]:
        """Make the parts of a multipart body anew, photos invented."""
        parts: dict[str, Any] = {}
        boundary = text.split("\r\n", 1)[0]
        for part in text.split(boundary)[1:-1]:
            head, _, body = part.strip("\r\n").partition("\r\n\r\n")
            name = re.findall(r'name="([^"]*)"', head)[0]
            is_xml = name == "xml_submission_file"
            content = self.put_in(body).encode() if is_xml else PHOTO
            filename = (re.findall(r'filename="([^"]*)"', head) or [name])[0]
            parts[name] = (filename, content, "text/xml" if is_xml else "image/jpeg")
        return parts

    # What was not recorded, but happened.

    def learn(self, name: str) -> None:
        """Learn an id or a token from the answer just given."""
        row = self.answers[name].json()
        if name == "project-create":
            self.words |= {r"/projects/1(?=/|$|\?)": f"/projects/{row['id']}"}
        elif name in {"app-users-create-pyodk-step2", "app-users-create-pyodk-step3"}:
            number = int(name[-1]) - 1
            self.words[f"APP_USER_TOKEN_{number}"] = row["token"]
            old = 7 + number
            self.words |= {
                rf"assignments/2/{old}$": f"assignments/2/{row['id']}",
                rf"app-users/{old}$": f"app-users/{row['id']}",
            }

    def send(self, form_id: str, body: str, tablet: str = "1", **photos: bytes) -> None:
        """Send as ODK Collect does."""
        parts: dict[str, Any] = {"xml_submission_file": ("s.xml", self.put_in(body).encode(), "text/xml")}
        parts |= {name: (name, content, "image/jpeg") for name, content in photos.items()}
        path = f"key/APP_USER_TOKEN_{tablet}/projects/1/submission"
        url = f"{self.url}/v1{self.put_in('/' + path)}"
        answer = self.web.post(url, files=parts, headers=COLLECT, timeout=30)
        assert answer.status_code == 201, (form_id, answer.text)

    def follow_up(
        self, entity: str, status: str, *, tablet: str = "1", branch: str | None, root: str
    ) -> None:
        """Send a follow-up that an officer filled in away from the network, based on version 1."""
        line = f'trunkVersion="1" branchId="{branch}"' if branch else 'trunkVersion="" branchId=""'
        self.send(
            "returnee_followup",
            "<?xml version='1.0'?><data xmlns:orx='http://openrosa.org/xforms' id='returnee_followup' "
            f"version='2026111501'><returnee>{entity}</returnee><referral_status>{status}</referral_status>"
            "<visit_date>2026-11-21</visit_date><meta>"
            f'<entity dataset="returnees" update="1" baseVersion="1" {line} id="{entity}"/>'
            f"<instanceID>{root}</instanceID></meta></data>",
            tablet,
        )
        self.settle()


def play_all(replay: Replay, script: Sequence[str | Callable[[Replay], None]]) -> None:
    """Play a script; its answers stand in `replay.answers` afterwards."""
    replay.token = replay.sign_in()
    for step in script:
        if not isinstance(step, str):
            step(replay)
            continue
        replay.play(step)
        if step in LEARNT:
            replay.learn(step)


def _assessment(name: str) -> str:
    """The form that was sent: as it is, a question named after a repeat, or a number that turned into text."""
    xform = to_xform((RECORDINGS / "returnee_assessment.xlsx").read_bytes()).decode()
    if name == "form-draft-type-change":
        return xform.replace('type="int"', 'type="string"').replace("2026111501", "2026113001")
    if name == "form-create-entity-prefix-collision":
        xform = xform.replace("returnee_assessment", "prefix_collision")
        return xform.replace("household_size", "member_count")
    return xform


def to_xform(workbook: bytes) -> bytes:
    return str(convert(io.BytesIO(workbook), form_name="data").xform).encode()
