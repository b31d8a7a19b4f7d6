"""What the command line says about ODK Central: findings with how to mend them, steps of a plan, refusals."""

from collections.abc import Mapping

from ingest.central.errors import CODES, CentralError
from ingest.provisioning.check import Finding
from ingest.provisioning.errors import ProvisioningError
from ingest.provisioning.plan import Action, Step

_PROVISION = "Run `ihala central provision`, read the plan, then again with --apply."
_RIGHTS = "In Central: project, Project Roles. It takes effect at once."

FINDINGS: Mapping[str, tuple[str, str]] = {
    "settings_missing": (
        "ODK Central is not set up.",
        "Set IHALA_CENTRAL_URL, IHALA_CENTRAL_EMAIL, IHALA_CENTRAL_PASSWORD and IHALA_CENTRAL_PROJECT_ID.",
    ),
    "no_tls": (
        "{subject} is not encrypted: passwords and people's answers travel in clear text.",
        "Use https:// in IHALA_CENTRAL_URL and IHALA_CENTRAL_PUBLIC_URL; http is for this machine alone.",
    ),
    "signed_in": ("{subject} signs in ({role}).", ""),
    "reader_sign_in": (
        "{subject} cannot sign in.",
        "Check IHALA_CENTRAL_EMAIL and IHALA_CENTRAL_PASSWORD; a web user, not an app user.",
    ),
    "manager_sign_in": (
        "{subject} cannot sign in.",
        "Check IHALA_CENTRAL_MANAGER_EMAIL and IHALA_CENTRAL_MANAGER_PASSWORD.",
    ),
    "manager_not_set": (
        "No account that writes is set: nothing is provisioned, written back or revoked.",
        "Make a web user, give it the role Project Manager, set IHALA_CENTRAL_MANAGER_EMAIL and _PASSWORD.",
    ),
    "project_missing": (
        "The project does not exist, or {subject} has no role in it.",
        "Check IHALA_CENTRAL_PROJECT_ID and the Project Roles; `ihala central project NAME` makes one.",
    ),
    "project": ("Project {subject}.", ""),
    "project_archived": ("Project {subject} is archived.", "Restore it in Central: project, Settings."),
    "server": ("ODK Central v{subject}.", ""),
    "server_unknown": ("ODK Central, version not told.", ""),
    "reader_rights_missing": (
        "{subject} may not: {rights}.",
        "Give it the role Project Viewer. " + _RIGHTS,
    ),
    "manager_rights_missing": (
        "{subject} may not: {rights}.",
        "Give it the role Project Manager. " + _RIGHTS,
    ),
    "reader_may_write": (
        "{subject} only has to read, but may also: {rights} ...",
        "Give it the role Project Viewer only. " + _RIGHTS,
    ),
    "manager_is_administrator": (
        "{subject} is an administrator of the whole server.",
        "Use an account that is Project Manager of this project only.",
    ),
    "encrypted": ("Project {subject} is encrypted; the passphrase is set.", ""),
    "passphrase_missing": (
        "Project {subject} is encrypted: without the passphrase nothing of a submission can be read.",
        "Set IHALA_CENTRAL_PASSPHRASE.",
    ),
    "standing": ("{subject} things stand as they should.", ""),
    "form": ("Form {subject} {ours}.", ""),
    "form_missing": ("Form {subject} is not published.", _PROVISION),
    "form_older": ("Form {subject} is {theirs}; ours is {ours}.", _PROVISION),
    "form_newer": (
        "Form {subject} is {theirs}, which is not ours ({ours}).",
        "Update Ihala if it is from a newer release; else see `ihala central provision --help`, --publish-over.",
    ),
    "form_not_ours": (
        "{subject} is in IHALA_CENTRAL_FORM_IDS, but this release cannot read it.",
        "Take it out of IHALA_CENTRAL_FORM_IDS.",
    ),
    "form_not_open": (
        "Form {subject} is {detail}: tablets do not get it.",
        "Set its state to Open in Central: form, Settings.",
    ),
    "fields_missing": (
        "Form {subject} has no: {fields}.",
        "Publish our form: these answers would never arrive.",
    ),
    "root_not_data": (
        "The root of form {subject} is {root}, not data: it makes no entities and says no error.",
        "Publish our form, or leave `name` out of the settings sheet.",
    ),
    "entities_lost": ("Form {subject} saves what Central does not see: {lost}.", "Publish our form anew."),
    "attachment_missing": ("Form {subject} lacks its file {file}.", _PROVISION),
    "list_missing": ("There is no entity list {subject}.", _PROVISION),
    "property_missing": ("List {subject} has no property {detail}.", _PROVISION),
    "approval_differs": ("List {subject}: approval of submissions should be {detail}.", _PROVISION),
    "access_missing": (
        "List {subject} is not filtered by {detail}: each tablet downloads what is other offices'.",
        _PROVISION,
    ),
    "actor_property_missing": ("App users have no property {subject}.", _PROVISION),
    "no_actor_properties": (
        "This server does not know properties of app users: every tablet downloads whole lists.",
        "Update ODK Central to v2026.2 or later.",
    ),
    "app_user_missing": ("Tablet {subject} is not in Central.", _PROVISION),
    "app_user_office": ("Tablet {subject} is not of office {detail} there.", _PROVISION),
    "app_user_form": ("Tablet {subject} does not have form {detail}.", _PROVISION),
    "app_user_still_open": (
        "Tablet {subject} was revoked here, but still has access to Central.",
        "Run `ihala central revoke {subject}`.",
    ),
    "app_user_revoked_before": (
        "Tablet {subject} was revoked in Central; access is not given back.",
        "Revoke it here too, and add the tablet under a new label.",
    ),
    "app_user_twice": (
        "{detail} app users are called {subject}: nobody knows which tablet has which code.",
        "Run `ihala central revoke {subject}`, and add the tablet under a new label.",
    ),
    "form_foreign_draft": (
        "Form {subject} has a draft {detail} that is not ours.",
        "Publish or delete it in Central.",
    ),
    "form_version_used": (
        "Our version of {subject} was published before and then replaced by {detail}: no version comes back.",
        "Give the questionnaire a new version.",
    ),
    "form_media_differ": (
        "File {detail} of form {subject} is not ours under the same version.",
        "Give the questionnaire a new version.",
    ),
    "form_foreign": (
        "Version {detail} of form {subject} is not ours.",
        "If it may be replaced: `ihala central provision --publish-over {subject}`.",
    ),
    "central_unreachable": (
        "ODK Central does not answer ({answer}).",
        "Check IHALA_CENTRAL_URL, the network, and whether the server runs.",
    ),
    "central_cut_off": ("An answer of ODK Central broke off.", "Check the connection and try again."),
    "central_busy": ("ODK Central asks to wait.", "Try again in some minutes."),
    "central_refused": ("ODK Central refused ({answer}).", "Look at the server's log."),
    "central_proxy": (
        "Something in front of ODK Central answered in its place ({answer}).",
        "Check the proxy and the address; IHALA_CENTRAL_URL has no path.",
    ),
    "central_answer": ("ODK Central answered something that makes no sense.", "Check IHALA_CENTRAL_URL."),
    "central_encrypted": (
        "Submissions are encrypted with a key that ODK Central does not manage.",
        "Take the public key out of the form's settings sheet: managed encryption needs none.",
    ),
    "central_passphrase": ("The passphrase is wrong.", "Check IHALA_CENTRAL_PASSPHRASE."),
    "central_passphrase_missing": ("No passphrase is set.", "Set IHALA_CENTRAL_PASSPHRASE."),
    "central_undecryptable": (
        "Some submissions cannot be decrypted.",
        "Find them in Central (an export of them alone breaks off), and delete them or have them sent anew.",
    ),
    "central_too_large": (
        "An answer of ODK Central is larger than is taken.",
        "See the largest submissions.",
    ),
}

