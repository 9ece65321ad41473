# SPDX-License-Identifier: MIT
"""Letterbox as a whole, started as its users start it: scripts/service, in a directory and on a port of its own.

A `Stack` is Redis (one, or the six nodes of a cluster), one program for both faces kept running by multiwatch (or two, apart), and nginx. `Face` is what a test can ask of any nginx
that stands before them; a Stack is one, and so is the nginx of a test's own configuration.
"""

import atexit
import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import redis

from keys import OVER_CLUSTER
from ports import spare_node_ports, spare_port
from waits import eventually
from web import DEADLINE, Connection, target

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
BUILD = Path(os.environ.get("LETTERBOX_BUILD") or ROOT / "build" / os.environ.get("SANITIZER", ""))
VERSION = re.search(r"^VERSION = (\S+)$", (ROOT / "Makefile").read_text(), re.M)[1]
PARTS = ("redis", "poll", "nginx")
PARTS_APART = ("redis", "poll", "push", "nginx")
NODES = tuple(f"redis-{number}" for number in range(1, 7))  # of a cluster, in the place of "redis"

# How many times its memory a program takes that was built with a sanitizer, which keeps shadow memory and freed blocks.
SANITIZED = {"address": 4, "thread": 4}.get(os.environ.get("SANITIZER"), 1)

# What a sanitizer, the C++ runtime or the kernel leaves in a log when a program was wrong.
CRASH_MARKS = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|terminate called|"
                         r"Assertion .* failed|segfault|stack smashing")
# What multiwatch logs when it starts a program again.
RESPAWN_MARKS = re.compile(r"Child\[0\] died, respawn|Spawning child\[0\] failed")


def new_directory():
    """A short path (a unix socket's is at most 107 bytes) that nginx's unprivileged workers may enter."""
    path = Path(tempfile.mkdtemp(prefix="lb.", dir="/tmp"))
    path.chmod(0o755)
    return path


def environment(settings=None):
    """The test's environment without the LETTERBOX_* settings of the caller, plus settings: {"mailbox_max": 10} is LETTERBOX_MAILBOX_MAX=10."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LETTERBOX_")}
    for name in ("LETTERBOX_BUILD", "LETTERBOX_RARE"):
        if name in os.environ:
            env[name] = os.environ[name]
    env["LETTERBOX_SKIP_BUILD"] = "1"
    env["LETTERBOX_DEMO"] = "0"  # only the tests of the demo need it
    env["ASAN_OPTIONS"] = "quarantine_size_mb=1"  # else freed memory looks like memory in use
    env.update({"LETTERBOX_" + name.upper(): str(value) for name, value in (settings or {}).items()})
    return env


def alive(pid):
    """True while the process runs; one that has ended and was not waited for does not.

    Killed, its first thread may be a zombie while others still hold its sockets: it has ended when
    no other is left.
    """
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            return True
        return any(thread.name != str(pid) for thread in Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Parked:
    """A poll that was sent and not yet answered."""

    def __init__(self, connection):
        self.connection = connection

    def waits(self):
        return self.connection.quiet()

    def answer(self, deadline=DEADLINE):
        """The JSON document it was answered with."""
        answer = self.connection.receive(deadline)
        self.connection.close()
        assert answer.status == 200, answer
        return answer.json

    def stays(self, seconds):
        """True if no answer comes within the time, for a test that claims so."""
        return not self.connection.buffer and not select.select([self.connection.socket], [], [], seconds)[0]

    def leave(self):
        self.connection.close()


class Program(subprocess.Popen):
    """One of the programs as the test's own child, so that its exit status and its stderr can be seen."""

    started = []  # for the reports of failed tests

    def __init__(self, name, *arguments, cwd=None, settings=None, by=(), variables=None, **more):
        """by: a command that becomes the program. variables: of its environment, in addition to the settings."""
        Program.started.append(self)
        self.name = f"letterbox-{name}"
        self.log = tempfile.NamedTemporaryFile()
        super().__init__([*by, str(BUILD / f"letterbox-{name}"), *map(str, arguments)], cwd=cwd, env=environment(settings) | (variables or {}),
                         stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, **more)

    def said(self):
        # Opened again: a seek in the file that the program writes to would move its own position.
        return Path(self.log.name).read_text(errors="replace")

    def listens(self, path):
        """Returns when connections to the socket are accepted."""
        def accepted():
            assert self.poll() is None, f"it ended with {self.returncode}: {self.said()}"
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(path)) == 0
        eventually(accepted, f"{path} is listened on")
        return self

    def end(self, number=signal.SIGTERM, deadline=DEADLINE):
        """Sends a signal and returns the exit status."""
        self.send_signal(number)
        return self.wait(deadline)


