# SPDX-License-Identifier: MIT
"""What systemd does with the units in scripts/systemd, done by hand: sockets handed over, a socket that hears the program's state, keys in a folder."""

import contextlib
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

import fcgi_peer
from expect import is_error
from fcgi_peer import Peer
from stack import SCRIPTS, Program, new_directory
from test_restart import Load, nginx_errors
from waits import DEADLINE, eventually

UNITS = SCRIPTS / "systemd"
KEY = "0tUHRt4qk0wWC7W9Ht1sZw"
# A request to each face that is answered at once.
WHERE = {"poll": ("GET", "/poll", "user=alice&timeout=0"), "push": ("GET", "/mailbox", "user=alice")}

# A process of systemd becomes the program: it has the sockets on 3, 4, …, or one on 0.
BECOME = """
import os, sys
place, *numbers = map(int, sys.argv[1].split(","))
kept = [os.dup2(number, 100 + at) for at, number in enumerate(numbers)]
for at, number in enumerate(kept):
    os.dup2(number, place + at)
    os.close(number)
os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""

each_service = pytest.mark.parametrize("service", ["letterbox", "letterbox-poll", "letterbox-push"])


def values(unit, name):
    """A unit's values of a setting, in order; for a service including those that all have in common."""
    text = (UNITS / unit).read_text() + ((UNITS / "service.conf").read_text() if unit.endswith(".service") else "")
    return re.findall(rf"^{name}=(.*)$", text, re.M)


class Supervisor:
    """Keeps the sockets of one service, and runs its program as the unit says."""

    def __init__(self, service, directory, redis, abstract=False, **settings):
        self.service = service
        self.settings = {"open": 1, "workers": 2, "redis": redis} | settings
        self.keys = directory / "credentials"
        self.keys.mkdir()
        self.sockets = {}
        for path in values(f"{service}.socket", "ListenStream"):
            path = directory / Path(path).name
            path.unlink(missing_ok=True)
            listening = self.sockets[path.stem] = socket.socket(socket.AF_UNIX)
            listening.bind(str(path))
            path.chmod(0o666)
            listening.listen(int(values(f"{service}.socket", "Backlog")[0]))
        name = "@" + directory.name if abstract else str(directory / "notify")
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(name.replace("@", "\0"))
        self.notified.settimeout(DEADLINE)
        self.variables = {"NOTIFY_SOCKET": name, "CREDENTIALS_DIRECTORY": str(self.keys)}
        self.program = None

    def path(self, face):
        return self.sockets[face].getsockname()

    def start(self, **variables):
        """Starts the program; the program itself says when it is ready."""
        command, *arguments = values(f"{self.service}.service", "ExecStart")[0].split()
        place = 0 if values(f"{self.service}.service", "StandardInput") == ["socket"] else 3
        numbers = [one.fileno() for one in self.sockets.values()]
        self.program = Program(Path(command).name.removeprefix("letterbox-"), *arguments, settings=self.settings,
                               by=["/usr/bin/python3", "-c", BECOME, ",".join(map(str, [place, *numbers]))],
                               variables=self.variables | variables, pass_fds=numbers)
        return self.program

    def hears(self, what):
        """Returns when the program has said that state; the states that it said before."""
        said = []
        while (state := self.notified.recv(4096).decode()) != what:
            said.append(state)
        return said

    def heard(self):
        """The states that it has said by now."""
        states = []
        self.notified.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                states.append(self.notified.recv(4096).decode())
        self.notified.settimeout(DEADLINE)
        return states

    def restart(self):
        """As systemctl restart does: the sockets stay."""
        assert self.program.end() == 0
        assert self.heard()[-1] == "STOPPING=1"
        self.start()
        self.hears("READY=1")

    def end(self):
        if self.program and self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        for one in (*self.sockets.values(), self.notified):
            one.close()


@pytest.fixture
def supervise(stack):
    """Makes supervisors of a service that use the Redis of a stack, or another."""
    made = []

    def make(service, directory=None, redis=f"unix:{stack.socket('redis')}", **more):
        directory = directory or new_directory()
        made.append((Supervisor(service, directory, redis, **more), directory))
        return made[-1][0]

    yield make
    for supervisor, directory in made:
        supervisor.end()
        shutil.rmtree(directory)


@pytest.fixture
def in_its_place(private_stack):
    """A supervisor that takes the place of the program of a stack: nginx finds it on the same sockets."""
    private_stack.end("poll")
    supervisor = Supervisor("letterbox", private_stack.dir / "run", f"unix:{private_stack.socket('redis')}")
    yield private_stack, supervisor
    supervisor.end()


# --- ready

@each_service
@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_ready_first(supervise, service, abstract):
    """a request that waits on the socket before the program starts is answered, and the program says that it is ready before that"""
    supervisor = supervise(service, abstract=abstract)
    waiting = {face: Peer(supervisor.path(face)).send(fcgi_peer.request(*WHERE[face])) for face in supervisor.sockets}
    supervisor.start()
    for peer in waiting.values():
        assert peer.receive().status == 200
        peer.close()
    # The answer came after it: so the word is here by now.
    assert supervisor.heard() == ["READY=1"]
    assert supervisor.program.end() == 0
    assert supervisor.heard() == ["STOPPING=1"]


