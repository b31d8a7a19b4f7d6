"""The plan of provisioning: from what stands to what should, without a server."""

import hashlib
from dataclasses import replace

import pytest

from ingest.central.app_users import AppUser
from ingest.central.datasets import EntityListState
from ingest.central.forms import AttachmentState, FormState
from ingest.entity_lists import ENTITY_LISTS, RETURNEES
from ingest.provisioning.definition import read_definition
from ingest.provisioning.plan import Action, Sign, Step, make_plan
from ingest.provisioning.standing import Standing, StandingForm
from ingest.provisioning.wanted import WantedTablet
from tests.factories.provisioning import NEXT_VERSION, VERSION, small_form, small_wanted, small_xml

TABLET = WantedTablet("MOS-01", "mosul")


def _published(version: str = VERSION, **values: object) -> StandingForm:
    form = small_form()
    files = tuple(
        AttachmentState(name, hashlib.md5(content, usedforsecurity=False).hexdigest(), True, False)
        for name, content in form.media.items()
    )
    standing = StandingForm(FormState("visit", version, True, "open"), None, frozenset({version}), files)
    return replace(standing, **values)  # type: ignore[arg-type]


def _all_stands(**values: object) -> Standing:
    lists = {
        one.name: EntityListState(
            one.name,
            frozenset(one.properties),
            False,
            frozenset({(one.access_property, "office")} if one.access_property else ()),
        )
        for one in ENTITY_LISTS
    }
    user = AppUser(20, "MOS-01", "t" * 64, (("office", "mosul"),))
    standing = Standing(
        {"visit": _published()}, lists, frozenset({"office"}), (user,), frozenset({(20, "visit")})
    )
    return replace(standing, **values)  # type: ignore[arg-type]


def _work(steps: list[Step]) -> list[tuple[str, str, str, str]]:
    return [
        (str(step.sign), step.action, step.subject, step.detail)
        for step in steps
        if step.sign is not Sign.SAME
    ]


def test_on_an_empty_project_everything_is_made_in_an_order_that_works() -> None:
    steps = make_plan(small_wanted(TABLET), Standing())
    assert {step.sign for step in steps if step.action is not Action.LIST_ACCESS} == {Sign.CREATE}
    order = [step.action for step in steps]
    assert order.index(Action.ACTOR_PROPERTY) < order.index(Action.LIST_ACCESS)
    assert max(i for i, one in enumerate(order) if one is Action.LIST) < order.index(Action.FORM_PUBLISH)
    assert order.index(Action.FORM_PUBLISH) < order.index(Action.USER) < order.index(Action.USER_FORM)
    made = [(step.subject, step.detail) for step in steps if step.action is Action.LIST_ACCESS]
    assert made == [("referrals", "office"), ("returnees", "office")]


def test_what_stands_is_left_alone() -> None:
    steps = make_plan(small_wanted(TABLET), _all_stands())
    assert _work(steps) == []
    assert len(steps) > 15


def test_the_list_of_returnees_is_wanted_only_with_a_form_that_makes_them() -> None:
    assert RETURNEES in small_wanted(form=small_form()).lists
    assert RETURNEES not in small_wanted(form=small_form(save_to="")).lists


def test_properties_of_officers_and_other_lists_and_users_are_not_touched() -> None:
    standing = _all_stands()
    lists = dict(standing.lists)
    lists["referrals"] = replace(
        lists["referrals"], properties=lists["referrals"].properties | {"officer_note"}
    )
    other = AppUser(30, "Somebody else's", "u" * 64)
    steps = make_plan(
        small_wanted(TABLET), replace(standing, lists=lists, app_users=(*standing.app_users, other))
    )
    assert _work(steps) == []


def test_an_access_filter_that_lets_through_too_much_is_set_right() -> None:
    standing = _all_stands()
    lists = dict(standing.lists)
    lists["referrals"] = replace(lists["referrals"], access=frozenset())
    lists["returnees"] = replace(lists["returnees"], access=frozenset({("case_code", "office")}))
    lists["services"] = replace(lists["services"], approval_required=True)
    assert _work(make_plan(small_wanted(TABLET), replace(standing, lists=lists))) == [
        ("~", "entity_list.approval", "services", "not required"),
        ("~", "entity_list.access", "referrals", "office"),
        ("~", "entity_list.access", "returnees", "office"),
    ]