class Face:
    """The HTTP side of Letterbox on a port of loopback."""

    def __init__(self, port):
        self.port = port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self):
        return Connection(self.port)

    def request(self, method, where, headers=(), body=None, deadline=DEADLINE):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.exchange(method, where, headers, body, deadline)

    def get(self, path, headers=(), **query):
        return self.request("GET", target(path, **query), headers)

    def push(self, to, text="", headers=(), **query):
        """Pushes a text; the answer, whatever its status."""
        body = text.encode() if isinstance(text, str) else text
        return self.request("POST", target("/push", to=to, **query), headers, body)

    def push_json(self, document, to=None, **query):
        """Pushes a JSON text: the data if `to` is given, else envelopes."""
        body = document.encode() if isinstance(document, str) else document
        return self.request("POST", target("/push", to=to, **query), [("Content-Type", "application/json")], body)

    def pushed(self, to, text, **query):
        """Pushes a text that must be accepted; its id."""
        answer = self.push(to, text, **query)
        assert answer.status in (201, 202), answer
        return answer.json["id"]

    def poll(self, user, headers=(), deadline=DEADLINE, **query):
        """One poll that must be answered with 200; its JSON document."""
        answer = self.request("GET", target("/poll", user=user, **query), headers, deadline=deadline)
        assert answer.status == 200, answer
        return answer.json

    def look(self, user, **query):
        """A poll that takes the messages that are there and does not wait."""
        return self.poll(user, timeout=0, **query)

    def mailbox(self, user):
        answer = self.get("/mailbox", user=user)
        assert answer.status == 200, answer
        return answer.json

    def send_poll(self, user, headers=(), **query):
        """Sends a poll and returns; it may be parked by then or not."""
        query.setdefault("timeout", 40)
        connection = self.connect()
        connection.request("GET", target("/poll", user=user, **query), headers)
        return Parked(connection)

    def park(self, user, beside=0, headers=(), **query):
        """Sends a poll and returns when it is parked, in addition to `beside` others of this user."""
        # The end of an earlier poll may be noted a moment after its answer.
        self.has_polls(user, beside)
        parked = self.send_poll(user, headers, **query)
        self.has_polls(user, beside + 1)
        return parked

    def finds_redis(self):
        """Returns when Redis takes the writes of the private face: of a cluster, each part of it."""
        eventually(lambda: self.get("/readyz").status == 200, "Redis takes writes")

    def has_polls(self, user, count):
        """Returns when that number of polls of a user are parked."""
        def they_are():
            box = self.mailbox(user)
            assert box["polls"] == count, box
            return True

        eventually(they_are, f"{count} polls of {user} are parked")


