"""The history in which the recordings were made, in its order, with what was done in between."""

from collections.abc import Callable

from tests.central.recorded import exchanges
from tests.central.replay import PHOTO, Replay

Step = str | Callable[[Replay], None]

FIRST, SECOND = "1e2feb89-414c-443c-9027-c4d1c386bbc4", "5c6e4337-15ba-4bdd-9772-19d30e7a269f"
LATE = "6513270e-269e-4d37-b2a7-4de452e6b438"
LATE_PHOTO = "1763629865999.jpg"


def settle(replay: Replay) -> None:
    replay.settle()


def learn_made_id(replay: Replay) -> None:
    """The submission without an id got one from Central, without the prefix."""
    rows = replay.call("GET", f"{own(replay)}/forms/returnee_assessment/submissions")
    made = next(row["instanceId"] for row in rows.json() if not row["instanceId"].startswith("uuid:"))
    replay.words["a321ce5f-2d0c-4ad6-b6f2-f9cce2dbb2aa"] = made


def own(replay: Replay) -> str:
    """The path of the project here."""
    return replay.put_in("/projects/1")[1:]


def remember_time(replay: Replay) -> None:
    """Filter from the last submission on."""
    path = f"{own(replay)}/forms/returnee_assessment/submissions"
    replay.since = str(replay.call("GET", path).json()[0]["createdAt"])


def begin_of_time(replay: Replay) -> None:
    replay.since = "2026-01-01T00:00:00.000Z"


def send_without_photo(replay: Replay) -> None:
    replay.send("returnee_assessment", late_xml())


def late_xml() -> str:
    """A submission like the one whose photo was missing, with ids of its own."""
    text = exchanges()["submission-post-photo-missing"]["request"]["body_text"]
    start, end = text.index("<?xml"), text.index("</data>") + 7
    xml = text[start:end].replace("d95bafc8-f2a4-427b-9cf4-bb99f4bea973", LATE)
    photo = xml.split("<document_photo>")[1].split("<")[0]
    return xml.replace(SECOND, "d23f0824-128b-4f33-8c5c-7fd0a6a3a450").replace(photo, LATE_PHOTO)


def send_late_photo(replay: Replay) -> None:
    replay.send("returnee_assessment", late_xml(), **{LATE_PHOTO: PHOTO})


def fill_lists(replay: Replay) -> None:
    """Properties that were made without being recorded."""
    for name in ("name_ar", "category", "geometry", "capacity"):
        body = {"name": name}
        replay.call("POST", f"{own(replay)}/datasets/service_providers/properties", json=body)
    replay.call("POST", f"{own(replay)}/datasets/returnees/properties", json={"name": "referral_code"})


def follow_up(replay: Replay) -> None:
    branch = "d2ccf8b4-377e-4f7e-b1ce-42886d21cd72"
    replay.follow_up(FIRST, "accepted", branch=branch, root="uuid:0c9a57c1-5d0c-4c73-8d43-3a9e5cf1b001")


def follow_up_late(replay: Replay) -> None:
    branch = "15d309ce-5761-4d46-aea0-8288513bbf62"
    root = "uuid:0c9a57c1-5d0c-4c73-8d43-3a9e5cf1b002"
    replay.follow_up(FIRST, "declined", tablet="2", branch=branch, root=root)


def write_other_properties(replay: Replay) -> None:
    path = f"{own(replay)}/datasets/returnees/entities/{SECOND}?baseVersion=1"
    data = {"referral_provider": "PRV-0007", "referral_code": "REF-2026-000123"}
    replay.call("PATCH", path, json={"data": data})
    branch, root = "6197bd86-01e0-4521-8c90-bdeeb89f0c88", "uuid:0c9a57c1-5d0c-4c73-8d43-3a9e5cf1b003"
    replay.follow_up(SECOND, "served", branch=branch, root=root)


def follow_up_of_nobody(replay: Replay) -> None:
    """Held where the device says that it made the entity itself, else an error."""
    root = "uuid:a3cd726c-4487-4ea4-8c7d-1ebb9d5abbb6"
    replay.follow_up("2b7ea271-c7e9-4e7b-970c-17b23bc0abaf", "served", branch=LATE, root=root)
    root = "uuid:904f14db-77ae-4c40-a5b6-f19e6a369f31"
    replay.follow_up("1a7ea271-c7e9-4e7b-970c-17b23bc0abaf", "served", branch=None, root=root)


def list_follow_ups(replay: Replay) -> None:
    answer = replay.call("GET", f"{own(replay)}/forms/returnee_followup/submissions")
    told = exchanges()["submissions-list-not-modified"]["request"]["headers"]["If-None-Match"]
    replay.etags[told] = answer.headers["ETag"]


