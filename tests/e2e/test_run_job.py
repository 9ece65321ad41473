# SPDX-License-Identifier: MIT
"""scripts/run-job, called as by a back end or at a terminal."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from background import Background
from ports import spare_port
from proxy import Proxy
from stack import SCRIPTS, Stack, alive, environment, new_directory
from waits import eventually

PATIENCE = 60


@pytest.fixture
def place():
    directory = new_directory()
    yield directory
    shutil.rmtree(directory)


class Job(Background):
    """A scripts/run-job; its output is in .out() and .err()."""

    def __init__(self, place, url, user, *arguments, **settings):
        self.tmp = place / "tmp"
        self.tmp.mkdir(exist_ok=True)
        self.env = environment({"url": url} | settings) | {"TMPDIR": str(self.tmp)}
        super().__init__([SCRIPTS / "run-job", user, *map(str, arguments)], self.env, place)

    def out(self):
        return self.out_file.read_bytes()

    def err(self):
        return self.err_file.read_text()

    def end(self):
        """Waits for it; the exit status. It leaves no process and no file."""
        status = self.process.wait(PATIENCE)
        eventually(lambda: not self.members(), "its processes have ended", deadline=PATIENCE)
        assert list(self.tmp.iterdir()) == []
        return status

    def members(self):
        """The processes of its session that live."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.getsid(int(entry.name)) == self.process.pid and alive(int(entry.name)):
                    found.append(int(entry.name))
            except ProcessLookupError:
                pass  # it has just ended
        return found


@pytest.fixture
def run(stack, place, user):
    """Runs a job of the user to its end: (exit status, the data of its messages, the Job)."""

    def run(*arguments, **settings):
        with Job(place, stack.url, user, *arguments, **settings) as job:
            status = job.end()
        return status, said(stack, user), job

    return run


def said(stack, user, type="job"):
    """The data of all messages about jobs that a user's mailbox holds."""
    messages = stack.look(user, after=0, limit=1000)["messages"]
    assert {message["type"] for message in messages} <= {type}
    return [message["data"] for message in messages]


def states(messages):
    """The states in order, progress only once, however often it came."""
    names = [message["state"] for message in messages]
    return [name for at, name in enumerate(names) if at == 0 or name != names[at - 1]]


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has just ended


def python(program):
    """A command that is a program in Python."""
    return ["--", sys.executable, "-c", program]


def test_job(run, user):
    """a job is reported as started and done, with its status, time and last lines, and its output is passed on"""
    status, messages, job = run("--id", "report-7", "--", "sh", "-c", "echo one; echo two >&2; echo three; exit 3")
    assert status == 3 and job.out() == b"one\nthree\n" and job.err() == "two\n"
    started, done = messages[0], messages[-1]
    command = "sh -c echo one; echo two >&2; echo three; exit 3"
    assert started == {"job": "report-7", "state": "started", "command": command}
    assert done.pop("ms") >= 0 and sorted(done.pop("tail")) == ["one", "three", "two"]
    assert done == {"job": "report-7", "state": "done", "command": command, "status": 3, "signal": None}


def test_options(stack, place, user):
    """type, title and ttl are those of the messages, --quiet suppresses the output, and each job has a name of its own"""
    for _ in range(2):
        with Job(place, stack.url, user, "--type", "mine", "--title", 'the "report"', "--ttl", 600, "--quiet", "--", "sh", "-c", "echo secret; echo secret >&2") as job:
            assert job.end() == 0 and job.out() == b"" and job.err() == ""
    messages = said(stack, user, "mine")
    assert {message["command"] for message in messages} == {'the "report"'} and len({message["job"] for message in messages}) == 2
    assert messages[-1]["tail"] == ["secret", "secret"]


def test_progress(stack, place, user):
    """the last line a command has printed is progress, with its percent, while the command runs"""
    go = place / "go"
    with Job(place, stack.url, user, "--", "sh", "-c", f"echo begun; echo 'page 42 of 100, 42%'; until [ -e '{go}' ]; do sleep 0.1; done; echo end") as job:
        line = eventually(lambda: [message for message in said(stack, user) if message["state"] == "progress"], "there is progress", deadline=PATIENCE)[-1]
        assert line["line"] == "page 42 of 100, 42%" and line["percent"] == 42
        assert job.process.poll() is None
        go.touch()
        assert job.end() == 0
    assert states(said(stack, user)) == ["started", "progress", "done"]


