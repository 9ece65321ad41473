# SPDX-License-Identifier: MIT
"""scripts/run and scripts/service, used as at a terminal."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from expect import data, is_accepted
from ports import spare_port
from stack import PARTS, PARTS_APART, ROOT, SCRIPTS, VERSION, Face, Stack, alive, children, environment, new_directory
from waits import eventually, moment
from web import DEADLINE


def processes_in(directory):
    """The pids of all processes that live in a directory: every part of a stack does."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            home = os.readlink(entry / "cwd") if entry.name.isdigit() else ""
        except OSError:
            continue  # it has just ended, or is a zombie
        if home == str(directory) or home.startswith(f"{directory}/"):
            found.append(int(entry.name))
    return found


class Run:
    """scripts/run in a directory and a session of its own."""

    def __init__(self, directory=None, port=None, **settings):
        self.dir = directory or new_directory()
        self.port = port or spare_port()
        self.output = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen([SCRIPTS / "run", "--port", str(self.port), "--dir", self.dir], env=environment(settings), stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        for pid in processes_in(self.dir):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def said(self):
        # Opened again: a seek in the file that the script writes to would move its own position.
        return Path(self.output.name).read_text(errors="replace")

    def logs(self):
        """The end of each part's log."""
        ends = []
        for path in sorted((self.dir / "log").glob("*.log")):
            ends += [f"{path.name}: {line}" for line in path.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join(ends)

    def ready(self):
        def is_ready():
            return self.process.poll() is not None or re.search(r"^ready (http://127\.0\.0\.1:\d+)$", self.said(), re.M)

        try:
            ready = eventually(is_ready, "scripts/run is ready", deadline=60)
            assert ready is not True, f"it has ended with {self.process.returncode}"
            assert ready[1] == f"http://127.0.0.1:{self.port}"
        except AssertionError as error:
            report = f"{error}\nscripts/run said:\n{self.said()}\n{self.logs()}"
            self.__exit__()
            raise AssertionError(report) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def pid(self, part):
        return int((self.dir / "run" / f"{part}.pid").read_text())

    def end(self, number=signal.SIGTERM):
        """Sends a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


def test_run(user):
    """scripts/run prints ready and two curl lines, which work as they are"""
    with Run().ready() as run:
        lines = [line.strip() for line in run.said().splitlines() if line.strip().startswith("curl ")]
        assert len(lines) == 2, run.said()
        poll, push = lines
        waiting = subprocess.Popen(poll, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        eventually(lambda: Face(run.port).mailbox("alice")["polls"] == 1, "the first line waits")
        pushed = subprocess.run(push, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DEADLINE)
        assert pushed.returncode == 0 and json.loads(pushed.stdout)["waiting"] is True
        answer, _ = waiting.communicate(timeout=DEADLINE)
        assert data(json.loads(answer)) == ["hello"]
        assert "open" in run.said().lower(), "it says that identity is open"


@pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])
def test_run_files(apart):
    """scripts/run keeps pids, sockets and logs under its directory, and nothing of a program that it does not start"""
    with Run(apart=apart).ready() as run:
        for part in PARTS_APART if apart else PARTS:
            assert alive(run.pid(part))
            assert (run.dir / "log" / f"{part}.log").exists()
        assert all((run.dir / "run" / f"{face}.sock").is_socket() for face in ("poll", "push"))
        assert apart or not (run.dir / "run" / "push.pid").exists() and not (run.dir / "log" / "push.log").exists()
        listening = subprocess.run(["ss", "-Hltn"], stdout=subprocess.PIPE, text=True).stdout if shutil.which("ss") else ""
        assert not re.search(rf"(0\.0\.0\.0|\*):{run.port}\b", listening), "nginx listens on loopback alone"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_run_ends(number):
    """a signal to scripts/run takes everything down and leaves no process"""
    with Run().ready() as run:
        parked = Face(run.port).park("alice")
        assert len(processes_in(run.dir)) > 4
        assert run.end(number) == 0, run.said()
        assert processes_in(run.dir) == []
        assert parked.answer()["reason"] == "shutdown"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", run.port)) != 0


def test_run_ctrl_c():
    """Ctrl-C, which reaches every process of the terminal at once, takes everything down in order"""
    with Run().ready() as run:
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(30) == 0, run.said()
        assert processes_in(run.dir) == []


def test_run_interrupted_early():
    """scripts/run that is told to end while it starts leaves no process"""
    with Run() as run:
        eventually(lambda: (run.dir / "run" / "redis.pid").exists() or run.process.poll() is not None, "it has begun")
        run.end()
        assert processes_in(run.dir) == []


@pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])
def test_run_program_dies(user, apart):
    """a program that dies under scripts/run is started again, and everything works on"""
    with Run(apart=apart).ready() as run:
        for part in ["poll", "push"] if apart else ["poll"]:
            dead, = children(run.pid(part))
            os.kill(dead, signal.SIGKILL)
            eventually(lambda: children(run.pid(part)) not in ([], [dead]), "it is started again")
        Face(run.port).pushed(user, "hello")
        assert data(Face(run.port).poll(user, after=0)) == ["hello"]
        assert run.process.poll() is None
        assert run.end() == 0


@pytest.mark.parametrize("part", PARTS)
def test_run_part_ends(part):
    """when a part ends by itself scripts/run says which, takes the rest down and fails"""
    with Run().ready() as run:
        os.kill(run.pid(part), signal.SIGKILL)
        assert run.process.wait(30) != 0
        assert f"{part} has ended" in run.said()
        eventually(lambda: processes_in(run.dir) == [], "nothing is left")


def test_run_keeps_messages(user):
    """messages outlive scripts/run: the next run in the same directory has them"""
    with Run().ready() as run:
        Face(run.port).pushed(user, "kept")
        run.end()
        with Run(run.dir).ready() as again:
            assert data(Face(again.port).look(user, after=0)) == ["kept"]


def test_run_twice():
    """a second scripts/run in the same directory refuses, and the first goes on"""
    with Run().ready() as run:
        second = subprocess.run([SCRIPTS / "run", "--port", str(spare_port()), "--dir", run.dir], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=30)
        assert second.returncode != 0 and "runs already" in second.stdout
        assert Face(run.port).push("alice", "hello").status == 202


@pytest.mark.parametrize("script", ["run", "service"])
@pytest.mark.parametrize("speaks", [True, False], ids=["a web server", "a silent program"])
def test_taken_port(script, speaks, stack):
    """a taken port is a clear message, and nothing is left running"""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = stack.port if speaks else silent.getsockname()[1]
        directory = new_directory()
        command = [SCRIPTS / script] + (["start"] if script == "service" else []) + ["--port", str(port), "--dir", directory]
        ended = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        assert ended.returncode not in (0, 2)
        assert f"port {port} is taken" in ended.stdout and "ready" not in ended.stdout
        assert processes_in(directory) == []
        shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["with space", "quote's \"$HOME\" & ; | * [x]", "x" * 120, "grüße"], ids=["space", "signs", "long", "accents"])
def test_run_anywhere(name, user):
    """the directory may have any name and length"""
    base = new_directory()
    try:
        directory = base / name
        with Run(directory).ready() as run:
            face = Face(run.port)
            parked = face.park(user, after=0)
            face.pushed(user, "x" * 200_000)  # larger than nginx's buffers: it needs its temporary files
            assert data(parked.answer()) == ["x" * 200_000]
            assert run.end() == 0
    finally:
        shutil.rmtree(base)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--port"], ["--port", "abc"], ["--port", "0"], ["--port", "65536"], ["--port", "-1"], ["--port", "80 80"], ["--dir"],
                                       ["--dir", ""], ["operand"]], ids=" ".join)
@pytest.mark.parametrize("script", [["run"], ["service", "start"], ["service", "status"]], ids=" ".join)
def test_bad_usage(script, arguments):
    """wrong arguments are refused with a clear message and status 2"""
    ended = subprocess.run([SCRIPTS / script[0], *script[1:], *arguments], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 2 and ended.stdout == "" and re.fullmatch(rf"scripts/{script[0]}: .+; see scripts/{script[0]} --help\n", ended.stderr)


@pytest.mark.parametrize("verb", [[], ["begin"], ["--port", "80"]], ids=repr)
def test_service_bad_verb(verb):
    """scripts/service needs a verb that it knows"""
    ended = subprocess.run([SCRIPTS / "service", *verb], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 2 and re.fullmatch(r"scripts/service: .+; see scripts/service --help\n", ended.stderr)


@pytest.mark.parametrize("script", ["run", "service", "push", "poll", "run-job", "check", "demo-jobs", "demo-report", "move-mailboxes", "test"])
def test_help(script):
    """every script explains itself with --help"""
    ended = subprocess.run([SCRIPTS / script, "--help"], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 0 and "usage" in ended.stdout.lower() and ended.stderr == ""


def test_check_words(tmp_path):
    """scripts/check-words tells each phrase with its line and what to write instead, also if a line's end divides it, and no part of a word"""
    def plain(text):
        return text.replace("_", "")  # which keeps the phrases below from being found here

    def checked(text):
        document = tmp_path / "document.md"
        document.write_text(plain(text))
        ended = subprocess.run([SCRIPTS / "check-words", document], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        assert ended.stderr == ""
        return ended.returncode, ended.stdout.replace(f"{document}:", "")

    assert checked("Every client that waits is answered again.\nJanew works beside others.\n") == (0, "")
    assert checked("Good.\n-- Who_ever waits, by and\n--  b_y. It begins ane_w.\n") == (1, "".join(f"{plain(line)}\n" for line in [
        "2: who_ever -> name the thing: every client that, any program that", "2: by and b_y -> later, gradually", "3: ane_w -> again"]))
    status, found = checked("A busy client is not\nread f_or, or *ane_w*; ane_w ane_w\n")
    assert status == 1 and [line.split(":")[0] for line in found.splitlines()] == ["1", "2", "2", "2"]


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.iterdir() if path.is_file() and os.access(path, os.X_OK)))
def test_version(script):
    """every script says of which version it is"""
    ended = subprocess.run([SCRIPTS / script, "--version"], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{script} {VERSION}\n", "")


def test_changelog():
    """the newest entry of the changelog is of this version, and names its tag"""
    newest = (ROOT / "tests" / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert newest.startswith(f"{VERSION} ") and f"`v{VERSION}`" in newest


# --- scripts/service

def test_service_status(apart_stack):
    """status has a line for each part; it exits 0 while all run, else 3"""
    ended = apart_stack.service("status")
    assert ended.returncode == 0
    for part in PARTS_APART:
        assert re.search(rf"^{part}: runs, pid {apart_stack.keeper(part)}$", ended.stdout, re.M)
    apart_stack.end("push", signal.SIGKILL)
    ended = apart_stack.service("status")
    assert ended.returncode == 3
    assert re.search(r"^push: does not run$", ended.stdout, re.M) and re.search(r"^poll: runs", ended.stdout, re.M)
    assert apart_stack.service("stop").returncode == 0
    ended = apart_stack.service("status")
    assert ended.returncode == 3 and len(re.findall(r": does not run$", ended.stdout, re.M)) == 4


def test_service_status_of_one_program(private_stack):
    """status has one line, poll, for one program for both faces: it runs, or both faces do not"""
    ended = private_stack.service("status")
    assert ended.returncode == 0 and re.findall(r"(?m)^(\w+): runs, pid \d+$", ended.stdout) == list(PARTS)
    private_stack.end("poll", signal.SIGKILL)
    ended = private_stack.service("status")
    assert ended.returncode == 3 and re.findall(r"(?m)^(\w+): does not run$", ended.stdout) == ["poll"]


@pytest.mark.parametrize("before, asked", [(0, 1), (1, 0)], ids=["one program", "two programs"])
def test_service_start_leaves_what_runs(new_stack, before, asked):
    """start leaves one running program, or two, as they are, whatever it is asked for, and starts what is missing in the same way"""
    stack = new_stack(apart=before)
    pids = stack.pids()
    stack.env["LETTERBOX_APART"] = str(asked)
    assert stack.service("start").returncode == 0 and stack.pids() == pids
    stack.end("redis")
    assert stack.service("start").returncode == 0 and stack.running() == set(stack.parts)
    assert (stack.dir / "run" / "push.pid").exists() == bool(before)
    ended = stack.service("stop")
    assert ended.returncode == 0 and len(re.findall(r": stopped$", ended.stdout, re.M)) == len(stack.parts)
    assert processes_in(stack.dir) == []


@pytest.mark.parametrize("apart, part", [(0, part) for part in PARTS] + [(1, "poll"), (1, "push")])
def test_service_starts_what_is_missing(new_stack, user, apart, part):
    """start after one part was killed starts that part alone, and says so"""
    stack = new_stack(apart=apart)
    before = stack.pids()
    stack.end(part, signal.SIGKILL)
    if part == "nginx":  # its workers end by themselves when they find that their master has gone
        for pid in set(processes_in(stack.dir)) - set(before.values()) - set(map(stack.keeper, stack.parts)):
            os.kill(pid, signal.SIGKILL)
    ended = stack.service("start")
    assert ended.returncode == 0, ended.stdout
    after = stack.pids()
    assert {one for one in stack.parts if after[one] != before[one]} == {part}
    assert re.search(rf"^{part}: started, pid {stack.keeper(part)}$", ended.stdout, re.M)
    assert len(re.findall(r": runs already, pid \d+$", ended.stdout, re.M)) == len(stack.parts) - 1
    parked = stack.park(user)
    stack.pushed(user, "hello")
    assert data(parked.answer()) == ["hello"]


@pytest.mark.parametrize("verb", ["start", "restart"])
@pytest.mark.parametrize("face", ["redis", "poll", "push"])
def test_deleted_socket(either_stack, user, face, verb):
    """if a part's socket, or one of its two, was deleted, status says so, and start or restart puts it right"""
    stack, part = either_stack, either_stack.serving(face)
    stack.pushed(user, "kept")
    stack.socket(face).unlink()
    before, ended = stack.pids(), stack.service("status")
    assert ended.returncode == 3
    assert re.search(rf"^{part}: runs, pid \d+, but its socket \S+/run/{face}\.sock is gone; scripts/service start mends it$", ended.stdout, re.M)
    assert len(re.findall(r": runs, pid \d+$", ended.stdout, re.M)) == len(stack.parts) - 1
    ended = stack.service(verb)
    assert ended.returncode == 0, ended.stdout
    changed = {one for one, pid in stack.pids().items() if pid != before[one]}
    assert changed == ({part} if verb == "start" else {part, *stack.programs}), ended.stdout
    assert stack.service("status").returncode == 0
    assert data(stack.look(user, after=0)) == ["kept"] and is_accepted(stack.push(user, "more"))


@pytest.mark.parametrize("part, face", [("redis", "redis"), ("poll", "poll"), ("poll", "push")])
def test_deleted_socket_under_run(part, face, user):
    """scripts/service start puts that right also under scripts/run, which goes on"""
    with Run().ready() as run:
        before = run.pid(part)
        (run.dir / "run" / f"{face}.sock").unlink()
        mended = subprocess.run([SCRIPTS / "service", "start", "--dir", run.dir], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
        assert mended.returncode == 0 and run.pid(part) != before
        Face(run.port).pushed(user, "hello")
        assert data(Face(run.port).poll(user, after=0)) == ["hello"]
        assert run.process.poll() is None
        assert run.end() == 0, run.said()


@pytest.mark.parametrize("before, after", [(0, 1), (1, 0)], ids=["to two programs", "to one program"])
def test_restart_the_other_way_under_run(before, after, user):
    """scripts/run goes on while scripts/service restart makes two programs of one, or one of two, and at the end takes down what runs then"""
    with Run(apart=before).ready() as run:
        restarted = subprocess.run([SCRIPTS / "service", "restart", "--dir", run.dir], env=environment({"apart": after}), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
        assert restarted.returncode == 0 and (run.dir / "run" / "push.pid").exists() == bool(after)
        Face(run.port).pushed(user, "hello")
        assert data(Face(run.port).poll(user, after=0)) == ["hello"]
        moment(2.5)  # it looks once a second
        assert run.process.poll() is None, run.said()
        assert run.end() == 0, run.said()
        assert processes_in(run.dir) == []


def test_service_start_twice(private_stack):
    """start while everything runs changes nothing and succeeds"""
    before = private_stack.pids()
    ended = private_stack.service("start")
    assert ended.returncode == 0 and private_stack.pids() == before
    assert len(re.findall(r": runs already", ended.stdout, re.M)) == len(PARTS)


def test_service_stop(private_stack):
    """stop takes everything down in order, answers parked polls, and leaves no process and no socket"""
    parked = private_stack.park("alice")
    ended = private_stack.service("stop")
    assert ended.returncode == 0 and len(re.findall(r": stopped$", ended.stdout, re.M)) == len(PARTS)
    assert processes_in(private_stack.dir) == []
    assert not list((private_stack.dir / "run").glob("*.sock")) and not list((private_stack.dir / "run").glob("*.pid"))
    assert parked.answer()["reason"] == "shutdown"
    ended = private_stack.service("stop")
    assert ended.returncode == 0 and len(re.findall(r": was not running$", ended.stdout, re.M)) == len(PARTS)


def test_service_restart_elsewhere(private_stack, user):
    """restart with another port ends and starts every part, and keeps the messages"""
    private_stack.pushed(user, "kept")
    before = private_stack.pids()
    private_stack.port = spare_port()
    ended = private_stack.service("restart")
    assert ended.returncode == 0, ended.stdout
    assert all(private_stack.pid(part) != pid and not alive(pid) for part, pid in before.items())
    assert data(private_stack.look(user, after=0)) == ["kept"]


def test_service_survives_its_caller(private_stack, user):
    """the programs that start has started do not end with their session"""
    assert private_stack.running() == set(PARTS)
    for pid in private_stack.pids().values():
        assert os.getsid(pid) != os.getsid(0)


def test_service_knows_its_own(apart_stack):
    """a pid file that names another program's process is not believed: it counts as not running and is not killed"""
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            apart_stack.end("push", signal.SIGKILL)
            (apart_stack.dir / "run" / "push.pid").write_text(f"{stranger.pid}\n")
            assert apart_stack.service("status").returncode == 3
            assert apart_stack.service("stop").returncode == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_service_started_twice_at_once():
    """two starts at once in one directory end with one stack"""
    stack = Stack()
    stack.port = spare_port()
    command = [SCRIPTS / "service", "start", "--dir", stack.dir, "--port", str(stack.port)]
    try:
        starts = [subprocess.Popen(command, env=stack.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]
        assert 0 in [start.wait(60) for start in starts]
        assert stack.running() == set(PARTS)
        servers = [pid for pid in processes_in(stack.dir) if os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith(("letterbox-", "redis-"))]
        assert sorted(servers) == sorted(stack.pid(part) for part in ("redis", "poll"))
    finally:
        stack.stop()


def test_service_of_two(private_stack, new_stack, user):
    """two stacks side by side do not know of each other"""
    other = new_stack()
    private_stack.pushed(user, "here")
    assert data(other.look(user, after=0)) == []
    other.service("stop")
    assert data(private_stack.look(user, after=0)) == ["here"]


def test_redis_is_private(private_stack):
    """a stack's Redis listens on no network port, and keeps an append-only file"""
    connection = private_stack.redis
    assert connection.config_get("port")["port"] == "0"
    assert connection.config_get("appendonly")["appendonly"] == "yes"
    assert list((private_stack.dir / "redis").rglob("*aof*"))
