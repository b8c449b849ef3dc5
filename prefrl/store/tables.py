"""The tables of a preference store, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 1  # goes up with every change that an older prefrl could not read

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Text, primary_key=True),  # Segment.id
    Column("env_id", Text, nullable=False),
    Column("blob", LargeBinary, nullable=False),  # prefrl.store.codec
)

queries = Table(
    "queries",
    metadata,
    Column("seq", Integer, primary_key=True),  # the order of asking
    Column("id", Text, nullable=False, unique=True),  # Query.id
    Column("step", BigInteger, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),  # until the first answer
    Column("claimed_by", Text),
    Column("claimed_until", Double),  # seconds since 1970
    sqlite_autoincrement=True,
)

# Keeps `claim` as fast after 100,000 answers as before the first.
is_open = queries.c.open.is_(True)
Index("open_queries", queries.c.seq, sqlite_where=is_open, postgresql_where=is_open)

query_segments = Table(
    "query_segments",
    metadata,
    Column("query_id", ForeignKey("queries.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # 0 is shown first
    Column("segment_id", ForeignKey("segments.id"), nullable=False),
    sqlite_with_rowid=False,
)

labelers = Table(
    "labelers",
    metadata,
    Column("name", Text, primary_key=True),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("query_id", ForeignKey("queries.id"), nullable=False),
    Column("labeler", ForeignKey("labelers.name"), nullable=False),
    Column("ranks", Text),  # JSON list, 0 for the best; NULL: cannot be compared
    Column("answered_at", Double, nullable=False),  # seconds since 1970
    Column("seconds", Double),  # that the labeler took, where known
    UniqueConstraint("query_id", "labeler"),
)
