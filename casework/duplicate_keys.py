"""Blocking keys: only cases that share one are ever compared.

A key is a composite (given and father's name, father's and grandfather's, given and grandfather's; a phone
number), as it sounds, and is stored only as a keyed hash. A single name is never a key: the frequencies of
single names would tell which name a hash stands for. Documents have no number in the questionnaire, so there is
no key of documents.
"""

from casework.duplicate_scores import CaseTraits

NAME_KEYS = {
    "given_father": ("given_name", "father_name"),
    "father_grandfather": ("father_name", "grandfather_name"),
    "given_grandfather": ("given_name", "grandfather_name"),
}
KINDS = (*NAME_KEYS, "phone")


def blocking_keys(traits: CaseTraits) -> set[tuple[str, str]]:
    """Return kind and plain key of every composite whose parts are known; to be hashed before it is stored."""
    keys = {("phone", phone) for phone in traits.phones}
    for kind, parts in NAME_KEYS.items():
        sounds = [getattr(traits, part).sounds for part in parts]
        if all(sounds):
            keys.add((kind, "|".join(sounds)))
    return keys
