"""The page's server, without a browser: sittings over HTTP, and who is let in."""

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("starlette")

import httpx2 as httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from prefrl.cli import main
from prefrl.labelers.subject import Subject
from prefrl.labelers.web.app import create_app
from prefrl.labelers.web.clips import Clips
from prefrl.labelers.web.guard import HEADERS
from prefrl.labelers.web.messages import MOST_BYTES
from prefrl.labelers.web.progress import POINTS, curve, progress, rate
from prefrl.labelers.web.serving import check_names, listen
from prefrl.labelers.web.tabs import FORGOTTEN_AFTER, MOST_TABS, Tabs
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, Query, Record
from prefrl.segments import Segment
from prefrl.store import PreferenceStore
from prefrl.testing import random_queries

ROOT = Path(__file__).parents[1]
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
def store(tmp_path):
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        yield store


@pytest.fixture
def queries(store, rng):
    queries = random_queries(30, rng, length=3)
    store.ask(queries)
    return queries


@pytest.fixture
def subject(tmp_path):
    return Subject(env_id="prefrl/Hopper-v0", horizon=None, on_end="absorb", folder=tmp_path)


@pytest.fixture
def app(store, subject):
    return create_app(store, subject, Clips(Drawn), token=TOKEN, repeat=0.0, rng=np.random.default_rng(0))


@pytest.fixture
def stranger(app):
    """A browser that has not seen the printed address."""
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


