"""Closing a lost tablet's access to ODK Central."""

from contextlib import closing
from dataclasses import dataclass

from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession
from ingest.provisioning.apply import close_app_users

NO_MANAGER = "manager_not_set"


@dataclass(frozen=True, slots=True)
class CentralClosing:
    """What came of it.

    `left`: why the access may still be open, a code of CentralError or NO_MANAGER; None when it is closed.
    `closed`: how many app users of that name could still send until now.
    """

    left: str | None
    closed: int = 0


def close_in_central(manager: CentralAccount | None, name: str) -> CentralClosing:
    """Shut out every app user of a name. Safe to repeat; raises nothing that Central does."""
    if manager is None:
        return CentralClosing(NO_MANAGER)
    try:
        with closing(CentralSession(manager)) as central:
            return CentralClosing(None, close_app_users(central, name))
    except CentralError as error:
        return CentralClosing(error.code)
    except OSError:  # the file of the session's token cannot be written
        return CentralClosing("central_unreachable")