STEPS: Mapping[Action, str] = {
    Action.USER_REVOKE: "tablet {subject}: access shut",
    Action.ACTOR_PROPERTY: "property {subject} of app users",
    Action.LIST: "entity list {subject}",
    Action.LIST_PROPERTY: "entity list {subject}: property {detail}",
    Action.LIST_APPROVAL: "entity list {subject}: approval of submissions {detail}",
    Action.LIST_ACCESS: "entity list {subject}: a tablet gets only what is its own by {detail}",
    Action.FORM_PUBLISH: "form {subject}: publish {detail}",
    Action.USER: "tablet {subject} {detail}",
    Action.USER_OFFICE: "tablet {subject}: office {detail}",
    Action.USER_FORM: "tablet {subject}: form {detail}",
    Action.FORM_NEWER: (
        "form {subject}: {detail} is newer than ours, left alone (update Ihala, or --publish-over {subject})"
    ),
}

PROBLEMS: Mapping[str, str] = {
    "rights_missing": "{email} may not: {rights}. Give it the role Project Manager. " + _RIGHTS,
    "project_missing": (
        "Project {project} does not exist, or the account has no role in it. A Project Manager cannot make "
        "projects: an administrator does, in Central or with `ihala central project NAME`."
    ),
    "project_archived": "Project {project} is archived: restore it in Central first.",
    "attachment_missing": "Form {form} names the file {file}, which is neither ours nor an entity list. Not published.",
    "entities_lost": "Form {form} saves what Central does not see: {lost}.",
    "root_not_data": "The root of form {form} is {root}, not data: it would make no entities. Not published.",
    "form_refused": "Version {version} of form {form} was published before: give the questionnaire a new version.",
    "not_reached": "Everything was sent, but this does not stand: {step}. Does somebody else change the project?",
    "under_way": "Another `ihala central provision` is under way.",
}


