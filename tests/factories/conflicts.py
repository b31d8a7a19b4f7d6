"""An edit of a form that contradicts what was acted on."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from casework.cases import take_in
from db.models import Case, FactConflict, Submission
from db.session import session_scope
from db.vault import Vault
from tests.factories.cases import make_assessment, store_submission
from tests.factories.world import World

PHONE, NAME = "07509876543", "زينب"
EDITED: dict[str, Any] = {"phone": PHONE, "given_name": NAME, "contact_answerer": "family"}
NEEDS = [("primary_health_care", "normal")]


def contradict(world: World, name: str = "sent", *, times: int = 1) -> dict[str, int]:
    """Send the form of a case of the world again, with other answers; the conflicts that wait by fact."""
    context, case_id = world.context, world.cases[name]
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        for _ in range(times):
            case = session.get_one(Case, case_id)
            first = session.get_one(Submission, case.submission_id)
            again = store_submission(session, vault)
            again.root_instance_id, again.data_key_id = first.root_instance_id, case.data_key_id
            session.flush()
            said = make_assessment(context.governorate, NEEDS, place="IQG15Q02N01")
            head = replace(said.persons[0], **EDITED)
            take_in(session, vault, context.governorate, again, replace(said, persons=(head,)))
        waiting = FactConflict.case_id == case_id, FactConflict.state == "open"
        rows = session.execute(select(FactConflict.fact, FactConflict.id).where(*waiting))
        return {row[0]: row[1] for row in rows}