def test_progress_is_news(stack, place, user):
    """a command that prints nothing more gives no more progress"""
    with Job(place, stack.url, user, "--", "sh", "-c", "echo once; sleep 5") as job:
        assert job.end() == 0
    assert len([message for message in said(stack, user) if message["state"] == "progress"]) == 1


def test_progress_is_bounded(stack, place, user):
    """a command that prints without end gives at most one message a second"""
    with Job(place, stack.url, user, "--quiet", *python("import time\nend = time.time() + 5\nn = 0\nwhile time.time() < end: n += 1; print(n, flush=True)")) as job:
        assert job.end() == 0
    messages = stack.look(user, after=0, limit=1000)["messages"]
    times = [message["time"] for message in messages if message["data"]["state"] == "progress"]
    assert times and all(later - sooner >= 950 for sooner, later in zip(times, times[1:])), times


@pytest.mark.parametrize("bar", ["\\r##  12.5%\\r###  42.5%\\r", "\\r 12%[=>  ]\\r 42.5%[==> ]\\r", "x 12%\\r\\nx 42,5 %\\r\\n"], ids=["curl", "wget", "crlf"])
def test_progress_bar(stack, place, user, bar):
    """a progress bar that overwrites itself by carriage returns is progress line by line"""
    go = place / "go"
    with Job(place, stack.url, user, "--", "sh", "-c", f"printf '{bar.replace('%', '%%')}'; until [ -e '{go}' ]; do sleep 0.1; done") as job:
        line = eventually(lambda: [message for message in said(stack, user) if message["state"] == "progress"], "there is progress", deadline=PATIENCE)[-1]
        assert line["percent"] == 42.5 and "\r" not in line["line"]
        go.touch()
        assert job.end() == 0


def test_every_byte(run):
    """output of any bytes comes as text, with U+FFFD for those that are not UTF-8, and is passed through unchanged"""
    octets = b"".join(b"<%c>\n" % code for code in range(256) if code not in b"\r\n")
    status, messages, job = run(*python("import sys; sys.stdout.buffer.write(b''.join(b'<%c>\\n' % code for code in range(256) if code not in b'\\r\\n'))"))
    assert status == 0 and job.out() == octets
    assert messages[-1]["tail"] == ["<\ufffd>"] * 20
    for first in range(0, 128, 16):
        codes = [code for code in range(first, first + 16) if code not in (0, 10, 13)]
        status, messages, job = run(*python(f"import sys; sys.stdout.buffer.write(b''.join(b'<%c>\\n' % code for code in {codes}))"))
        assert status == 0 and messages[-1]["tail"] == [f"<{chr(code)}>" for code in codes]


@pytest.mark.parametrize("octets, text", [("grüße 世界 😀".encode(), "grüße 世界 😀"), (b"\xc3", "\ufffd"), (b"\xe4\xb8", "\ufffd\ufffd"), (b"\xc0\xaf", "\ufffd\ufffd"),
                                          (b"\xed\xa0\x80", "\ufffd" * 3), (b"\xf4\x90\x80\x80", "\ufffd" * 4), (b"\xf5a\x80", "\ufffda\ufffd"), (b"a\x00b", "a\ufffdb"),
                                          (b'"\\u0041\\ \t\x1b[1m\x7f', '"\\u0041\\ \t\x1b[1m\x7f'), (b"\xef\xbf\xbf", "\uffff")], ids=repr)
def test_text(run, octets, text):
    """a line is kept as it is if it is UTF-8, with quotes, backslashes and control characters"""
    status, messages, job = run(*python(f"import sys; sys.stdout.buffer.write({octets!r})"))
    assert status == 0 and messages[-1]["tail"] == [text] and job.out() == octets


def test_arguments(run):
    """the command gets its arguments unchanged, and is never taken for a shell's or run-job's own word"""
    odd = ["", " ", "two words", "$HOME `id`", "quote's \"", "a=b", "-n", "grüße", "line\nline"]
    status, messages, job = run(*python("import sys; print(repr(sys.argv[1:]))"), *odd)
    assert status == 0 and job.out().decode() == f"{odd!r}\n"
    assert messages[0]["command"].endswith("line\nline")
    for word in ("fail", "exit", "courier"):
        assert run("--", word, "3")[0] == 127


