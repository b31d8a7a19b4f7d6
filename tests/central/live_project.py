"""A project of a test's own on a real Central, seen by an administrator: made, encrypted and filled."""

import os
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from ingest.forms import published_forms
from tests.central.encrypter import encrypt_submission
from tests.unit.ingest.invented import new_instance_id, to_xml

FORM = "needs_assessment"
PASSPHRASE = "a passphrase of a test"
SETTINGS = ("IHALA_TEST_CENTRAL_URL", "IHALA_TEST_CENTRAL_EMAIL", "IHALA_TEST_CENTRAL_PASSWORD")


def is_configured() -> bool:
    return all(os.environ.get(name) for name in SETTINGS)


@dataclass
class LiveProject:
    """One project with the published needs assessment, as an administrator sees it."""

    url: str
    email: str
    password: str
    project_id: int = 0
    session: requests.Session = field(default_factory=requests.Session)
    form_version: str = ""

    @classmethod
    def create(cls, name: str) -> "LiveProject":
        project = cls(*(os.environ[setting] for setting in SETTINGS))
        told = project.session.post(
            f"{project.url}/v1/sessions",
            json={"email": project.email, "password": project.password},
            timeout=30,
        )
        told.raise_for_status()
        project.session.headers["Authorization"] = f"Bearer {told.json()['token']}"
        project.project_id = project.ask("POST", "/v1/projects", json={"name": name})["id"]
        return project

    def ask(self, method: str, path: str, **options: Any) -> Any:
        response = self.session.request(method, f"{self.url}{path}", timeout=60, **options)
        assert response.ok, (method, path, response.status_code, response.text[:300])
        return response.json() if "json" in response.headers.get("Content-Type", "") else response.content

    def path(self, tail: str = "") -> str:
        return f"/v1/projects/{self.project_id}{tail}"

    def form(self, tail: str = "") -> str:
        return self.path(f"/forms/{FORM}{tail}")

    def publish(self, xml: str | None = None) -> None:
        """Publish the form; another version of it where it is there already."""
        headers = {"Content-Type": "application/xml"}
        form = published_forms("nineveh")[FORM]
        body = (xml or form.xml).encode()
        there = self.session.get(f"{self.url}{self.form()}", timeout=60).ok
        if not there:
            path = f"{self.path('/forms')}?ignoreWarnings=true&publish=false"
        else:
            path = f"{self.form('/draft')}?ignoreWarnings=true"
        self.ask("POST", path, data=body, headers=headers)
        for name, content in form.media.items():
            self.ask("POST", self.form(f"/draft/attachments/{quote(name)}"), data=content)
        self.ask("POST", self.form("/draft/publish"))
        self.form_version = self.ask("GET", self.form())["version"]

    def encrypt(self, passphrase: str = PASSPHRASE) -> None:
        """Turn managed encryption on, for good."""
        self.ask("POST", self.path("/key"), json={"passphrase": passphrase, "hint": "in the test"})
        if self.session.get(f"{self.url}{self.form()}", timeout=60).ok:
            self.form_version = self.ask("GET", self.form())["version"]

    def add_viewer(self) -> tuple[str, str]:
        """Make a web user who may only read this project; returns address and password."""
        email, password = f"viewer-{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(16)
        user = self.ask("POST", "/v1/users", json={"email": email, "password": password})
        self.ask("POST", self.path(f"/assignments/viewer/{user['id']}"))
        return email, password

    def public_key(self) -> str:
        xml = self.ask("GET", self.form(".xml")).decode()
        return str(xml.partition('base64RsaPublicKey="')[2].partition('"')[0])

    def submit(
        self,
        tree: dict[str, Any],
        *,
        encrypted: bool = True,
        instance_id: str | None = None,
        deprecated_id: str | None = None,
        files: dict[str, bytes] | None = None,
        send_content: bool = True,
        spoil: bool = False,
    ) -> str:
        """Send a submission, or an edit, as Collect does; returns its instance id."""
        instance_id = instance_id or new_instance_id()
        xml = to_xml(tree, instance_id=instance_id, deprecated_id=deprecated_id, version=self.form_version)
        sent = dict(files or {})
        if encrypted:
            xml, sent = encrypt_submission(
                xml,
                self.public_key(),
                form_id=FORM,
                version=self.form_version,
                instance_id=instance_id,
                deprecated_id=deprecated_id,
                files=files,
            )
            if spoil:
                sent["submission.xml.enc"] = sent["submission.xml.enc"][:-7]
        if not send_content:
            sent.pop("submission.xml.enc", None)
        self.send(xml, sent)
        return instance_id

    def send(self, xml: bytes, files: dict[str, bytes]) -> None:
        parts = {"xml_submission_file": ("submission.xml", xml, "text/xml")}
        parts |= {name: (name, content, "application/octet-stream") for name, content in files.items()}
        self.ask("POST", self.path("/submission"), files=parts, headers={"X-OpenRosa-Version": "1.0"})
