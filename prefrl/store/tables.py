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
    false,
)

SCHEMA_VERSION = 3  # goes up with every change that an older prefrl could not read
MIGRATED = ("2",)  # versions that lack columns and nothing else

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
    Column("answers_wanted", Integer, nullable=False),  # each from another labeler
    Column("open", Boolean, nullable=False),  # until it has the answers that it wants, or is outdated
    Column("expired_at", Double),  # seconds since 1970; NULL: not outdated, and asked here
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

# A row is dead once its time ran out; a labeler that claims again takes its own over.
claims = Table(
    "claims",
    metadata,
    Column("query_id", ForeignKey("queries.id"), primary_key=True),
    Column("labeler", Text, primary_key=True),
    Column("until", Double, nullable=False),  # seconds since 1970
    Index("claims_of_labelers", "labeler"),
    sqlite_with_rowid=False,
)

labelers = Table(
    "labelers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False, server_default="person"),  # prefrl.queries.LabelerKind
)

answers = Table(
    "answers",
    metadata,
    Column("id", Integer, primary_key=True),  # the order of answering
    Column("query_id", ForeignKey("queries.id"), nullable=False),
    Column("labeler", ForeignKey("labelers.name"), nullable=False),
    Column("ranks", Text),  # JSON list in the query's order, 0 for the best; NULL: cannot be compared
    Column("swapped", Boolean, nullable=False),  # the segments were shown in reverse
    Column("repeat", Boolean, nullable=False),  # shown a second time, for self-consistency; no label
    Column("answered_at", Double, nullable=False),  # seconds since 1970
    Column("seconds", Double),  # that the labeler took, where known
    Column("withdrawn_at", Double),  # seconds since 1970; NULL: it stands
    Column("shown", Text),  # JSON list: which segment was shown first, second, ...; NULL: as `swapped` says
    Column("strength", Double),  # how much better, on the labeling tool's own scale
    Column("rating", Text),  # JSON list of one number a segment in the query's order, larger for better
    Column("note", Text),
    Column("flag", Boolean, nullable=False, server_default=false()),  # something is wrong with a clip
)

stands = answers.c.withdrawn_at.is_(None)
Index(
    "standing_answers",
    answers.c.query_id,
    answers.c.labeler,
    answers.c.repeat,
    unique=True,
    sqlite_where=stands,
    postgresql_where=stands,
)
withdrawn = answers.c.withdrawn_at.is_not(None)
Index("withdrawn_answers", answers.c.id, sqlite_where=withdrawn, postgresql_where=withdrawn)