def test_standard_input(stack, place, user):
    """the command reads what run-job was given on standard input"""
    ended = subprocess.run([SCRIPTS / "run-job", user, "--", "cat"], env=environment({"url": stack.url}), input=b"hello\n", stdout=subprocess.PIPE, timeout=PATIENCE)
    assert ended.returncode == 0 and ended.stdout == b"hello\n"


def test_much_output(run):
    """each of 100,000 lines is passed through, and the last twenty are in the result"""
    status, messages, job = run("--", "seq", "100000")
    assert status == 0 and job.out() == b"".join(b"%d\n" % number for number in range(1, 100_001))
    assert messages[-1]["tail"] == [str(number) for number in range(99_981, 100_001)]
    assert states(messages)[0] == "started" and states(messages)[-1] == "done"


def test_long_lines(run):
    """the result is bounded in bytes: long lines are cut between characters, and one whose beginning is lost says so"""
    status, messages, job = run("--quiet", *python("for i in range(30): print(str(i) + 'ü' * 100_000)"))
    assert status == 0
    line, = messages[-1]["tail"]
    assert len(line.encode()) <= 403 and line.startswith("…ü") and line.endswith("ü…") and "\ufffd" not in line


@pytest.mark.parametrize("command, status, signal_", [(["false"], 1, None), (["sh", "-c", "exit 200"], 200, None), (["sh", "-c", "kill -9 $$"], 137, "KILL"),
                                                      (["sh", "-c", "kill -TERM $$"], 143, "TERM"), (["no-such-command"], 127, None)], ids=["false", "200", "KILL", "TERM", "127"])
def test_status(run, command, status, signal_):
    """the exit status is the command's, 128 + N if a signal ended it, and the result says so"""
    ended, messages, _ = run("--", *command)
    assert ended == status and states(messages) in (["started", "done"], ["started", "progress", "done"])
    assert (messages[-1]["status"], messages[-1]["signal"]) == (status, signal_)