class Stack(Face):
    """Redis, Letterbox and nginx, private to one test or shared by those that only talk to it.

    One program serves both faces, and `push` is but another name of the part `poll`. With apart=1 there are two.
    """

    started = []  # for the end of the test run, however it comes

    def __init__(self, shared=False, cluster=OVER_CLUSTER, **settings):
        """cluster: whether Redis is one. settings: configuration of the programs, by the names of their flags."""
        super().__init__(port=None)
        self.shared = shared
        self.nodes = NODES if cluster else ()
        _, *others = PARTS_APART if settings.get("apart") else PARTS
        self.parts = (*(self.nodes or ("redis",)), *others)
        self.marks = {}
        self.crashes = False  # whether the test makes a program die, which is started again
        self.dir = new_directory()
        self.env = environment(settings)
        for node, port in zip(self.nodes, spare_node_ports(len(self.nodes))):  # else scripts/service draws them
            (self.dir / node).mkdir()
            (self.dir / node / "port").write_text(f"{port}\n")
        Stack.started.append(self)

    def service(self, verb, *more):
        """Runs scripts/service and returns how it ended; what it printed is in .stdout."""
        command = [SCRIPTS / "service", verb, "--dir", self.dir, "--port", str(self.port), *more, *(["--cluster"] if self.nodes else [])]
        # Its output goes through a file: a pipe would be inherited by the programs that stay running.
        with tempfile.TemporaryFile("a+") as output:
            try:
                ended = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=60)
            except subprocess.TimeoutExpired as late:
                output.seek(0)
                raise AssertionError(f"{late}; it said:\n{output.read()}") from None
            output.seek(0)
            ended.stdout = output.read()
        return ended

    def start(self):
        for _ in range(3):  # another program may take the spare port before nginx binds it
            self.port = spare_port()
            ended = self.service("start")
            if ended.returncode == 0:
                self.mark()
                return self
            self.service("stop")
        raise AssertionError(f"scripts/service start failed with {ended.returncode}:\n{ended.stdout}\n{self.logs()}")

    def stop(self):
        """Takes everything down and removes the directory. Reports what did not go well."""
        if self not in Stack.started:
            return
        Stack.started.remove(self)
        pids = {pid for part in (*PARTS_APART, *self.nodes) for pid in (self.keeper(part), self.pid(part)) if pid}
        for pid in filter(alive, pids):  # a part that a test has stopped could not end
            os.kill(pid, signal.SIGCONT)
        ended = self.service("stop")
        with contextlib.suppress(AssertionError):  # a process whose first thread has ended will be gone in a moment
            eventually(lambda: not any(map(alive, pids)), "all have ended", deadline=5)
        left = list(filter(alive, pids))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        logs = self.logs(None)
        crash = CRASH_MARKS.search(logs) or (None if self.crashes else RESPAWN_MARKS.search(logs))
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not left, f"scripts/service stop left {left} running:\n{ended.stdout}\n{logs}"
        assert ended.returncode == 0, f"scripts/service stop failed with {ended.returncode}:\n{ended.stdout}"
        assert not crash, f"a program went wrong:\n{logs[crash.start():][:8000]}"

    def pid(self, part):
        """The pid of the process that does a part's work, or None: a program that is kept running is a child of its keeper."""
        keeper = self.keeper(part)
        try:
            if keeper and Path(f"/proc/{keeper}/comm").read_text() == "multiwatch\n":
                return next(iter(children(keeper)), None)
        except FileNotFoundError:
            pass  # it has ended
        return keeper

    def keeper(self, part):
        """The pid in a part's file, or None: of the process that must end for the part to end."""
        try:
            return int((self.dir / "run" / f"{self.serving(part)}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def serving(self, face):
        """The part whose program serves a face (any other part serves itself)."""
        return "poll" if face == "push" and "push" not in self.parts else face

    @property
    def programs(self):
        """The parts that are Letterbox's own programs: one or two."""
        return [part for part in ("poll", "push") if part in self.parts]

    def pids(self):
        return {part: self.pid(part) for part in self.parts}

    def running(self):
        """The parts that run."""
        return {part for part, pid in self.pids().items() if pid and alive(pid)}

    def kill(self, part, number=signal.SIGTERM):
        """Sends a signal to a part."""
        os.kill(self.pid(part), number)

    def end(self, part, number=signal.SIGTERM):
        """Sends a part the signal that ends it, and returns when it has gone."""
        keeper, pid = self.keeper(part), self.pid(part)
        os.kill(keeper, number)
        if number == signal.SIGKILL and pid and pid != keeper:
            os.kill(pid, number)
        eventually(lambda: not alive(keeper) and not (pid and alive(pid)), f"{part} has ended")

    def crash(self, part):
        """Kills a part's program alone, and returns when the next one has taken its place."""
        self.crashes = True
        before = self.pid(part)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: self.pid(part) not in (None, before), f"{part} is started again")

    def nginx_workers(self):
        """The pids of nginx's workers."""
        return set(children(self.pid("nginx")))

    def reload_nginx(self):
        """Has nginx read its configuration again, and returns when new workers have taken over."""
        before = self.nginx_workers()
        self.kill("nginx", signal.SIGHUP)

        def taken_over():
            new = self.nginx_workers() - before
            return len(new) >= len(before) and not any(accepts(pid) for pid in before)

        def accepts(pid):
            try:
                title = Path(f"/proc/{pid}/cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                return False
            return bool(title) and "shutting down" not in title

        eventually(taken_over, "nginx's new workers have taken over")

    def change_nginx(self, file, old, new):
        """Changes one passage of this stack's copy of the nginx configuration."""
        path = self.dir / "nginx" / file
        text = path.read_text()
        assert len(re.findall(old, text)) == 1, f"{old!r} should be in {file} once"
        path.write_text(re.sub(old, lambda match: new, text))

    def add_nginx(self, file, *lines):
        """Puts a file next to this stack's nginx.conf."""
        (self.dir / "nginx" / file).write_text("".join(f"{line}\n" for line in lines))

    def know_addresses(self):
        """Has nginx take a client's address from its header X-From, as behind a proxy: a test has only one address."""
        self.change_nginx("nginx.conf", r"(?m)^        include letterbox-public\.conf;$",
                          "        set_real_ip_from 127.0.0.1;\n        real_ip_header X-From;\n        include letterbox-public.conf;")

    def replace(self, part, *arguments, preexec_fn=None, **settings):
        """Puts a program of the test's own in a part's place: nginx finds it on the same socket, or sockets."""
        assert part in self.parts, "a face is replaced by itself only if the two are apart"
        self.end(part)
        paths = [self.socket(face) for face in ("poll", "push") if self.serving(face) == part]
        for path in paths:
            path.unlink(missing_ok=True)
        if len(paths) == 2:
            arguments += ("--push-listen", paths[1])
        if "--redis" not in arguments:
            arguments += ("--redis", self.redis_address)
        program = Program(part, "--listen", paths[0], *arguments, cwd=self.dir, settings=settings, preexec_fn=preexec_fn)
        for path in paths:
            program.listens(path)
        (self.dir / "run" / f"{part}.pid").write_text(f"{program.pid}\n")
        return program

    def socket(self, part):
        """The path of a part's unix socket."""
        return self.dir / "run" / f"{part}.sock"

    def redis_port(self, node):
        return int((self.dir / node / "port").read_text())

    @property
    def redis_address(self):
        """As --redis takes it."""
        if self.nodes:
            return "cluster:" + ",".join(f"127.0.0.1:{self.redis_port(node)}" for node in self.nodes)
        return f"unix:{self.socket('redis')}"

    @property
    def redis_cli(self):
        """Where redis-cli finds Redis."""
        return ["-c", "-p", str(self.redis_port(self.nodes[0]))] if self.nodes else ["-s", str(self.socket("redis"))]

    def keys(self, pattern):
        """All keys, of all nodes if it is a cluster."""
        return sorted(set(self.redis.scan_iter(match=pattern, count=1000)))

    @property
    def redis(self):
        if self.nodes:
            return redis.RedisCluster("127.0.0.1", self.redis_port(self.nodes[0]), socket_timeout=DEADLINE)
        return redis.Redis(unix_socket_path=str(self.socket("redis")), socket_timeout=DEADLINE)

    def mark(self):
        """The logs up to now do not concern the next test."""
        self.marks = {path.name: path.stat().st_size for path in self.log_files()}

    def log_files(self):
        return [path for path in sorted((self.dir / "log").glob("*.log")) if path.name != "access.log" and path.is_file()]

    def logs(self, lines=12):
        """The last lines of what each part has said since the mark, for a failed test's report; None: all it ever said."""
        text = ""
        for path in self.log_files():
            begin = self.marks.get(path.name, 0) if lines else 0
            content = path.read_bytes()[begin:].decode(errors="replace").splitlines()
            text += "".join(f"{path.name}: {line[:300]}\n" for line in (content[-lines:] if lines else content))
        return text


@atexit.register
def stop_all():
    """A run that was interrupted leaves no process and no directory either."""
    for stack in list(Stack.started):
        try:
            stack.stop()
        except Exception as error:  # the others must still be stopped
            print(error)