@pytest.mark.parametrize(
    ("published", "draft", "before", "sign", "action"),
    [
        ("2026112202-0000000a", None, (), "~", Action.FORM_PUBLISH),  # older, ours
        ("2026112301-0000000a", None, (), "~", Action.FORM_PUBLISH),  # the same number with other places
        (NEXT_VERSION, None, (), "!", Action.FORM_NEWER),
        ("spring edition", None, (), "!", Action.FORM_FOREIGN),
        ("9", None, (), "!", Action.FORM_FOREIGN),
        ("", None, (), "!", Action.FORM_FOREIGN),
        ("2026112202-0000000a", "somebody's draft", (), "!", Action.FORM_DRAFT),
        ("2026112202-0000000a", NEXT_VERSION, (), "!", Action.FORM_DRAFT),
        ("2026112202-0000000a", VERSION, (), "~", Action.FORM_PUBLISH),  # a run of ours that was killed
        ("2026112202-0000000a", "2026112203-0000000b", (), "~", Action.FORM_PUBLISH),  # likewise
        ("2026112202-0000000a", None, (VERSION,), "!", Action.FORM_VERSION_USED),
    ],
)
def test_no_version_of_somebody_else_is_published_over(
    published: str, draft: str | None, before: tuple[str, ...], sign: str, action: Action
) -> None:
    found = _published(published, draft=draft, versions=frozenset({published, *before}))
    standing = _all_stands(forms={"visit": found})
    [step] = [step for step in make_plan(small_wanted(TABLET), standing) if step.action.startswith("form.")]
    assert (step.sign, step.action) == (sign, action)
    forced = make_plan(small_wanted(TABLET), standing, publish_over=frozenset({"visit"}))
    [step] = [step for step in forced if step.action.startswith("form.")]
    assert step.is_work == (action is not Action.FORM_VERSION_USED)


def test_a_form_that_is_only_a_draft_is_published() -> None:
    found = StandingForm(FormState("visit", VERSION, False, "open"), draft=VERSION)
    [step] = [
        step
        for step in make_plan(small_wanted(TABLET), _all_stands(forms={"visit": found}))
        if step.action is Action.FORM_PUBLISH
    ]
    assert (step.sign, step.detail) == (Sign.CREATE, VERSION)


def test_a_file_that_differs_under_the_same_version_is_told() -> None:
    found = _published(attachments=(AttachmentState("districts.csv", "0" * 32, True, False),))
    steps = make_plan(small_wanted(TABLET), _all_stands(forms={"visit": found}))
    assert _work(steps) == [("!", "form.media_differ", "visit", "districts.csv")]


def test_a_tablet_that_exists_gets_what_it_lacks() -> None:
    user = AppUser(20, "MOS-01", "t" * 64, (("office", "sinjar"),))
    steps = make_plan(small_wanted(TABLET), _all_stands(app_users=(user,), assignments=frozenset()))
    assert _work(steps) == [
        ("~", "app_user.office", "MOS-01", "mosul"),
        ("+", "app_user.form", "MOS-01", "visit"),
    ]


def test_a_revoked_tablet_is_shut_out_first_and_never_revived() -> None:
    lost = replace(TABLET, is_revoked=True)
    steps = make_plan(small_wanted(lost), _all_stands())
    assert _work(steps) == [("-", "app_user.revoke", "MOS-01", "")]
    assert steps[0].sign is Sign.REVOKE
    gone = AppUser(20, "MOS-01", None)
    assert _work(make_plan(small_wanted(lost), _all_stands(app_users=(gone,)))) == []
    assert _work(make_plan(small_wanted(lost), _all_stands(app_users=()))) == []
    assert _work(make_plan(small_wanted(TABLET), _all_stands(app_users=(gone,)))) == [
        ("!", "app_user.revoked_before", "MOS-01", "")
    ]


def test_two_app_users_of_one_name_are_told() -> None:
    users = (AppUser(20, "MOS-01", "t" * 64), AppUser(21, "MOS-01", "u" * 64))
    assert _work(make_plan(small_wanted(TABLET), _all_stands(app_users=users))) == [
        ("!", "app_user.twice", "MOS-01", "2")
    ]


def test_an_older_server_is_told_and_the_rest_goes_on() -> None:
    steps = make_plan(small_wanted(TABLET), Standing(actor_properties=None))
    assert (Sign.NOTE, Action.NO_ACTOR_PROPERTIES) in {(step.sign, step.action) for step in steps}
    actions = {step.action for step in steps}
    assert not actions & {Action.ACTOR_PROPERTY, Action.LIST_ACCESS, Action.USER_OFFICE}
    assert {Action.FORM_PUBLISH, Action.USER, Action.USER_FORM} <= actions


def test_tokens_are_in_no_text_of_a_plan() -> None:
    standing = _all_stands()
    assert "ttt" not in repr(standing)
    assert "ttt" not in repr(make_plan(small_wanted(TABLET), standing))


def test_a_definition_says_what_it_saves() -> None:
    found = read_definition(small_xml(save_to="returnees"))
    assert (found.root, found.saves) == ("data", {"returnees": frozenset({"case_code", "office"})})
    assert read_definition(small_xml(root="visit")).root == "visit"
    assert read_definition(small_xml()).saves == {}
    for broken in ("", "<a", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        assert read_definition(broken).root == ""
