"""Prompt sets by content hash."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "prompt_sets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("label_set", sa.String(200)),
        sa.Column("llm", sa.String(200)),
        sa.Column("n_labels", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("ix_prompt_sets_created_at", "prompt_sets", ["created_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("prompt_sets")
