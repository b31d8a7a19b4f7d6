"""What a household that registered twice agreed to: the narrower of both, and every exclusion of either.

The joint bounds are a row of their own on the surviving case (channel `merge`). It can only restrict, so
nothing is matched or sent that one of the registrations did not allow, or while one of them is incomplete.
What each registration agreed to stays as it was recorded. Whether they may be called or counted is asked of
every registration (`db.consents`).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.consent_gate import is_complete
from db import merges as query
from db.models import Case, Consent
from db.vault import Vault


def join_consents(session: Session, vault: Vault, surviving: Case, user_id: int | None) -> Consent | None:
    """Draw the joint bounds of a case and all that was merged into it, anew; None when there is no consent."""
    group = [surviving.id, *query.list_merged_ids(session, [surviving.id])]
    given = query.list_newest_consents(session, group)
    if not given or surviving.data_key_id is None:
        return None
    incomplete = [consent for consent in given if not is_complete(consent, surviving.governorate)]
    speaker = max(incomplete or given, key=lambda consent: consent.id)
    earlier = query.get_joint_consent(session, surviving.id)
    known = [*given, *([earlier] if earlier else [])]
    joint = Consent(
        case_id=surviving.id,
        kind="assessment",
        given=all(consent.given for consent in given),
        given_at=min(consent.given_at for consent in given),
        expires_at=min((c.expires_at for c in given if c.expires_at), default=None),
        text_version=speaker.text_version,
        language=speaker.language,
        channel=query.MERGE_CHANNEL,
        respondent=speaker.respondent,
        proxy_relation=speaker.proxy_relation,
        proxy_evidence=speaker.proxy_evidence,
        interpreter=_interpreter(vault, surviving, speaker),
        child_assent=speaker.child_assent,
        categories=_in_all([consent.categories for consent in given]),
        recipients=_in_all([consent.recipients for consent in given]),
        exclusions=sorted({code for consent in given for code in consent.exclusions}),
        excluded_organizations=sorted({id_ for consent in known for id_ in consent.excluded_organizations}),
        fields=[],
        recorded_by=user_id,
        withdrawn_at=max((c.withdrawn_at for c in given if c.withdrawn_at), default=None),
    )
    _join_exclusions(vault, surviving, joint, given)
    session.add(joint)
    session.flush()
    return joint


def _interpreter(vault: Vault, surviving: Case, speaker: Consent) -> bytes | None:
    """Who interpreted, sealed with the surviving case's key."""
    [name] = vault.open_many("consent.interpreter", [speaker.interpreter])
    assert surviving.data_key_id is not None  # noqa: S101  the caller has looked
    return vault.seal(surviving.data_key_id, "consent.interpreter", name)


def _in_all(lists: Sequence[Sequence[str]]) -> list[str]:
    return [code for code in lists[0] if all(code in others for others in lists[1:])]


def _join_exclusions(vault: Vault, surviving: Case, joint: Consent, given: Sequence[Consent]) -> None:
    """Whom either registration excluded stays open until a person has settled every one of them."""
    waiting = [consent for consent in given if consent.exclusion_open]
    if waiting:
        notes = vault.open_many("consent.exclusion_note", [consent.exclusion_note for consent in waiting])
        text = " / ".join(note for note in notes if note)
        assert surviving.data_key_id is not None  # noqa: S101  the caller has looked
        joint.exclusion_note = vault.seal(surviving.data_key_id, "consent.exclusion_note", text)
    else:
        settled = [consent.exclusion_settled_at for consent in given if consent.exclusion_settled_at]
        joint.exclusion_settled_at = max(settled, default=None)


def part_consents(
    session: Session, surviving: Case, merged_id: int, consent_ids: Sequence[int], was_in_force: bool
) -> None:
    """Take the joint bounds away; what was settled or withdrawn meanwhile holds for both cases."""
    joint = query.get_joint_consent(session, surviving.id)
    given = query.list_newest_consents(session, [surviving.id, merged_id])
    if joint is not None and joint.id in consent_ids:
        _carry_over(joint, given, withdrawn_at=joint.withdrawn_at if was_in_force else None)
    session.flush()
    query.delete_joint_consents(session, consent_ids)


def _carry_over(joint: Consent, given: Sequence[Consent], withdrawn_at: datetime | None) -> None:
    known = {id_ for consent in given for id_ in consent.excluded_organizations}
    added = set(joint.excluded_organizations) - known
    for consent in given:
        if added:
            consent.excluded_organizations = sorted({*consent.excluded_organizations, *added})
        if consent.exclusion_open and joint.exclusion_settled_at is not None:
            consent.exclusion_settled_at = joint.exclusion_settled_at
        if withdrawn_at is not None and consent.withdrawn_at is None:
            consent.withdrawn_at = withdrawn_at
