"""`prefrl serve` in a process of its own, and what it refuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from pages import say, sit

from prefrl.cli import main
from prefrl.labelers.web.serving import check_names, listen
from prefrl.presets import preset_config
from prefrl.queries import Query
from prefrl.runs import RunFolder
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

ROOT = Path(__file__).parents[1]


class TestServing:
    def refused(self, capsys, *arguments):
        assert main(["serve", *map(str, arguments)]) == 2
        said = capsys.readouterr().err.strip()
        assert "\n" not in said
        return said

    @pytest.fixture
    def run(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        run.create(preset_config("default", "prefrl/PointGoal-v0", labels=10, steps=20_000, seed=0))
        return run

    def test_another_address_needs_names(self):
        check_names("127.0.0.1", ())
        check_names("localhost", ())
        check_names("0.0.0.0", ("192.168.1.20", "my-laptop.local"))
        with pytest.raises(ValueError, match="`host` 0.0.0.0 needs `allow_host`"):
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
        assert "needs --allow-host" in self.refused(capsys, run.path, "--host", "0.0.0.0", "--question", "Nicer?")
        assert "from 0 to 1" in self.refused(capsys, run.path, "--repeat", "2")
        with listen("127.0.0.1", 0) as taken:
            port = taken.getsockname()[1]
            assert "is in use" in self.refused(capsys, run.path, "--port", port, "--question", "Nicer?")
        with PreferenceStore.existing(run.store) as store:
            assert store.question == "Which is better?"  # what is refused changes nothing
        config = json.loads(run.config_file.read_text())
        run.config_file.write_text(json.dumps(config | {"env_id": "Taxi-v4", "horizon": 50}))
        assert "nothing draws Taxi-v4" in self.refused(capsys, run.path)

    @pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
    def test_from_the_printed_address_to_the_end(self, run, rng, kind):
        states = [rng.uniform(-1, 1, size=(3, 4)).astype(np.float32) for _ in range(4)]
        segments = [
            Segment("prefrl/PointGoal-v0", {"obs": state}, state[:, :2], state[:, 0], state) for state in states
        ]
        with PreferenceStore(run.store) as store:
            store.ask([Query(tuple(segments[:2]), 0), Query(tuple(segments[2:]), 1)])
        command = [sys.executable, "-m", "prefrl.cli", "serve", str(run.path), "--question", "Which is nearer?"]
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
                assert tab["question"] == store.question == "Which is nearer?"
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
