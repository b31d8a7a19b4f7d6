"""How far behind the sources of this installation are, as the alert, the page and the metrics all see it."""

from sqlalchemy.orm import Session

from api.context import AppContext
from db.jobs import get_first_run_at
from db.lags import Lag, list_lags
from ingest.sources.central import source_name


def read_lags(session: Session, context: AppContext) -> list[Lag]:
    """The lag of every form that is to be read, and of every other from which something waits."""
    account, code = context.settings.central_account(), context.governorate.code
    expected = [(source_name(account.project_id), form_id) for form_id in account.form_ids] if account else []
    return list_lags(session, code, expected, get_first_run_at(session, code, "sync"))