def learn_media_etag(replay: Replay) -> None:
    told = exchanges()["media-entity-list-csv-not-modified"]["request"]["headers"]["If-None-Match"]
    replay.etags[told] = replay.answers["media-entity-list-csv"].headers["ETag"]


def hire_a_leaver(replay: Replay) -> None:
    row = replay.call("POST", f"{own(replay)}/app-users", json={"displayName": "Leaver"}).json()
    replay.words["APP_USER_TOKEN_4"] = row["token"]


def drop_draft_and_filter(replay: Replay) -> None:
    replay.call("DELETE", f"{own(replay)}/forms/returnee_assessment/draft")
    replay.call("PATCH", f"{own(replay)}/datasets/returnees", json={"accessFilter": None})


def second_project(replay: Replay) -> None:
    row = replay.call("POST", "projects", json={"name": "Confidential"}).json()
    replay.words[r"/projects/2(?=/|$|\?)"] = f"/projects/{row['id']}"


HISTORY: tuple[Step, ...] = (
    # Who may, and where
    *("login-sessions", "login-wrong-password", "users-current", "bearer-invalid-or-expired"),
    *("basic-auth-over-plain-http", "after-logout-or-expiry", "roles"),
    *("project-create", "projects-list", "project-get-extended"),
    # Forms
    *("form-create-warnings", "form-create-broken-xml", "form-create-pyodk-step1", "form-create-pyodk-step2"),
    *("form-create-pyodk-step3", "form-create-duplicate-id", "forms-list", "form-get", "form-get-extended"),
    *("form-fields", "form-fields-odata", "form-attachments", "form-attachment-download", "form-versions"),
    *("form-dataset-diff", "form-create-entity-prefix-collision"),
    *("followup-create-pyodk-step1", "followup-create-pyodk-step2", "followup-attachments"),
    *(f"app-users-create-pyodk-step{number}" for number in range(1, 8)),
    "app-users-list-extended",
    # Tablets
    *(
        "formlist",
        "formlist-bad-token",
        "formlist-malformed-token",
        "formlist-no-openrosa-header",
        "form-xml",
    ),
    *(
        "manifest-assessment",
        "manifest-followup-empty-list",
        "media-districts-csv",
        "media-entity-list-csv-empty",
    ),
    *("submission-head", "submission-head-no-openrosa-header", "submission-post-created"),
    *("submission-post-same-xml-again", "submission-post-same-id-other-xml"),
    *("submission-post-same-xml-reformatted", "submission-post-no-instance-id", learn_made_id),
    *("submission-post-malformed-xml", "submission-post-missing-part", "submission-post-not-multipart"),
    *("submission-post-no-form-id", "submission-post-no-openrosa-header", "submission-post-photo-missing"),
    *("submission-post-photo-late", "submission-post-unknown-form", "submission-post-unknown-version"),
    *("submission-post-unexpected-attachment", "submission-post-other-officer"),
    *("submission-post-revoked-or-unknown-token", settle),
    # The feed
    *(
        "service-document",
        "repeat-table-member",
        "repeat-table-filter-root",
        "repeat-table-filter-without-root",
    ),
    *("submissions-all-expanded", "submissions-default", "submissions-top2", "submissions-top2-next"),
    *(
        "submissions-top-skip",
        "submissions-top0-count",
        "submissions-select",
        "submissions-select-with-expand",
    ),
    *("submissions-wkt", "submissions-bad-skiptoken", "filter-id-eq", "filter-submissiondate-gt"),
    *("filter-unparseable", "filter-unsupported-field", "orderby-submissiondate-asc", "orderby-top-skip"),
    *("orderby-next-link", "orderby-with-skiptoken", "single-submission", "single-submission-unknown"),
    *("etag-first", "etag-not-modified", "submissions-list"),
    # One submission
    *("attachments-list", "attachment-download", "attachment-unknown", "submission-xml"),
    *("submission-get-unknown", "review-invalid-state", "review-approve", "review-null", "review-hasissues"),
    *("comment-create", "comments-list", "submission-get", "submission-get-extended"),
    *("filter-updatedat-after-review", "filter-reviewstate-null"),
    *(
        "edit-put",
        "edit-comment",
        "edit-put-stale",
        "edit-put-without-deprecated",
        "edit-openrosa-by-app-user",
    ),
    *(
        "edit-openrosa-stale",
        "edit-openrosa-unknown-deprecated",
        "resend-original-after-edit",
        "etag-after-edit",
    ),
    *("single-submission-after-two-edits", "single-submission-by-version-id", "submission-versions"),
    *("submission-audits", "submission-xml-current", "submission-xml-by-version-id"),
    *("delete", "delete-again", "get-deleted", "list-deleted", "default-feed-has-no-deleted"),
    *("filter-deleted-only", "filter-with-and-without-deleted", "delete-d", "submission-post-deleted-again"),
    *("restore-d", "single-after-restore", remember_time, "filter-boundary-ge", begin_of_time),
    *("filter-incremental-three-clauses", send_without_photo, "late-attachment-before", send_late_photo),
    *("late-attachment-old-etag", "late-attachment-after"),
    # A second version of the form
    *("form-update-pyodk-step1", "form-update-pyodk-step2", "form-update-pyodk-step3"),
    *(
        "form-versions-after-update",
        "form-xml-old-version",
        "submission-post-old-version",
        "after-form-update",
    ),
    *("form-state-closing", "submission-post-closing", "form-state-closed", "submission-post-closed"),
    *("formlist-when-closed", "form-state-open", "rest-create-pyodk-step1", "rest-create-pyodk-step2"),
    *("rest-create-duplicate", "rest-create-malformed", settle),
    *("csv-plain-assessment", "csvzip-plain-assessment"),
    # Entities
    *("entity-lists", "entity-lists-extended", "entity-list-get", "entity-odata", "entity-odata-top2"),
    *("entity-get", "entity-get-extended", "entity-versions", "entity-csv-of-list", "manifest-followup"),
    *("media-entity-list-csv", learn_media_etag, "media-entity-list-csv-not-modified"),
    *("property-create", "property-duplicate", "property-other-case", "property-bad-name"),
    *("property-reserved-name", "entity-list-create", "entity-list-create-duplicate", fill_lists),
    *("entity-create", "entity-create-duplicate-uuid", "entity-create-no-label", "entity-create-null-value"),
    *("entity-create-number-value", "entity-create-unknown-property", "entity-create-uuid-not-v4"),
    *("entity-update-base-version", "entity-update-stale-base-version", "entity-update-no-base-no-force"),
    *("entity-update-force", "entity-update-same-values", "entity-delete", "entity-get-deleted"),
    *("entity-odata-deleted", "entity-update-deleted", "entity-create-uuid-of-deleted", "entity-create-many"),
    *("entity-create-many-one-bad", "entity-create-many-size-string", "entity-restore"),
    *("entity-create-many-duplicate-uuid", "entity-bulk-delete", "entity-bulk-restore"),
    *("entity-odata-filter-property", "entity-odata-filter-updated", "entity-integrity"),
    *(follow_up, "entity-after-followup-update", follow_up_late, "entity-conflict", "entity-odata-conflict"),
    *("entity-versions-conflict", "entity-conflict-resolve", write_other_properties, "entity-conflict-soft"),
    *(follow_up_of_nobody, "entity-update-held-in-backlog", "entity-error-in-audit"),
    # Rights and app users
    *(list_follow_ups, "submissions-list-not-modified", "viewer-review-refused", hire_a_leaver),
    *("app-user-revoke", "app-user-after-revoke-list", "submission-post-revoked-token"),
    *(
        "form-draft-type-change",
        "actor-property-create",
        "app-user-set-property",
        "entity-list-access-filter",
    ),
    *(drop_draft_and_filter, "entity-list-get-metadata"),
    # Broken bodies
    *("submission-post-truncated-xml", "submission-post-cut-in-tag", "submissions-from-broken-xml"),
    # An encrypted project
    *(second_project, "key-short-passphrase", "key-enable", "key-enable-again", "form-create-step1"),
    *("form-create-step2", "form-with-entities-in-encrypted-project"),
)

