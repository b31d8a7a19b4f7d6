"""Cases offered to other offices, needs handed over to other ministries, and people who were told where to go."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from db.crypto import Sealed

revision = "0015_transfers"
down_revision = "0014_governorates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("need", sa.Column("ministry", sa.String(length=20), nullable=True))
    _create_offers(
        "case_transfer",
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        ("case_id", "case_file"),
        ("from_office_id", "to_office_id"),
        lambda name: sa.Column(name, sa.BigInteger(), nullable=False),
        "other_office",
    )
    for column in ("from_office_id", "to_office_id"):
        op.create_foreign_key(
            f"fk_case_transfer_{column}_office", "case_transfer", "office", [column], ["id"]
        )
    _create_offers(
        "hand_over",
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        ("need_id", "need"),
        ("from_ministry", "to_ministry"),
        lambda name: sa.Column(name, sa.String(length=20), nullable=False),
        "other_ministry",
    )
    _create_information_given()


def _create_offers(
    table: str,
    about: sa.Column[int],
    reference: tuple[str, str],
    sides: tuple[str, str],
    side_column: Callable[[str], sa.Column[Any]],
    check: str,
) -> None:
    """Both tables of offers are alike but for what is offered and who stands on the two sides."""
    column, owner = reference
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        about,
        *(side_column(side) for side in sides),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("note", Sealed(), nullable=True),
        sa.Column("consent_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("requested_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_reason", sa.String(length=40), nullable=True),
        sa.CheckConstraint(f"{sides[0]} <> {sides[1]}", name=f"ck_{table}_{check}"),
        sa.CheckConstraint(
            "(state = 'offered') = (answered_at IS NULL)", name=f"ck_{table}_answered_when_not_open"
        ),
        sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=f"fk_{table}_{column}_{owner}"),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=f"fk_{table}_consent_id_consent"),
        *(
            sa.ForeignKeyConstraint([by], ["user_account.id"], name=f"fk_{table}_{by}_user_account")
            for by in ("requested_by", "answered_by")
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_index(
        f"uq_{table}_open", table, [column], unique=True, postgresql_where=sa.text("state = 'offered'")
    )
    op.create_index(f"ix_{table}_from", table, [sides[0], "requested_at"])
    op.create_index(f"ix_{table}_to", table, [sides[1], "requested_at"])


def _create_information_given() -> None:
    op.create_table(
        "information_given",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("need_id", sa.BigInteger(), nullable=False),
        sa.Column("service_at_location_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("given_by", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_information_given_need_id_need"),
        sa.ForeignKeyConstraint(
            ["service_at_location_id"],
            ["service_at_location.id"],
            name="fk_information_given_service_at_location_id_service_at_location",
        ),
        sa.ForeignKeyConstraint(
            ["given_by"], ["user_account.id"], name="fk_information_given_given_by_user_account"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_information_given"),
    )
    op.create_index("ix_information_given_need_id", "information_given", ["need_id"])
