"""Who is let in to the page's server, and what it is told."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import HERE, TOKEN, say, sit
from starlette.testclient import TestClient

from prefrl.labelers.web.guard import HEADERS
from prefrl.labelers.web.messages import MOST_BYTES


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
            (b'{"name": "Oracle"}', "application/json", 400),
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