class TestSitting:
    def test_from_a_name_to_answers_in_the_store(self, store, queries, browser):
        tab = sit(browser, "  Ann ")
        assert (tab["labeler"], tab["answers"], len(tab["pairs"]), tab["subject"]) == ("Ann", 0, 3, "Hopper")
        assert tab["question"] == "Which is better?"
        first = queries[0]
        left = tab["pairs"][0]["left"]
        after = say(browser, tab, "answer", turn=tab["turn"], choice="left").json()
        (record,) = store.records()
        assert (record.labeler, record.query_id) == ("Ann", first.id)
        assert record.answer == (LEFT if left == first.segments[0].id else RIGHT)
        assert record.swapped == (left != first.segments[0].id)
        assert (after["answers"], len(after["pairs"])) == (1, 3)
        assert after["pairs"][0] == tab["pairs"][1]
        assert after["turn"] > tab["turn"]

    def test_what_is_said_twice_is_taken_once(self, store, queries, browser):
        tab = sit(browser)
        assert say(browser, tab, "answer", turn=tab["turn"], choice="left").status_code == 200
        again = say(browser, tab, "answer", turn=tab["turn"], choice="left")
        assert (again.status_code, again.json()["error"], again.json()["answers"]) == (409, "stale", 1)
        assert len(store.records()) == 1

    def test_undo_goes_back_through_the_sitting(self, store, queries, browser):
        tab = before = sit(browser)
        for _ in range(3):
            tab |= say(browser, tab, "answer", turn=tab["turn"], choice="tie").json()
        for left in (2, 1, 0):
            tab |= say(browser, tab, "undo", turn=tab["turn"]).json()
            assert tab["answers"] == left
        assert tab["pairs"][0] == before["pairs"][0]
        assert store.counts().labels == 0
        assert say(browser, tab, "undo", turn=tab["turn"]).json()["answers"] == 0

    def test_an_answer_that_the_store_refuses_is_passed_over(self, store, queries, browser):
        tab = sit(browser)
        store.answer(queries[0].id, "ann", INCOMPARABLE)
        said = say(browser, tab, "answer", turn=tab["turn"], choice="left")
        assert said.status_code == 409
        assert "answered query" in said.json()["error"]
        assert said.json()["pairs"][0] == tab["pairs"][1]

    def test_nothing_open_and_then_something(self, store, rng, browser):
        tab = sit(browser)
        assert tab["pairs"] == []
        assert say(browser, tab, "answer", turn=tab["turn"], choice="left").status_code == 409
        store.ask(random_queries(1, rng))
        later = say(browser, tab, "refill").json()
        assert (len(later["pairs"]), later["turn"]) == (1, tab["turn"] + 1)

    def test_clips_only_of_what_is_shown_or_comes_next(self, queries, browser):
        ann, bob = sit(browser, "ann"), sit(browser, "bob")
        for pair in ann["pairs"]:
            for segment in pair.values():
                clip = browser.get(f"/tabs/{ann['tab']}/clips/{segment}")
                assert (clip.status_code, clip.headers["content-type"]) == (200, "video/webm")
                assert clip.content.startswith(b"3 ")
                assert browser.get(f"/tabs/{bob['tab']}/clips/{segment}").status_code == 404
        assert browser.get(f"/tabs/{ann['tab']}/clips/{queries[20].segments[0].id}").status_code == 404

    def test_a_clip_that_nothing_draws(self, store, rng, browser):
        steps = [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(2)]
        bare = tuple(Segment("test/Bare-v0", obs, obs, obs[:, 0]) for obs in steps)
        store.ask([Query(bare, 0)])
        tab = sit(browser)
        said = browser.get(f"/tabs/{tab['tab']}/clips/{bare[0].id}")
        assert (said.status_code, said.json()) == (409, {"error": "this clip keeps nothing to draw it by"})

    def test_a_closed_tab_gives_back_what_it_held(self, store, queries, browser):
        tab = sit(browser)
        assert store.counts().held == 3
        assert say(browser, tab, "close").status_code == 204
        assert store.counts().held == 0
        assert say(browser, tab, "refill").status_code == 404
        assert say(browser, tab, "close").status_code == 204

    def test_the_end_of_the_server_gives_back_everything(self, store, queries, app):
        with TestClient(app, HERE, headers={"origin": HERE}) as browser:
            browser.get("/", params={"token": TOKEN})
            sit(browser, "ann")
            sit(browser, "bob")
            assert store.counts().held == 6
        assert store.counts().held == 0

    def test_the_trainer_and_a_question_of_ones_own(self, store, subject, queries):
        (subject.folder / "status.json").write_text('{"step": 5, "steps": 10, "labels": "many", "odd": 1}')
        app = create_app(store, subject, Clips(Drawn), token=TOKEN, question="Which flips?")
        with TestClient(app, HERE, headers={"origin": HERE}) as browser:
            browser.get("/", params={"token": TOKEN})
            tab = sit(browser)
        assert (tab["question"], tab["trainer"]) == ("Which flips?", {"step": 5, "steps": 10})

    @pytest.mark.parametrize("status", ["", "[1]", '{"step": true, "steps": null}', "\x00"])
    def test_a_trainer_that_says_nothing_of_use(self, subject, status):
        (subject.folder / "status.json").write_text(status)
        assert subject.trainer().said() == {}

    def test_eight_labelers_at_once_lose_and_double_nothing(self, store, rng, browser):
        store.ask(random_queries(80, rng, length=2))

        def label(name):
            tab = sit(browser, name)
            while tab["pairs"]:
                tab |= say(browser, tab, "answer", turn=tab["turn"], choice="right").json()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(label, [f"labeler {number}" for number in range(8)]))
        assert len({record.query_id for record in store.records()}) == len(store.records()) == 80


class TestTabs:
    def test_are_forgotten_when_nothing_is_heard_of_them(self, store, queries):
        now = [0.0]
        tabs = Tabs(store, np.random.default_rng(0), clock=lambda: now[0])
        old, new = tabs.open("ann"), tabs.open("bob")
        now[0] = FORGOTTEN_AFTER - 1
        assert tabs.find(new) is not None
        now[0] = FORGOTTEN_AFTER + 1
        tabs.forget_unseen()
        assert (tabs.find(old), len(tabs)) == (None, 1)
        assert tabs.find(new) is not None

    def test_are_not_without_number(self, store, browser):
        for _ in range(MOST_TABS):
            assert browser.post("/tabs", json={"name": "ann"}).status_code == 201
        assert browser.post("/tabs", json={"name": "ann"}).status_code == 429

    def test_a_closed_one_takes_nothing_any_more(self, store, queries):
        tabs = Tabs(store, np.random.default_rng(0))
        name = tabs.open("ann")
        tab = tabs.find(name)
        tabs.close(name)
        tab.refill()
        assert store.counts().held == 0