ENCRYPTED = (
    *(
        "odata-encrypted",
        "submission-keys",
        "attachments-encrypted",
        "csv-post-root-table",
        "csv-post-filter",
    ),
    *("csvzip-post-no-attachments", "csvzip-post-right-passphrase", "csvzip-post-wrong-passphrase"),
    "csvzip-without-passphrase",
)
"""What is asked of encrypted submissions, once there are some."""

NOT_USED = {
    "basic-auth-over-https": "needs https; Ihala never sends Basic authentication",
    "collect-settings-qr": "no exchange: the settings in a tablet's QR code, see tests/unit/api/test_openrosa_qr.py",
    "entity-audits": "Ihala reads an entity's versions, not its log",
    "entity-diffs": "Ihala reads an entity's versions, not their differences",
    "metadata-edmx": "Ihala reads the fields of a form by REST",
    "paged-filter-page1": "the same as submissions-top2 with a filter, 20 rows long",
    "paged-filter-page2": "the same as submissions-top2-next with a filter, 20 rows long",
    "paged-filter-page3": "the last page; tests of the sync read to the last page",
    "server-audits-entity-errors": "the whole server's log, which only an administrator may read",
    "server-audits-submissions": "the whole server's log, which only an administrator may read",
    "submission-diffs": "Ihala compares versions itself",
    "submission-post-encrypted": "encrypted for a key that is gone; see ENCRYPTED",
    "submission-xml-encrypted": "encrypted for a key that is gone; see ENCRYPTED",
}
"""Recordings that are not replayed, each with its reason."""
