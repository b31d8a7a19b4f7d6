"""What happens to a form in Central, through its own API: the same against the stand-in and a real one."""

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import requests

from tests.unit.ingest.invented import new_instance_id

FORM_XML = """<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms"><h:head><h:title>Sync check</h:title>
<model><instance><data id="{form}" version="{version}"><given-name/><age.years/><house><size/><member jr:template="">
<name/></member></house><photo/><meta><instanceID/></meta></data></instance>
<bind nodeset="/data/given-name" type="string"/><bind nodeset="/data/age.years" type="{age}"/>
<bind nodeset="/data/house/size" type="int"/><bind nodeset="/data/house/member/name" type="string"/>
<bind nodeset="/data/photo" type="binary"/><bind nodeset="/data/meta/instanceID" type="string" readonly="true()"/>
</model></h:head><h:body><input ref="/data/given-name"><label>N</label></input><input ref="/data/age.years">
<label>A</label></input><group ref="/data/house"><label>H</label><input ref="/data/house/size"><label>S</label></input>
<group ref="/data/house/member"><label>M</label><repeat nodeset="/data/house/member">
<input ref="/data/house/member/name"><label>N</label></input></repeat></group></group>
<upload ref="/data/photo" mediatype="image/*"><label>P</label></upload></h:body></h:html>"""


@dataclass
class Central:
    """A Central and an administrator's session in it; `project_id` and `form_id` are this test's own."""

    url: str
    email: str
    password: str = field(repr=False)
    project_id: int = 0
    form_id: str = ""
    http: requests.Session = field(default_factory=requests.Session, repr=False)
    key: str = field(default="", repr=False)

    def prepare(self, project: str) -> None:
        """Sign in; make a project, a form and a tablet's app user."""
        token = self.call("POST", "sessions", json={"email": self.email, "password": self.password})["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.project_id = self.call("POST", "projects", json={"name": project})["id"]
        self.form_id = f"sync_check_{secrets.token_hex(3)}"
        self.publish("1", "int")
        user = self.call("POST", self.path("app-users"), json={"displayName": "Tablet"})
        self.key = user["token"]
        self.call("POST", f"{self.form()}/assignments/2/{user['id']}")

    def publish(self, version: str, age: str) -> None:
        """Publish a version of the form; `age`: the type of a question."""
        xml = FORM_XML.format(form=self.form_id, version=version, age=age)
        headers = {"Content-Type": "application/xml"}
        if version == "1":
            self.call("POST", self.path("forms?publish=true"), data=xml.encode(), headers=headers)
            return
        self.call("POST", f"{self.form()}/draft?ignoreWarnings=true", data=xml.encode(), headers=headers)
        self.call("POST", f"{self.form()}/draft/publish")

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/v1/{path}", timeout=20, **options)
        assert answer.status_code in {200, 201}, (method, path, answer.status_code, answer.text)
        kind = answer.headers.get("Content-Type", "")
        return answer.json() if "json" in kind else answer.content

    def path(self, rest: str) -> str:
        return f"projects/{self.project_id}/{rest}"

    def form(self) -> str:
        return self.path(f"forms/{self.form_id}")

    def one(self, root: str) -> str:
        return f"{self.form()}/submissions/{quote(root, safe='')}"

    # Acts

    def submit(
        self, *, photo: str | None = None, file: bytes | None = None, xml: bytes | None = None, **answers: Any
    ) -> tuple[str, bytes]:
        """Send as a tablet does: the same XML once more brings the photo."""
        root = new_instance_id()
        xml = xml or self.xml(root, photo=photo, **answers)
        parts = {"xml_submission_file": ("submission.xml", xml, "text/xml")}
        if photo is not None and file is not None:
            parts[photo] = (photo, file, "image/jpeg")
        headers = {"X-OpenRosa-Version": "1.0"}
        url = f"{self.url}/v1/key/{self.key}/projects/{self.project_id}/submission"
        answer = requests.post(url, files=parts, headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        return root, xml

    def xml(
        self,
        instance_id: str | None,
        deprecated: str | None = None,
        *,
        photo: str | None = None,
        name: str = "وردة",
        age: str = "34",
        members: tuple[str, ...] = ("نور",),
        version: str = "1",
    ) -> bytes:
        rows = "".join(f"<member><name>{escape(one)}</name></member>" for one in members)
        meta = f"<instanceID>{instance_id}</instanceID>" if instance_id else ""
        meta += f"<deprecatedID>{deprecated}</deprecatedID>" if deprecated else ""
        house = f"<house><size>{len(members)}</size>{rows}</house>"
        return (
            f'<data id="{self.form_id}" version="{version}"><given-name>{escape(name)}</given-name>'
            f"<age.years>{age}</age.years>{house}<photo>{photo or ''}</photo><meta>{meta}</meta></data>"
        ).encode()

    def edit(self, root: str, deprecated: str, **answers: Any) -> str:
        instance_id = new_instance_id()
        body = self.xml(instance_id, deprecated, **answers)
        self.call("PUT", self.one(root), data=body, headers={"Content-Type": "text/xml"})
        return instance_id

    def delete(self, root: str) -> None:
        self.call("DELETE", self.one(root))

    def restore(self, root: str) -> None:
        self.call("POST", f"{self.one(root)}/restore")

    def review(self, root: str, state: str) -> None:
        self.call("PATCH", self.one(root), json={"reviewState": state})

    # What it holds

    def listed(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("GET", f"{self.form()}/submissions")
        return rows

    def versions(self, root: str) -> list[str]:
        """Instance ids, oldest first."""
        return [row["instanceId"] for row in reversed(self.call("GET", f"{self.one(root)}/versions"))]

    def version_xml(self, root: str, instance_id: str) -> bytes:
        content: bytes = self.call("GET", f"{self.one(root)}/versions/{quote(instance_id, safe='')}.xml")
        return content

    def files(self, root: str, instance_id: str) -> dict[str, bytes]:
        path = f"{self.one(root)}/versions/{quote(instance_id, safe='')}/attachments"
        there = [row["name"] for row in self.call("GET", path) if row["exists"]]
        return {name: self.call("GET", f"{path}/{name}") for name in there}
