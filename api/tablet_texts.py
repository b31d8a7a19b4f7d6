"""What the administration page says where a tablet was shut out here and may still have access to ODK Central."""

from collections.abc import Mapping

from api.i18n import mark as _
from ingest.central.errors import CODES
from ingest.revocation import NO_MANAGER

_NO_RIGHT = _("Our account for ODK Central may not close it. Please tell the operator.")
_SILENT = _("ODK Central did not answer as it should. Please try again later.")

LEFT_OPEN: Mapping[str, str] = {
    **dict.fromkeys(sorted(CODES), _SILENT),
    "central_forbidden": _NO_RIGHT,
    "central_sign_in": _NO_RIGHT,
    "central_not_found": _NO_RIGHT,
    NO_MANAGER: _(
        "No account that may close it is set up. Please tell the operator, or close it in ODK Central."
    ),
}
"""Why it is still open, by the code of `ingest.revocation`."""
