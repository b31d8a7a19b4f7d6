"""Search for cases that may be one household, and take a person's word that two are not.

Names are opened only for cases that are new or changed and for those that share a block with them. Nothing is
merged here: `casework.merges` does that, when a person says so.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.duplicate_keys import blocking_keys
from casework.duplicate_scores import CaseTraits, DuplicateScore, HouseholdMember, score_pair
from casework.moves import Actor
from casework.names import FoldedName, fold_phone
from db import accounts
from db import duplicates as query
from db.errors import DomainError
from db.models import Case, DuplicatePair, PairState, Person
from db.vault import Vault
from governorates import DuplicateWeights, Governorate, duplicate_weights, load

PAGE = 200


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What one page of the search did. `cut`: pairs that came from a block larger than the limit."""

    searched: int = 0
    compared: int = 0
    found: int = 0
    cut: int = 0


def find_duplicates(
    session: Session, vault: Vault, governorate: Governorate, *, limit: int = PAGE
) -> SearchReport:
    """Search one page of new or changed cases; `searched` is 0 when none was left, and nothing is written.

    A pair that a person has decided on stays as it was decided.
    """
    weights = duplicate_weights()
    cases = query.claim_unsearched(session, governorate.code, limit)
    if not cases:
        return SearchReport()
    ids = [case.id for case in cases]
    traits = read_traits(session, vault, ids)
    query.upsert_keys(session, ids, _key_rows(vault, governorate.code, traits))
    candidates, cut = query.list_candidate_pairs(session, ids, weights.block_limit)
    others = {case_id for pair in candidates for case_id in pair} - traits.keys()
    traits |= read_traits(session, vault, others)
    scores = {pair: score_pair(traits[pair[0]], traits[pair[1]], weights) for pair in candidates}
    found = _write_pairs(session, governorate.code, ids, scores, weights)
    query.set_searched(session, ids)
    return SearchReport(len(ids), len(candidates), found, cut)


def read_traits(session: Session, vault: Vault, case_ids: Sequence[int] | set[int]) -> dict[int, CaseTraits]:
    """Open and fold what is compared of these cases, by case id; what was erased is unknown."""
    if not case_ids:
        return {}
    rows = query.list_cases_with_persons(session, case_ids)
    people = [person for _, persons in rows for person in persons]
    vault.load_keys(case.data_key_id for case, _ in rows)
    opened = {
        field: dict(
            zip(
                (person.id for person in people),
                vault.open_many(f"person.{field}", [getattr(person, field) for person in people]),
                strict=True,
            )
        )
        for field in ("given_name", "father_name", "grandfather_name", "phone")
    }
    return {case.id: _traits(case, persons, opened) for case, persons in rows}


def _traits(case: Case, persons: Sequence[Person], opened: dict[str, dict[int, str | None]]) -> CaseTraits:
    head = next((person for person in persons if person.role == "head"), None)

    def name(field: str) -> FoldedName:
        return FoldedName.of(opened[field][head.id] if head else None)

    phones = {fold_phone(opened["phone"][person.id]) for person in persons} - {""}
    members = [person for person in persons if person.role == "member"]
    return CaseTraits(
        given_name=name("given_name"),
        father_name=name("father_name"),
        grandfather_name=name("grandfather_name"),
        phones=frozenset(phones),
        birth_year=_birth_year(case, head),
        birth_year_estimated=bool(head and head.age_estimated),
        sex=head.sex if head else None,
        places=(_populated(case), case.residence_subdistrict, case.residence_district),
        household_size=case.household_size,
        members=tuple(
            HouseholdMember(FoldedName.of(opened["given_name"][member.id]), _birth_year(case, member))
            for member in members
        ),
    )


def _birth_year(case: Case, person: Person | None) -> int | None:
    """The questionnaire asks the age; the year of birth follows from when it was asked."""
    return None if person is None or person.age_years is None else case.opened_at.year - person.age_years


def _populated(case: Case) -> str | None:
    """The place of residence itself, unless only an area is known: all of Mosul is one sub-district."""
    areas = {case.residence_subdistrict, case.residence_district, case.residence_governorate}
    return None if case.residence in areas else case.residence


def _key_rows(vault: Vault, governorate: str, traits: dict[int, CaseTraits]) -> list[dict[str, object]]:
    return [
        {
            "case_id": case_id,
            "kind": kind,
            "key": vault.blind(f"duplicates.{governorate}.{kind}", key),
            "birth_year": one.birth_year,
        }
        for case_id, one in traits.items()
        for kind, key in sorted(blocking_keys(one))
    ]


def _write_pairs(
    session: Session,
    governorate: str,
    case_ids: Sequence[int],
    scores: dict[query.Pair, DuplicateScore],
    weights: DuplicateWeights,
) -> int:
    """Add, rescore and forget pairs; returns how many are new. What a person decided is left alone."""
    shown = {pair: score for pair, score in scores.items() if score.score >= weights.ask_from}
    known = query.list_pairs_of(session, case_ids)
    for cases, pair in known.items():
        if pair.state == PairState.OPEN and cases in shown:
            _rescore(pair, shown[cases], weights)
    query.delete_open_pairs(session, [pair.id for cases, pair in known.items() if cases not in shown])
    new = sorted(shown.keys() - known.keys())
    query.create_pairs(
        session,
        [
            {
                "governorate": governorate,
                "first_case_id": pair[0],
                "second_case_id": pair[1],
                "score": shown[pair].score,
                "parts": [asdict(part) for part in shown[pair].parts],
                "weights": weights.version,
                "state": PairState.OPEN,
            }
            for pair in new
        ],
    )
    session.flush()
    return len(new)


def _rescore(pair: DuplicatePair, found: DuplicateScore, weights: DuplicateWeights) -> None:
    parts = [asdict(part) for part in found.parts]
    if (pair.score, pair.parts, pair.weights) != (found.score, parts, weights.version):
        pair.score, pair.parts, pair.weights = found.score, parts, weights.version


def decide_different(session: Session, pair_id: int, actor: Actor) -> None:
    """A person says that these are two households. Raises DomainError `changed_meanwhile` unless open."""
    pair = lock_pair(session, pair_id, actor, PairState.OPEN)
    query.set_pair_state(session, pair, PairState.DIFFERENT, actor.user_id, datetime.now(UTC))
    accounts.record_audit(session, actor.user_id, "duplicate.different", "duplicate_pair", [pair_id])


def reopen(session: Session, pair_id: int, actor: Actor) -> None:
    """Take back that these are two households. Raises DomainError `changed_meanwhile` unless that was said."""
    pair = lock_pair(session, pair_id, actor, PairState.DIFFERENT)
    query.set_pair_state(session, pair, PairState.OPEN, None, None)
    accounts.record_audit(session, actor.user_id, "duplicate.reopen", "duplicate_pair", [pair_id])


def lock_pair(session: Session, pair_id: int, actor: Actor, state: PairState) -> DuplicatePair:
    """The pair, locked, in this state.

    Raises DomainError `forbidden` for anybody but a coordinator of the governorate's operator, `not_found` for
    another governorate's pair, `changed_meanwhile` in another state.
    """
    if actor.role != "coordinator" or actor.ministry != load(actor.governorate).operator.code:
        raise DomainError("forbidden")
    pair = query.get_pair(session, pair_id, actor.governorate)
    if pair is None:
        raise DomainError("not_found", pair_id=pair_id)
    if pair.state != state:
        raise DomainError("changed_meanwhile", pair_id=pair_id)
    return pair
