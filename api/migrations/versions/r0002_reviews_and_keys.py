"""Reviews with their audit trail, publications, and API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("base_id", sa.String(64), sa.ForeignKey("prompt_sets.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_reviews_name", "reviews", ["name"])
    op.create_index("ix_reviews_created_at", "reviews", ["created_at"])
    op.create_table(
        "review_events",
        sa.Column("review_id", sa.String(32), sa.ForeignKey("reviews.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("reviewer", sa.String(100), nullable=False),
        sa.Column("api_key", sa.String(100)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("phrase", sa.Text),
        sa.Column("replacement", sa.JSON),
    )
    op.create_table(
        "publications",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("prompt_set_id", sa.String(64), sa.ForeignKey("prompt_sets.id"), nullable=False),
        sa.Column("review_id", sa.String(32), sa.ForeignKey("reviews.id"), nullable=False),
        sa.Column("reviewer", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_publications_prompt_set_id", "publications", ["prompt_set_id"])
    op.create_index("ix_publications_at", "publications", ["at"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("api_keys", "publications", "review_events", "reviews"):
        op.drop_table(table)
