import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.xvfb import x_server

# Tests run side by side: torch's threads, one for each processor in each of them, would stand in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["prefrl.testing", "stores", "pages", "browsers", "windows"]


def missing(what, why):
    """Skips a test whose PostgreSQL, X server or chromium is not installed; fails it if PREFRL_REQUIRE names that.

    Pip cannot install these programs, so that without root they may be missing where the rest can still be tested, as
    the README says. Nothing lands untested for it: .ci/run installs all three and sets PREFRL_REQUIRE.
    """
    if what in os.environ.get("PREFRL_REQUIRE", "").split():
        pytest.fail(f"PREFRL_REQUIRE has {what}: {why}")
    pytest.skip(
        f"{why}: only tests that start {what} need it, and pip cannot install it, so without root the rest "
        "can still be tested; .ci/run installs it and fails instead of skipping (PREFRL_REQUIRE)"
    )


@pytest.fixture(scope="session")
def postgresql():
    """The URL of the database `postgres` on a server of our own: a temporary folder, a socket in it, no port."""
    import psycopg

    installed = [shutil.which("initdb"), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    if not (initdb := [Path(path).resolve() for path in installed if path]):
        missing("postgresql", "initdb is neither on PATH nor in /usr/lib/postgresql (apt-get install postgresql)")
    # The server refuses to run as root.
    account = {"user": "postgres", "group": "postgres"} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="prefrl-"))  # pytest's own are too long for the name of a socket
    if account:
        shutil.chown(folder, **account)
    data, binaries = folder / "data", initdb[-1].parent
    init = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **account)
    options = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off"}
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        command = [binaries / "postgres", "-D", data, *settings]
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account)
    try:
        for _ in range(300):
            try:
                psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
                break
            except psycopg.OperationalError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for those who are still connected
        server.wait()
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_database(postgresql):
    """The URL of a new, empty database."""
    import psycopg

    name = f"store_{uuid4().hex}"
    with psycopg.connect(postgresql.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def x_display():
    """The name of an X display of our own, 1280x720 pixels in memory, for a window and xdotool."""
    if not (shutil.which("Xvfb") and shutil.which("xdotool")):
        missing("xvfb", "Xvfb and xdotool are not both on PATH (apt-get install xvfb xdotool)")
    with x_server() as display:
        yield display