# A command that prints which signals have reached it, and how often.
HEARS = """
import signal, sys, time
heard = []
def hear(number, frame): heard.append(signal.Signals(number).name[3:])
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM): signal.signal(number, hear)
print('listening', flush=True)
while not heard: time.sleep(0.05)
time.sleep(1)
print(*heard, flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("default", [False, True], ids=["handled", "deadly"])
def test_signals(stack, place, user, number, default):
    """a signal to run-job reaches the command, once, and the result says which it was"""
    command = ["--", "sleep", "600"] if default else python(HEARS)
    with Job(place, stack.url, user, *command) as job:
        if default:
            eventually(lambda: said(stack, user), "it has begun", deadline=PATIENCE)
            eventually(lambda: b"sleep\x00600\x00" in map(arguments_of, job.members()), "the command runs", deadline=PATIENCE)
        else:
            eventually(lambda: job.out() == b"listening\n", "the command listens", deadline=PATIENCE)
        job.process.send_signal(number)
        assert job.end() == (128 + number if default else 7)
        if not default:
            assert job.out().decode() == f"listening\n{number.name[3:]}\n"
    done = said(stack, user)[-1]
    assert (done["state"], done["status"], done["signal"]) == ("done", 128 + number if default else 7, number.name[3:])


def test_ctrl_c(stack, place, user):
    """Ctrl-C at a terminal reaches the command once, and its last output is still seen"""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(SCRIPTS / "run-job", ["run-job", user, *python(HEARS)], environment({"url": stack.url}) | {"TMPDIR": str(place)})
    output = b""
    try:
        while b"listening" not in output:
            output += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        try:
            while chunk := os.read(terminal, 1000):
                output += chunk
        except OSError:
            pass  # no process has the terminal open any more
        _, status = os.waitpid(pid, 0)
        pid = None
    finally:
        os.close(terminal)
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert output.decode().replace("^C", "").split() == ["listening", "INT"]
    assert said(stack, user)[-1]["signal"] == "INT"


def test_reader_gone(stack, place, user):
    """a command whose output is no longer read ends by SIGPIPE, as it would alone"""
    ended = subprocess.run(f"'{SCRIPTS}/run-job' {user} -- yes | head -n 1", shell=True, env=environment({"url": stack.url}), stdout=subprocess.PIPE, timeout=PATIENCE)
    assert ended.stdout == b"y\n"
    done = eventually(lambda: [message for message in said(stack, user) if message["state"] == "done"], "it is done", deadline=PATIENCE)[0]
    assert (done["status"], done["signal"]) == (141, "PIPE")


def test_left_running(stack, place, user):
    """a process that a command leaves in the background does not hold up the result"""
    with Job(place, stack.url, user, "--", "sh", "-c", "sleep 600 & echo $!") as job:
        assert job.process.wait(PATIENCE) == 0
        done = said(stack, user)[-1]
        left, = map(int, done["tail"])
        assert done["state"] == "done" and alive(left)
        os.kill(left, signal.SIGKILL)
        assert job.end() == 0


def test_killed(stack, place, user):
    """run-job that is killed leaves nothing behind once its command has ended"""
    go = place / "go"
    with Job(place, stack.url, user, "--", "sh", "-c", f"until [ -e '{go}' ]; do sleep 0.1; done") as job:
        eventually(lambda: said(stack, user), "it has begun", deadline=PATIENCE)
        job.process.kill()
        go.touch()
        assert job.end() == -signal.SIGKILL
    assert states(said(stack, user)) == ["started"]


# --- Letterbox is away

def away_then_here(place, user, during):
    """A job whose Letterbox comes while it runs or afterwards; returns its messages."""
    stack = Stack()
    stack.port = spare_port()
    try:
        with Job(place, stack.url, user, *during) as job:
            eventually(lambda: "trying again" in job.err(), "it has found nobody", deadline=PATIENCE)
            yield stack, job
    finally:
        stack.stop()


def test_away_at_first(place, user):
    """a Letterbox that is away as the command starts gets start, the newest progress and result, in order, once it is back"""
    go = place / "go"
    for stack, job in away_then_here(place, user, ["--", "sh", "-c", f"echo old; echo new; until [ -e '{go}' ]; do sleep 0.1; done; echo end"]):
        eventually(lambda: job.out() == b"old\nnew\n", "the command does not wait", deadline=PATIENCE)
        assert stack.service("start").returncode == 0
        eventually(lambda: states(said(stack, user)) == ["started", "progress"], "it is told", deadline=PATIENCE)
        go.touch()
        assert job.end() == 0
        messages = said(stack, user)
        assert states(messages) == ["started", "progress", "done"] and "old" not in [message.get("line") for message in messages]
        assert job.err().count("\n") == 1, "it complains once"


def test_away_until_after_the_end(place, user):
    """start and result are delivered when Letterbox comes after the command has ended; run-job waits for that"""
    for stack, job in away_then_here(place, user, ["--", "sh", "-c", "echo said; exit 5"]):
        assert job.process.poll() is None
        assert stack.service("start").returncode == 0
        assert job.end() == 5
        messages = said(stack, user)
        assert states(messages) == ["started", "done"] and messages[-1]["tail"] == ["said"] and messages[-1]["ms"] < 60_000


def test_away_in_the_middle(private_stack, place, user):
    """a Letterbox that is taken down while the command runs, and is back only later, gets the result"""
    go = place / "go"
    with Job(place, private_stack.url, user, "--", "sh", "-c", f"echo begun; until [ -e '{go}' ]; do sleep 0.1; done; echo end") as job:
        eventually(lambda: states(said(private_stack, user)) == ["started", "progress"], "it is told", deadline=PATIENCE)
        assert private_stack.service("stop").returncode == 0
        go.touch()
        eventually(lambda: "trying again" in job.err(), "it has found nobody", deadline=PATIENCE)
        assert private_stack.service("start").returncode == 0
        assert job.end() == 0
    assert states(said(private_stack, user)) == ["started", "progress", "done"]


@pytest.mark.parametrize("word", ["lose", "502", "503"])
def test_answers_lost(stack, place, user, word):
    """of messages that get no answer or a temporary error, start and result arrive once each, in order"""
    with Proxy(stack.port, words=[word, "pass", word, word, "pass"] if word != "503" else [word] * 3) as proxy:
        with Job(place, proxy.url, user, "--", "sh", "-c", "exit 3") as job:
            assert job.end() == 3
        assert len({headers["Idempotency-Key"] for _, _, headers, _ in proxy.seen}) == 2
    assert states(said(stack, user)) == ["started", "done"]


def test_away_for_good(place, user):
    """after --wait seconds run-job says what it could not deliver, and exits with the command's status"""
    with Job(place, f"http://127.0.0.1:{spare_port()}", user, "--wait", "1", "--", "sh", "-c", "exit 6") as job:
        assert job.end() == 6
        assert "could not be delivered: no answer from http://127.0.0.1:" in job.err()
        assert "'started' could not be delivered" in job.err() and "'done' could not be delivered" in job.err()