class TestGuard:
    def test_the_token_moves_into_a_cookie(self, stranger):
        said = stranger.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert (said.status_code, said.headers["location"]) == (303, "/")
        cookie = said.headers["set-cookie"].lower()
        assert cookie.startswith("prefrl-8000=")
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "<title>prefrl" in stranger.get("/").text

    def test_from_a_link_elsewhere_our_own_page_asks_for_the_next(self, stranger):
        headers = {"sec-fetch-site": "cross-site"}
        said = stranger.get("/", params={"token": TOKEN}, headers=headers, follow_redirects=False)
        assert (said.status_code, TOKEN in said.text) == (200, False)
        assert 'url=/"' in said.text

    @pytest.mark.parametrize(
        "path", ["/", "/?token=", "/?token=wrong", "/?token=%ff%00", "/page.js", "/progress", "/progress.json",
                 "/tabs/x/clips/y", "/nowhere", f"/page.js?token={TOKEN}"]
    )  # fmt: skip
    def test_without_the_cookie_nothing(self, stranger, path):
        said = stranger.get(path)
        assert (said.status_code, "prefrl serve" in said.text) == (403, True)
        assert stranger.post("/tabs", json={"name": "ann"}).status_code == 403

    def test_another_cookie_is_none(self, stranger):
        assert stranger.get("/", headers={"cookie": "prefrl-8000=wrong; prefrl=a-secret"}).status_code == 403
        assert stranger.get("/", headers={"cookie": f"x=1; prefrl-8000={TOKEN}"}).status_code == 200

    @pytest.mark.parametrize(
        "host, status",
        [("localhost:8000", 200), ("127.0.0.1:8000", 200), ("LOCALHOST:8000", 200), ("[::1]:8000", 200),
         ("evil.example:8000", 421), ("127.0.0.1.evil.example:8000", 421), ("0.0.0.0:8000", 421),
         ("localhost:8000@evil.example", 400), ("", 400), ("localhost:8000, evil", 400), ("local host", 400)],
    )  # fmt: skip
    def test_by_names_of_its_own_only(self, browser, host, status):
        said = browser.get("/", headers={"host": host, "cookie": f"prefrl-8000={TOKEN}"})
        assert said.status_code == status

    @pytest.mark.parametrize(
        "headers, status",
        [
            ({"origin": HERE}, 201),
            ({"origin": HERE, "sec-fetch-site": "same-origin"}, 201),
            ({"origin": "null", "sec-fetch-site": "same-origin"}, 201),
            ({"origin": HERE, "sec-fetch-site": "same-site"}, 403),
            ({"origin": HERE, "sec-fetch-site": "cross-site"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": ""}, 403),
            ({"origin": "http://127.0.0.1:9000"}, 403),
            ({"origin": "http://evil.example"}, 403),
            ({"origin": "http://[evil"}, 403),
            ({"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ],
    )
    def test_from_its_own_pages_only(self, browser, headers, status):
        assert browser.post("/tabs", json={"name": "ann"}, headers=headers).status_code == status

    def test_a_post_that_does_not_say_where_it_comes_from(self, app):
        with TestClient(app, HERE) as client:
            client.get("/", params={"token": TOKEN})
            assert client.post("/tabs", json={"name": "ann"}).status_code == 403

    def test_every_reply_forbids_what_it_can(self, browser, stranger):
        for path in ("/", "/page.js", "/nowhere", "/progress.json"):
            said = browser.get(path)
            assert {name: said.headers[name] for name in HEADERS} == HEADERS
        policy = HEADERS["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy

    def test_the_pages_keep_to_the_policy(self, browser):
        for path in ("/", "/progress"):
            page = browser.get(path).text
            assert "style=" not in page
            assert " on" not in page.replace(" on ", "").split("<body>")[0]
            assert page.count("<script") == page.count('<script type="module" src="/')

    @pytest.mark.parametrize(
        "path", ["/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/pages/page.js", "/page.html/../../app.py",
                 "/preferences.sqlite3", "/%00", "/page.js/", "/tabs/../../etc/passwd/clips/x"]
    )  # fmt: skip
    def test_no_other_file(self, browser, path):
        assert browser.get(path).status_code in (403, 404, 405)


class TestMessages:
    @pytest.mark.parametrize(
        "body, kind, status",
        [
            (b'{"name": "ann"}', "application/json; charset=utf-8", 201),
            (b'{"name": "ann"}', "text/plain", 415),
            (b"name=ann", "application/x-www-form-urlencoded", 415),
            (b"", "application/json", 400),
            (b"{", "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b"[" * MOST_BYTES, "application/json", 400),
            (b"[]", "application/json", 400),
            (b'{"name": 1}', "application/json", 400),
            (b'{"name": ""}', "application/json", 400),
            (b'{"name": "a\\u0000b"}', "application/json", 400),
            (b'{"name": "\\ud800"}', "application/json", 400),
            (b'{"name": "%s"}' % (b"a" * 41), "application/json", 400),
            (b'{"name": "ann", "more": 1}', "application/json", 400),
            (b" " * (MOST_BYTES + 1), "application/json", 413),
        ],
    )
    def test_are_small_objects_of_just_these_fields(self, browser, body, kind, status):
        assert browser.post("/tabs", content=body, headers={"content-type": kind}).status_code == status

    def test_one_that_does_not_say_its_length(self, browser):
        parts = (b" " * 1000 for _ in range(10))
        assert browser.post("/tabs", content=parts, headers={"content-type": "application/json"}).status_code == 413

    @pytest.mark.parametrize("turn, choice", [(True, "left"), (0, "lef"), (0, 1), ("0", "left"), (None, "left")])
    def test_an_answer_that_is_none(self, store, queries, browser, turn, choice):
        said = say(browser, sit(browser), "answer", turn=turn, choice=choice)
        assert said.status_code == 400
        assert store.records() == []

    def test_a_store_that_fails_leaves_no_trace(self, store, queries, browser, monkeypatch):
        from sqlalchemy.exc import OperationalError

        def fail(*_):
            raise OperationalError("SELECT secret", {}, Exception("disk I/O error"))

        tab = sit(browser)
        monkeypatch.setattr(store, "answer", lambda *_, **__: fail())
        said = say(browser, tab, "answer", turn=tab["turn"], choice="left")
        assert (said.status_code, said.json()) == (503, {"error": "the store cannot be reached now"})


TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
BODIES = st.binary(max_size=6000) | VALUES.map(json.dumps).map(str.encode) | st.fixed_dictionaries(
    {}, optional={"name": VALUES, "turn": VALUES, "choice": VALUES}
).map(json.dumps).map(str.encode)  # fmt: skip
PARTS = st.sampled_from(["tabs", "TAB", "answer", "undo", "refill", "close", "clips", "..", "%2e%2e", "page.js", ""])
PATHS = st.lists(PARTS | TEXT, max_size=5).map(lambda parts: "/" + "/".join(quote(part, safe="%.") for part in parts))


@pytest.mark.usefixtures("queries")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]), path=PATHS, body=BODIES,
    kind=st.sampled_from(["application/json", "text/plain", ""]) | TEXT, host=st.none() | TEXT, let_in=st.booleans(),
)  # fmt: skip
def test_whatever_is_sent_no_5xx_no_trace_no_other_file(app, method, path, body, kind, host, let_in):
    # No `with`: the application's end would close what the next example needs.
    client = TestClient(app, HERE, raise_server_exceptions=False, headers={"origin": HERE})
    headers = {"content-type": kind.encode("latin-1")} | ({} if host is None else {"host": host.encode("latin-1")})
    if let_in:
        client.get("/", params={"token": TOKEN})
        path = path.replace("TAB", client.post("/tabs", json={"name": "ann"}).json().get("tab", "TAB"))
    said = client.request(method, HERE + path, content=body, headers=headers)
    assert said.status_code < 500
    assert not any(word in said.content for word in (b"Traceback", b'.py"', b"root:", b"SQLite format"))
    assert let_in or said.status_code >= 400


class TestClips:
    def test_the_most_urgent_first_and_each_once(self, rng):
        order, gate = [], threading.Event()

        class Slow(Drawn):
            def __call__(self, states):
                gate.wait()
                order.append(states.sum())
                return b"clip"

        segments = [segment for query in random_queries(3, rng) for segment in query.segments]
        clips = Clips(Slow)
        clips.want(segments[:1])
        time.sleep(0.05)  # it is being drawn
        clips.want(segments)
        urgent = clips.clip(segments[5])
        gate.set()
        assert urgent.result(5) == b"clip"
        assert all(clips.clip(segment).result(5) == b"clip" for segment in segments)
        clips.close()
        expected = [segments[number].render_states.sum() for number in (0, 5, 1, 2, 3, 4)]
        assert order == expected

    def test_a_process_that_died_is_started_again(self, rng):
        started = []

        class Dying(Drawn):
            def __init__(self):
                super().__init__()
                started.append(self)

            def __call__(self, states):
                if len(started) == 1:
                    raise EOFError
                return b"clip"

        (query,) = random_queries(1, rng)
        clips = Clips(Dying)
        with pytest.raises(ValueError, match="has died"):
            clips.clip(query.segments[0]).result(5)
        assert clips.clip(query.segments[0]).result(5) == b"clip"
        clips.close()
        assert [each.closed for each in started] == [True, True]

    def test_only_the_last_ones_are_kept(self, rng):
        drawn = []

        class Counting(Drawn):
            def __call__(self, states):
                drawn.append(1)
                return b"clip"

        segments = [segment for query in random_queries(3, rng) for segment in query.segments]
        clips = Clips(Counting, kept=2)
        for segment in [*segments, segments[-1], segments[0]]:
            clips.clip(segment).result(5)
        clips.close()
        assert len(drawn) == len(segments) + 1


class TestProgress:
    def record(self, query, at, labeler="ann", answer=LEFT, repeat=False, withdrawn_at=None):
        return Record(f"q{query}", 0, labeler, answer, False, repeat, 2.0, at, withdrawn_at)

    def test_the_curve_counts_queries_that_stand(self):
        records = [
            self.record(0, 10.0), self.record(0, 11.0, "bob"), self.record(1, 12.0, withdrawn_at=13.0),
            self.record(2, 14.0, answer=INCOMPARABLE), self.record(3, 15.0), self.record(3, 16.0, repeat=True),
        ]  # fmt: skip
        assert curve(records) == [(10.0, 1), (15.0, 2)]
        assert curve([]) == []

    @pytest.mark.parametrize("number", [1, POINTS, POINTS + 1, 1000, 1999])
    def test_a_long_curve_is_thinned_out_from_its_first_to_its_last(self, number):
        points = curve([self.record(i, float(i)) for i in range(number)])
        assert (points[0], points[-1]) == ((0.0, 1), (float(number - 1), number))
        assert len(points) <= POINTS + 2
        assert points == sorted(set(points))

    @pytest.mark.parametrize("now, expected", [(10.0, 3.0), (120.0, 1.5), (605.0, 0.1), (2000.0, 0.0)])
    def test_the_rate_is_of_the_last_ten_minutes(self, now, expected):
        records = [self.record(i, at) for i, at in enumerate((0.0, 2.0, 9.0))]
        assert rate(records, now) == pytest.approx(expected)

    def test_over_http(self, store, queries, browser):
        assert browser.get("/progress.json").json()["labelers"] == []
        tab = sit(browser)
        say(browser, tab, "answer", turn=tab["turn"], choice="left")
        said = browser.get("/progress.json").json()
        assert (said["counts"]["labels"], said["labelers"][0]["name"], len(said["curve"])) == (1, "ann", 1)
        assert said["subject"] == "Hopper"

    def test_agreement_of_two(self, store, rng):
        queries = random_queries(4, rng)
        store.ask(queries, answers_wanted=2)
        for query in queries:
            for labeler in ("ann", "bob"):
                store.answer(query.id, labeler, LEFT if query is queries[0] else RIGHT)
        found = progress(store.records(), store.counts(), time.time())["agreement"]
        assert (found["labelers"], found["queries"], found["kappa"]) == (2, 4, 1.0)


class TestServing:
    def refused(self, capsys, *arguments):
        assert main(["serve", *map(str, arguments)]) == 2
        said = capsys.readouterr().err.strip()
        assert "\n" not in said
        return said

    @pytest.fixture
    def run(self, tmp_path):
        from prefrl.presets import preset_config
        from prefrl.runs import RunFolder

        run = RunFolder(tmp_path / "run")
        run.create(preset_config("default", "prefrl/PointGoal-v0", labels=10, steps=20_000, seed=0))
        return run

    def test_another_address_needs_names(self):
        check_names("127.0.0.1", ())
        check_names("localhost", ())
        check_names("0.0.0.0", ("192.168.1.20", "my-laptop.local"))
        with pytest.raises(ValueError, match="--host 0.0.0.0 needs --allow-host"):
            check_names("0.0.0.0", ())
        with pytest.raises(ValueError, match="names without a port"):
            check_names("0.0.0.0", ("192.168.1.20:80",))

    def test_a_port_in_use(self):
        with listen("127.0.0.1", 0) as first, pytest.raises(ValueError, match="is in use"):
            listen("127.0.0.1", first.getsockname()[1])
        with pytest.raises(ValueError, match="from 0 to 65535"):
            listen("127.0.0.1", 70_000)

    def test_what_cannot_work_is_one_line(self, tmp_path, run, capsys):
        assert "no run at" in self.refused(capsys, tmp_path / "nowhere")
        assert "no store at" in self.refused(capsys, run.path)
        with PreferenceStore(run.store):
            pass
        assert "needs --allow-host" in self.refused(capsys, run.path, "--host", "0.0.0.0")
        assert "from 0 to 1" in self.refused(capsys, run.path, "--repeat", "2")
        with listen("127.0.0.1", 0) as taken:
            assert "is in use" in self.refused(capsys, run.path, "--port", taken.getsockname()[1])
        config = json.loads(run.config_file.read_text())
        run.config_file.write_text(json.dumps(config | {"env_id": "Taxi-v4", "horizon": 50}))
        assert "nothing draws Taxi-v4" in self.refused(capsys, run.path)

    @pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
    def test_from_the_printed_address_to_the_end(self, run, rng, kind):
        states = [rng.uniform(-1, 1, size=(3, 4)).astype(np.float32) for _ in range(4)]
        segments = [Segment("prefrl/PointGoal-v0", state, state[:, :2], state[:, 0], state) for state in states]
        with PreferenceStore(run.store) as store:
            store.ask([Query(tuple(segments[:2]), 0), Query(tuple(segments[2:]), 1)])
        command = [sys.executable, "-m", "prefrl.cli", "serve", str(run.path)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        address = server.stdout.readline().strip()
        here = address.split("/?")[0]
        with httpx.Client(base_url=here, headers={"origin": here}, follow_redirects=True, timeout=30) as browser:
            assert browser.get(address).status_code == 200
            tab = sit(browser)
            clip = browser.get(f"/tabs/{tab['tab']}/clips/{tab['pairs'][0]['left']}")
            assert clip.content[:4] == b"\x1aE\xdf\xa3"  # Matroska's first word
            say(browser, tab, "answer", turn=tab["turn"], choice="left")
            with PreferenceStore.existing(run.store) as store:
                assert (store.counts().held, store.counts().labels) == (1, 1)
            server.send_signal(kind)
            said = server.communicate(timeout=20)
        assert said[1].strip() == "open this to label; Ctrl-C ends it, and every answer is saved as it is given"
        assert server.returncode == (0 if kind == signal.SIGINT else -signal.SIGTERM)
        with PreferenceStore.existing(run.store) as store:
            assert (store.counts().held, store.counts().labels) == (0, 1)

    def test_without_the_extra(self, run, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "uvicorn", None)
        monkeypatch.delitem(sys.modules, "prefrl.labelers.web.serving")
        monkeypatch.delattr("prefrl.labelers.web.serving")
        assert "pip install 'prefrl[web]'" in self.refused(capsys, run.path)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_benchmark_in_small_finds_nothing_lost_or_double(engine, request, tmp_path):
    store = ["--store", request.getfixturevalue("postgresql_database")] if engine == "postgresql" else []
    command = [sys.executable, "benchmarks/web.py", "--answers", "60", "--requests", "200", *store]
    said = subprocess.run([*command, "--out", str(tmp_path / "out.json")], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    assert (figures["labelers"]["lost"], figures["labelers"]["double"], figures["held_after_the_end"]) == (0, 0, 0)
    assert figures["malformed"]["new_files"] == []
    assert sum(figures["malformed"]["statuses"].values()) == 200
