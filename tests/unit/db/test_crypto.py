"""Sealed values: what opens, what doesn't, and that nothing else gets into a sealed column."""

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

from db.crypto import (
    COMPRESS_FROM_BYTES,
    MIN_SEALED_BYTES,
    CryptoError,
    Sealed,
    blind_index,
    new_key,
    open_sealed,
    seal,
    sealed_key_id,
    unwrap,
    wrap,
)
from db.keyfile import MasterKey, MasterKeys

KEY_ID = uuid.UUID("11111111-2222-4333-8444-555555555555")
KEY = bytes(range(32))
NAME = "نجلاء عبد الرحيم".encode()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3 * COMPRESS_FROM_BYTES), st.text(max_size=40), st.uuids())
def test_what_is_sealed_opens_again(content: bytes, field: str, key_id: uuid.UUID) -> None:
    sealed = seal(key_id, KEY, field, content)
    assert open_sealed(KEY, field, sealed) == content
    assert sealed_key_id(sealed) == key_id
    assert len(sealed) >= MIN_SEALED_BYTES


def test_the_content_is_not_in_it_and_no_two_are_alike() -> None:
    first, second = seal(KEY_ID, KEY, "person.name", NAME), seal(KEY_ID, KEY, "person.name", NAME)
    assert NAME not in first
    assert first != second


@pytest.mark.parametrize("size", [COMPRESS_FROM_BYTES, COMPRESS_FROM_BYTES + 1, 100_000])
def test_a_long_submission_shrinks_and_opens(size: int) -> None:
    content = (b"<name>x</name>" * size)[:size]
    sealed = seal(KEY_ID, KEY, "submission.xml", content)
    assert open_sealed(KEY, "submission.xml", sealed) == content
    assert (len(sealed) < size) == (size > COMPRESS_FROM_BYTES)


def test_a_value_of_another_field_does_not_open() -> None:
    sealed = seal(KEY_ID, KEY, "person.given_name", NAME)
    with pytest.raises(CryptoError) as refusal:
        open_sealed(KEY, "person.father_name", sealed)
    assert refusal.value.code == "tampered"


def test_a_value_under_another_key_id_does_not_open() -> None:
    sealed = seal(KEY_ID, KEY, "person.name", NAME)
    moved = sealed[:1] + uuid.uuid4().bytes + sealed[17:]
    with pytest.raises(CryptoError) as refusal:
        open_sealed(KEY, "person.name", moved)
    assert refusal.value.code == "tampered"


def test_any_changed_byte_is_noticed() -> None:
    sealed = seal(KEY_ID, KEY, "person.name", NAME)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(CryptoError) as refusal:
            open_sealed(KEY, "person.name", changed)
        assert refusal.value.code == ("unknown_version" if place == 0 else "tampered")
        assert "نجلاء" not in str(refusal.value)


@pytest.mark.parametrize("length", [0, 1, 17, MIN_SEALED_BYTES - 1])
def test_a_value_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(CryptoError):
        open_sealed(KEY, "person.name", seal(KEY_ID, KEY, "person.name", NAME)[:length])


def test_wrapping_keeps_the_key_and_binds_it() -> None:
    master, key = MasterKey("a", b"m" * 32), new_key()
    wrapped = wrap(master, key, KEY_ID)
    assert unwrap(master, wrapped, KEY_ID) == key
    assert key not in wrapped
    for other, key_id, blob, code in [
        (MasterKey("a", b"n" * 32), KEY_ID, wrapped, "wrong_key"),
        (master, uuid.uuid4(), wrapped, "tampered"),
        (master, KEY_ID, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "tampered"),
        (master, KEY_ID, wrapped[:20], "tampered"),
        (master, KEY_ID, b"\x02" + wrapped[1:], "unknown_version"),
    ]:
        with pytest.raises(CryptoError) as refusal:
            unwrap(other, blob, key_id)
        assert refusal.value.code == code


def test_blind_index_depends_on_purpose_and_index_key_only() -> None:
    old, new = MasterKey("old", b"o" * 32), MasterKey("new", b"n" * 32)
    before, after = MasterKeys.of([old], b"i" * 32), MasterKeys.of([new, old], b"i" * 32)
    value = blind_index(before, "phone", "07701234567")
    assert value == blind_index(after, "phone", "07701234567")
    assert len(value) == 32
    assert value != blind_index(before, "document", "07701234567")
    assert value != blind_index(before, "phone", "07701234568")
    assert value != blind_index(MasterKeys.of([old], b"j" * 32), "phone", "07701234567")


TABLE = Table("person", MetaData(), Column("id", Integer, primary_key=True), Column("name", Sealed))


@pytest.mark.parametrize(
    "plain", ["Zainab Example", b"Zainab Example", b"\x01Zainab", bytearray(b"\x01" * 60), 7]
)
def test_a_sealed_column_refuses_plaintext_and_does_not_quote_it(plain: Any) -> None:
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    with engine.connect() as connection:
        with pytest.raises(CryptoError) as refusal:
            connection.execute(insert(TABLE), [{"id": 1, "name": plain}])
        assert refusal.value.code == "not_sealed"
        assert "Zainab" not in str(refusal.value)
        assert connection.execute(select(TABLE)).all() == []


def test_a_sealed_column_stores_sealed_values_and_nothing() -> None:
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    sealed = seal(KEY_ID, KEY, "person.name", NAME)
    with engine.connect() as connection:
        connection.execute(insert(TABLE), [{"id": 1, "name": sealed}, {"id": 2, "name": None}])
        assert connection.execute(select(TABLE.c.name).order_by(TABLE.c.id)).scalars().all() == [sealed, None]


def test_a_sealed_value_is_never_written_into_a_statement() -> None:
    statement = select(TABLE).where(TABLE.c.name == seal(KEY_ID, KEY, "person.name", NAME))
    with pytest.raises(CryptoError):
        statement.compile(compile_kwargs={"literal_binds": True})