def test_nobody_waits(place, user):
    """once the command has ended a signal ends the wait for Letterbox, and the status is still the command's"""
    with Job(place, f"http://127.0.0.1:{spare_port()}", user, "--", "sh", "-c", "echo end; exit 6") as job:
        eventually(lambda: list(job.tmp.glob("*/over")), "the command has ended", deadline=PATIENCE)
        job.process.terminate()
        assert job.end() == 6 and "not everything was delivered" in job.err()


def test_silent_server(place, user):
    """a server that takes the message and never answers does not hold up the command"""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with Job(place, f"http://127.0.0.1:{silent.getsockname()[1]}", user, "--", "sh", "-c", "echo end; exit 6") as job:
            eventually(lambda: list(job.tmp.glob("*/over")), "the command has ended", deadline=PATIENCE)
            assert job.out() == b"end\n"
            job.process.terminate()
            assert job.end() == 6


def test_refused(stack, place):
    """a refusal is said once, and the command runs on"""
    with Job(place, stack.url, "no spaces", "--", "sh", "-c", "echo 1; sleep 2; echo 2; exit 4") as job:
        assert job.end() == 4 and job.out() == b"1\n2\n"
        assert job.err().count("bad_user") == 1


def test_key(new_stack, place, user):
    """run-job shows the key in LETTERBOX_KEY_FILE, which is in no process' arguments"""
    file = place / "key"
    file.write_text("a-key-of-some-length\n")
    stack = new_stack(key_file=file)
    with Job(place, stack.url, user, "--", "true", key_file=file) as job:
        assert job.end() == 0 and job.err() == ""
    assert states(said(stack, user)) == ["started", "done"]
    with Job(place, stack.url, user, "--", "true") as job:
        assert job.end() == 0 and job.err().count("bad_key") == 1


@pytest.mark.parametrize("arguments", [[], ["alice"], ["alice", "--"], ["--", "true"], ["alice", "bob", "--", "true"], ["alice", "--nonsense", "--", "true"], ["alice", "--id", "a b", "--", "true"],
                                       ["alice", "--id", "x" * 65, "--", "true"], ["alice", "--wait", "-1", "--", "true"], ["alice", "--type"]], ids=" ".join)
def test_wrong_usage(arguments):
    """wrong arguments are refused with one line, and status 2, and nothing is run"""
    ended = subprocess.run([SCRIPTS / "run-job", *arguments], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert ended.returncode == 2 and ended.stdout == "" and re.fullmatch(r"scripts/run-job: .+; see scripts/run-job --help\n", ended.stderr)


def test_options_with_equals(stack, place, user):
    """run-job takes --option=VALUE for --option VALUE"""
    command = [SCRIPTS / "run-job", user, f"--url={stack.url}", "--type=build", "--id=7", "--title=a=b", "--ttl=600", "--wait=60", "--", "true"]
    assert subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, timeout=PATIENCE).returncode == 0
    assert [message["data"]["command"] for message in stack.look(user, after=0)["messages"]] == ["a=b", "a=b"]
    assert {message["type"] for message in stack.look(user, after=0)["messages"]} == {"build"}


def test_link(stack, place, user):
    """run-job can be called by a link from anywhere"""
    link = place / "job"
    link.symlink_to(SCRIPTS / "run-job")
    ended = subprocess.run([link, user, "--", "true"], cwd="/", env=environment({"url": stack.url}), stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert ended.returncode == 0 and states(said(stack, user)) == ["started", "done"]