LEFT_OPEN: Mapping[str, str] = {
    "manager_not_set": "Set IHALA_CENTRAL_MANAGER_EMAIL and _PASSWORD and repeat this, or revoke it in Central itself.",
    "central_forbidden": "The manager's account may not revoke: give it the role Project Manager and repeat this.",
    "central_sign_in": "The manager's account cannot sign in: check its password and repeat this.",
    "central_not_found": "The project is not there: check IHALA_CENTRAL_PROJECT_ID and repeat this.",
    **dict.fromkeys(
        sorted(CODES - {"central_forbidden", "central_sign_in", "central_not_found"}),
        "ODK Central cannot be used now: repeat this later.",
    ),
}
"""What is left to do where a tablet was shut out here and not in Central."""

_CODES = {Action.NO_ACTOR_PROPERTIES: "no_actor_properties"}


def finding_words(finding: Finding) -> tuple[str, str]:
    """What was found, and how to mend it (empty where nothing is to be done)."""
    sentence, remedy = FINDINGS[finding.code]
    values = {"subject": finding.subject} | finding.details
    return sentence.format(**values), remedy.format(**values)


def step_words(step: Step) -> str:
    """One line of a plan."""
    words = STEPS.get(step.action) or " ".join(
        FINDINGS[_CODES.get(step.action, step.action.replace(".", "_"))]
    )
    return words.format(subject=step.subject, detail=step.detail)


def problem_words(error: Exception) -> str:
    """Why provisioning stopped, or Central did."""
    if isinstance(error, ProvisioningError):
        return PROBLEMS[error.code].format(**error.details)
    if not isinstance(error, CentralError):
        return str(error)
    codes = {"central_sign_in": "manager_sign_in", "central_not_found": "project_missing"}
    if error.code == "central_forbidden":
        return (
            "The account may not do this in ODK Central: `ihala central check` says which right is missing."
        )
    sentence, remedy = FINDINGS[codes.get(error.code, error.code)]
    return f"{sentence} {remedy}".format(subject="The account", answer=str(error))
