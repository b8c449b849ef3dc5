"""Stores for tests, small queries to ask of them, and what looks into them."""

import numpy as np
import pytest
from sqlalchemy import text

from prefrl.queries import Query
from prefrl.segments import Segment
from prefrl.store import Counts, PreferenceStore
from prefrl.testing import random_queries


class Clock:
    """Turned by hand, and by `tick` seconds whenever it is looked at."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 1000.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store_file(tmp_path):
    return tmp_path / "preferences.sqlite3"


@pytest.fixture
def store(store_file, clock):
    with PreferenceStore(store_file, clock=clock) as opened:
        yield opened


@pytest.fixture
def queries(store, rng):
    """100 queries that the store was asked."""
    queries = random_queries(100, rng, length=3)
    store.ask(queries)
    return queries


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request):
    """Where a store may be made, on every engine that there is."""
    return request.getfixturevalue("store_file" if request.param == "sqlite" else "postgresql_database")


def a_segment(number):
    return Segment("toy", {"obs": np.full((3, 2), number)}, np.zeros((3, 1)), np.full(3, float(number)))


def a_query(number, step=0, size=2):
    return Query(tuple(a_segment(10 * number + i) for i in range(size)), step=step)


def sql(store, statement, **values):
    """Rows of a statement of the test's own, or None if it gives none."""
    with store._reading.begin() as connection:
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else None


def counts(**numbers):
    return Counts(**dict.fromkeys(("asked", "open", "held", "labels", "skipped", "expired"), 0) | numbers)


def ids(comparisons):
    return [comparison.query.id for comparison in comparisons]


class Always:
    """Gives one answer to everything; where that is an exception, raises it."""

    kind = "model"

    def __init__(self, answer, name="always"):
        self.answer, self.name = answer, name

    def label(self, queries):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return [self.answer] * len(queries)
