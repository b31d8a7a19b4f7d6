"""Making the project itself, with an administrator's account: what a Project Manager may not do."""

from collections.abc import Mapping

from ingest.central.projects import assign_role, create_project, find_web_user, list_project_names
from ingest.central.session import CentralSession


def prepare_project(
    central: CentralSession, name: str, accounts: Mapping[str, str | None], *, apply: bool
) -> tuple[list[str], int | None]:
    """Make a project of this name where there is none, and give web users their roles in it.

    `accounts`: role (`viewer`, `manager`) -> e-mail, None where none is set. Returns what is to be done or was done, a
    line each, and the project's id, None while it does not exist. Raises CentralError.
    """
    lines = []
    named = [project_id for project_id, known in list_project_names(central) if known == name]
    project_id = min(named, default=None)
    lines.append(f"= project {name}" if named else f"+ project {name}")
    if project_id is None and apply:
        project_id = create_project(central, name)
    for role, email in accounts.items():
        if not email:
            lines.append(f"! no account is set for the role {role}")
            continue
        user_id = find_web_user(central, email)
        if user_id is None:
            lines.append(f"! {email} is no web user yet: make it in Central, Users")
        elif apply and project_id is not None:
            sign = "+" if assign_role(central, project_id, role, user_id) else "="
            lines.append(f"{sign} {email} is {role}")
        else:
            lines.append(f"+ {email} is {role}")
    return lines, project_id
