"""Scheduled jobs in words: their names, how a run ended, and why. A test compares the codes with their homes."""

from collections.abc import Mapping

from api.i18n import mark as _

JOBS: Mapping[str, str] = {
    "sync": _("Take in submissions and match"),
    "follow_ups": _("Plan follow-up visits and calls"),
    "complaints": _("Clocks of complaints"),
    "digests": _("Daily summaries"),
    "messages": _("Send messages"),
    "deadlines": _("Clocks of referrals"),
    "consents": _("Consents that grow old"),
    "watch": _("Watch for delays"),
}

OUTCOMES: Mapping[str, str] = {
    "ok": _("Done"),
    "failed": _("Failed"),
    "busy": _("Was under way elsewhere"),
    "stopped": _("Was stopped"),
}

ERRORS: Mapping[str, str] = {
    "worker_died": _("The process ended without a word; nothing is lost"),
    "cut_off": _("It took too long to stop and was rolled back; nothing is lost"),
    "lock_lost": _("The connection to the database was lost; it goes on next time"),
    "database_away": _("The database did not answer"),
    "database_busy": _("The database was too busy; it is tried again"),
    "database_refused": _("The database refused; please tell whoever maintains Ihala"),
    "internal": _("A fault of the system; please tell whoever maintains Ihala"),
    "clock_failed": _("One clock could not be acted on; the others were"),
    "changed_meanwhile": _("Another run was reading the same form"),
    "busy": _("Somebody was working on the same cases; it is tried again"),
    "pull_failed": _("A form could not be read; please tell whoever maintains Ihala"),
    "central_unreachable": _("ODK Central does not answer"),
    "central_cut_off": _("The connection to ODK Central broke off"),
    "central_busy": _("ODK Central asks to wait"),
    "central_sign_in": _("ODK Central refuses the address or password of the account"),
    "central_forbidden": _("The account may not read this form in ODK Central"),
    "central_not_found": _("ODK Central does not know this project or form"),
    "central_refused": _("ODK Central refused the request"),
    "central_proxy": _("Something between us and ODK Central answers in its place"),
    "central_answer": _("ODK Central's answer could not be understood"),
    "central_encrypted": _("Submissions are encrypted with a key that ODK Central does not manage"),
    "central_passphrase": _(
        "The passphrase does not open the encrypted submissions; nothing of them was read"
    ),
    "central_passphrase_missing": _("The project is encrypted and no passphrase is set; nothing was read"),
    "central_undecryptable": _("Some submissions cannot be decrypted; the others were read"),
    "central_too_large": _("An answer of ODK Central is larger than is taken"),
}
"""Codes of `JobRun.error` and `SyncState.last_error`."""

OTHER_ERROR = _("It did not work; the code says why")

FIGURES: Mapping[str, str] = {
    "received": _("submissions"),
    "stored": _("read from ODK Central"),
    "cases": _("new cases"),
    "updated": _("changed cases"),
    "refusals": _("refusals"),
    "quarantined": _("in quarantine"),
    "proposed": _("proposals"),
    "sent": _("sent"),
    "failed": _("failed"),
    "scheduled": _("planned"),
    "written": _("written"),
    "late": _("late forms"),
    "expired": _("expired"),
    "reminded": _("reminded"),
    "escalated": _("escalated"),
    "rerouted": _("rerouted"),
}
"""The figures that the page shows; those that are zero are left out."""
