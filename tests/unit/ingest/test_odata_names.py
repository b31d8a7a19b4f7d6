"""Central renames fields for OData; the tree has the form's own names."""

from ingest.trees import from_odata, odata_names
from xlsforms import contract


def test_renamed_fields_get_their_own_names_back() -> None:
    paths = ("full-name", "my.house/size", "my.house/house-member/1st", "plain/name")
    names = odata_names(paths)
    row = {
        "__id": "uuid:a",
        "full_name": "x",
        "my_house": {"size": 2, "house_member": [{"_1st": "y"}]},
        "plain": {"name": "z"},
    }
    repeats = frozenset({"my.house/house-member"})
    assert from_odata(row, "f", repeats, names).tree == {
        "full-name": "x",
        "my.house": {"size": "2", "house-member": [{"1st": "y"}]},
        "plain": {"name": "z"},
    }


def test_no_two_fields_of_a_form_of_ours_share_a_name_in_odata() -> None:
    names = odata_names(contract.FIELDS)
    assert not set(names) & set(contract.FIELDS)
    assert len(set(names.values())) == len(names)
