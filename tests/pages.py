"""The labeling page for tests: an application on a store, and a browser that is none."""

import numpy as np
import pytest
from prefrl_envs.task import TaskConfig

from prefrl.labelers.subject import Subject

TOKEN = "a-secret"
HERE = "http://127.0.0.1:8000"


class Drawn:
    """Draws at once: the number of states, and what they add up to."""

    def __init__(self):
        self.closed = False

    def __call__(self, states):
        return f"{len(states)} {states.sum():.3f}".encode()

    def close(self):
        self.closed = True


@pytest.fixture
def subject(tmp_path):
    return Subject(task=TaskConfig("prefrl/Hopper-v0"), folder=tmp_path)


@pytest.fixture
def app(store, subject):
    from prefrl.labelers.web.app import create_app
    from prefrl.labelers.web.clips import Clips

    return create_app(store, subject, Clips(Drawn), token=TOKEN, repeat=0.0, rng=np.random.default_rng(0))


@pytest.fixture
def stranger(app):
    """A browser that has not seen the printed address."""
    from starlette.testclient import TestClient

    with TestClient(app, HERE, raise_server_exceptions=False, headers={"origin": HERE}) as client:
        yield client


@pytest.fixture
def browser(stranger):
    stranger.get("/", params={"token": TOKEN})
    return stranger


def sit(browser, name="ann"):
    return browser.post("/tabs", json={"name": name}).json()


def say(browser, tab, what, **message):
    return browser.post(f"/tabs/{tab['tab']}/{what}", json=message)