def test_ready_without_redis(supervise):
    """a program is ready for its supervisor while Redis is away, which /readyz reports, and need not be restarted for that"""
    supervisor = supervise("letterbox", redis="127.0.0.1:1")
    supervisor.start()
    supervisor.hears("READY=1")
    with Peer(supervisor.path("push")) as peer:
        assert is_error(peer.exchange("GET", "/readyz"), 503, "not_ready")


@pytest.mark.parametrize("setting", [{"poll_timeout": "nonsense"}, {"redis": "nonsense:"}], ids=["number", "address"])
def test_not_ready(supervise, setting):
    """a program whose settings are wrong is never ready, and ends by the status after which the units do not start it again"""
    supervisor = supervise("letterbox", **setting)
    assert str(supervisor.start().wait(DEADLINE)) in values("letterbox.service", "RestartPreventExitStatus")
    assert supervisor.heard() == []


# --- watchdog

def test_watchdog(supervise, hang_library):
    """signs of life come several times within the period, and none comes from a program with a worker that hangs"""
    supervisor = supervise("letterbox")
    supervisor.start(WATCHDOG_USEC="2000000", LD_PRELOAD=str(hang_library), ASAN_OPTIONS="verify_asan_link_order=0")
    supervisor.hears("READY=1")
    for _ in range(4):
        assert supervisor.hears("WATCHDOG=1") == []
    with Peer(supervisor.path("push")) as hanging:
        hanging.send(fcgi_peer.request("GET", "/healthz", "hang-this-worker"))
        eventually(lambda: "it hangs" in supervisor.program.said(), "it hangs")
        supervisor.heard()
        supervisor.notified.settimeout(2.0)  # the whole period: systemd would end it by then
        said = []
        with contextlib.suppress(TimeoutError):
            while len(said) < 2:
                said.append(supervisor.notified.recv(4096).decode())
        assert len(said) <= 1, "one may still tell of the time before it hung"
    assert supervisor.program.poll() is None


def test_no_watchdog(supervise):
    """a program that is not watched, or whose watchdog is meant for another process, gives no sign of life"""
    supervisor = supervise("letterbox")
    supervisor.start()
    supervisor.hears("READY=1")
    for number in (signal.SIGHUP, signal.SIGHUP):  # the program works
        supervisor.program.send_signal(number)
    with Peer(supervisor.path("poll")) as peer:
        assert peer.exchange(*WHERE["poll"]).status == 200
    assert supervisor.heard() == []


def test_watchdog_period():
    """the units' period for signs of life is much longer than a busy worker may take for one"""
    assert int(values("letterbox.service", "WatchdogSec")[0]) >= 10


# --- restart

def test_restart_under_load(in_its_place, users):
    """three restarts in a row on sockets that a supervisor keeps, under load: not one request fails, and every accepted push comes to every client once and in order"""
    stack, supervisor = in_its_place
    supervisor.start()
    supervisor.hears("READY=1")

    def restarts():
        for _ in range(3):
            supervisor.restart()

    load = Load(users(50)).run(stack, restarts)
    assert load.refused() == load.cut() == []
    load.check()
    assert nginx_errors(stack) == []
    assert len([pause for client in load.clients for pause in client.pauses]) >= len(load.clients)


@each_service
def test_restart_apart(supervise, service, user):
    """while a service is away between two programs, connections to its sockets wait there and are answered"""
    supervisor = supervise(service)
    supervisor.start()
    supervisor.hears("READY=1")
    assert supervisor.program.end() == 0
    waiting = {face: Peer(supervisor.path(face)).send(fcgi_peer.request(*WHERE[face])) for face in supervisor.sockets}
    supervisor.start()
    for peer in waiting.values():
        assert peer.receive().status == 200
        peer.close()


# --- credentials

def test_credentials(supervise):
    """keys that the supervisor hands over in a folder are those of the private face and of signed tokens, and Redis' password is read from there"""
    supervisor = supervise("letterbox")
    prefix = values("letterbox.service", "LoadCredential")[0].split(":")[0]
    (supervisor.keys / f"{prefix}_key-file").write_text(KEY + "\n")
    supervisor.start()
    supervisor.hears("READY=1")
    with Peer(supervisor.path("push")) as peer:
        assert is_error(peer.exchange(*WHERE["push"]), 401, "bad_key")
        assert peer.exchange(*WHERE["push"], HTTP_AUTHORIZATION=f"Bearer {KEY}").status == 200


@pytest.mark.parametrize("name", ["key-file", "jwt-key", "redis-password-file"])
def test_bad_credentials(supervise, name):
    """a bad key in the folder stops the start and is named, without its content"""
    supervisor = supervise("letterbox")
    (supervisor.keys / f"letterbox_{name}").write_text("\n" if name == "redis-password-file" else "short")
    assert supervisor.start().wait(DEADLINE) == 2
    assert name in supervisor.program.said() and "short" not in supervisor.program.said().replace("too short", "")


# --- units

def test_descriptors():
    """the service of both faces names its sockets by the order in which its socket unit lists them"""
    assert [Path(path).stem for path in values("letterbox.socket", "ListenStream")] == ["poll", "push"]
    assert "--listen fd:3 --push-listen fd:4" in values("letterbox.service", "ExecStart")[0]
    for name in ("letterbox-poll", "letterbox-push"):
        assert len(values(f"{name}.socket", "ListenStream")) == 1 and values(f"{name}.service", "StandardInput") == ["socket"]
