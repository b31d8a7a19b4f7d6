"""Open days with stations, queue tokens and tablets; cases and referrals carry them, cases their slip."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_open_days"
down_revision = "0007_outbox"
branch_labels = None
depends_on = None


def _instant(name: str, *, default: bool = False) -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    if default:
        return sa.Column(name, kind, server_default=sa.text("now()"), nullable=False)
    return sa.Column(name, kind, nullable=True)


def _foreign_key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def _key() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    _create_open_day()
    _create_stations_and_tokens()
    for table in ("case_file", "referral"):
        op.add_column(table, sa.Column("open_day_id", sa.BigInteger(), nullable=True))
        op.create_foreign_key(f"fk_{table}_open_day_id_open_day", table, "open_day", ["open_day_id"], ["id"])
        op.create_index(
            f"ix_{table}_open_day",
            table,
            ["open_day_id"],
            postgresql_where=sa.text("open_day_id IS NOT NULL"),
        )
    op.add_column("case_file", _instant("slip_given_at"))
    op.add_column("case_file", sa.Column("slip_given_by", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "fk_case_file_slip_given_by_user_account", "case_file", "user_account", ["slip_given_by"], ["id"]
    )


def _create_open_day() -> None:
    op.create_table(
        "open_day",
        _key(),
        sa.Column("office_id", sa.BigInteger(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("priorities", postgresql.JSONB(), nullable=False),
        sa.Column("planned_by", sa.BigInteger(), nullable=True),
        _instant("planned_at", default=True),
        sa.Column("opened_by", sa.BigInteger(), nullable=True),
        _instant("opened_at"),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        _instant("closed_at"),
        _foreign_key("open_day", "office_id", "office"),
        *(
            _foreign_key("open_day", name, "user_account")
            for name in ("planned_by", "opened_by", "closed_by")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_open_day"),
        sa.UniqueConstraint("office_id", "date", name="uq_open_day_office_id_date"),
    )
    op.create_index("ix_open_day_date", "open_day", ["date"])
    op.create_table(
        "open_day_tablet",
        sa.Column("open_day_id", sa.BigInteger(), nullable=False),
        sa.Column("tablet_id", sa.BigInteger(), nullable=False),
        _foreign_key("open_day_tablet", "open_day_id", "open_day"),
        _foreign_key("open_day_tablet", "tablet_id", "tablet"),
        sa.PrimaryKeyConstraint("open_day_id", "tablet_id", name="pk_open_day_tablet"),
    )
    op.create_index("ix_open_day_tablet_tablet_id", "open_day_tablet", ["tablet_id"])


def _create_stations_and_tokens() -> None:
    op.create_table(
        "station",
        _key(),
        sa.Column("open_day_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        _foreign_key("station", "open_day_id", "open_day"),
        sa.PrimaryKeyConstraint("id", name="pk_station"),
        sa.UniqueConstraint("open_day_id", "kind", "number", name="uq_station_open_day_id_kind_number"),
    )
    op.create_table(
        "queue_token",
        _key(),
        sa.Column("open_day_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Boolean(), nullable=False),
        sa.Column("priority_reason", sa.String(length=20), nullable=True),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("station_kind", sa.String(length=20), nullable=False),
        sa.Column("station_id", sa.BigInteger(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        _instant("called_at"),
        _instant("ended_at"),
        sa.CheckConstraint("priority_reason IS NULL OR priority", name="ck_queue_token_reason_of_priority"),
        _foreign_key("queue_token", "open_day_id", "open_day"),
        _foreign_key("queue_token", "case_id", "case_file"),
        _foreign_key("queue_token", "station_id", "station"),
        sa.PrimaryKeyConstraint("id", name="pk_queue_token"),
        sa.UniqueConstraint("open_day_id", "number", name="uq_queue_token_open_day_id_number"),
    )
    op.create_index("ix_queue_token_line", "queue_token", ["open_day_id", "state", "station_kind", "number"])
    op.create_index(
        "ix_queue_token_case", "queue_token", ["case_id"], postgresql_where=sa.text("case_id IS NOT NULL")
    )
    op.create_index(
        "uq_queue_token_at_station",
        "queue_token",
        ["station_id"],
        unique=True,
        postgresql_where=sa.text("state = 'called'"),
    )
