# SPDX-License-Identifier: MIT
"""The two programs as an administrator meets them: help, refusals, --check, --listen, and Redis by TCP with a password."""

import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess

import pytest
import redis

from expect import data, is_accepted
from fcgi_peer import Peer
from ports import spare_port
from stack import BUILD, VERSION, Program, Stack, environment, new_directory
from waits import eventually
from web import DEADLINE

BOTH = ("redis", "redis-user", "redis-password-file", "redis-db", "redis-prefix", "listen", "workers", "log", "check", "acl", "settings", "help", "version", "client-life", "events-to")
PRIVATE = ("key-file", "push-rate", "token-life", "redis-replicas", "body-max", "recipients-max", "broadcast-max", "group-max")
FLAGS = {"poll": BOTH + ("open", "origin", "jwt-key", "jwt-audience", "lanes", "poll-timeout", "poll-timeout-max", "push-listen") + PRIVATE,
         "push": BOTH + PRIVATE + ("mailbox-max", "mailbox-life")}
PROGRAMS = pytest.mark.parametrize("program", ["poll", "push"])


def run(program, *arguments, **settings):
    """A program that ends by itself: (exit status, stdout, stderr)."""
    ended = subprocess.run([str(BUILD / f"letterbox-{program}"), *map(str, arguments)], env=environment(settings), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    return ended.returncode, ended.stdout, ended.stderr


def is_refusal(ended, *words):
    """The program did not start, and one clear line on stderr says why."""
    status, out, err = ended
    assert status not in (0, None) and status > 0, ended
    assert out == "" and len(err.strip().splitlines()) == 1, ended
    for word in words:
        assert word in err, ended
    return True


def is_fault(ended, *words):
    """--check has found one error, and names it."""
    status, out, err = ended
    errors = [line for line in out.splitlines() if line.startswith("error: ")]
    assert (status, err, len(errors)) == (1, "", 1), ended
    for word in words:
        assert word in errors[0], ended
    return True


@PROGRAMS
def test_help(program):
    """--help prints the table of all flags with their environment names, and exits 0"""
    status, out, err = run(program, "--help")
    assert status == 0 and err == ""
    for flag in FLAGS[program]:
        assert f"--{flag}" in out
        if flag not in ("help", "version", "check", "acl", "settings"):
            assert "LETTERBOX_" + flag.upper().replace("-", "_") in out


@PROGRAMS
def test_version(program):
    """--version prints the program's name and version, and exits 0"""
    assert run(program, "--version") == (0, f"letterbox-{program} {VERSION}\n", "")


@PROGRAMS
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--worker", "2"], ["-x"], ["operand"], ["--workers"], ["--redis"]], ids=" ".join)
def test_unknown_flag(program, arguments):
    """an unknown flag, an operand or a missing value stops the start with a line that names it"""
    assert is_refusal(run(program, *arguments), arguments[0].lstrip("-"))


@PROGRAMS
@pytest.mark.parametrize("flag, value", [("workers", "abc"), ("workers", ""), ("workers", "-1"), ("workers", "1000000000"), ("workers", "2x"),
                                         ("redis", "host:nonsense"), ("redis", "host:99999"), ("redis", "unix:"), ("redis", "sentinel:host:26379"), ("redis-db", "-1"), ("redis-db", "x"), ("client-life", "0"),
                                         ("client-life", "abc"), ("client-life", "nan"), ("redis-password-file", "/nonexistent/file"), ("events-to", "a/b")])
def test_bad_value(program, flag, value):
    """a bad value stops the start with a line that names the flag"""
    assert is_refusal(run(program, f"--{flag}", value), flag)


@pytest.mark.parametrize("program, flag, value", [("poll", "poll-timeout", "-1"), ("poll", "poll-timeout", "1000000"), ("poll", "poll-timeout-max", "abc"), ("poll", "lanes", "0"),
                                                  ("push", "body-max", "0"), ("push", "recipients-max", "0"), ("push", "mailbox-max", "0"), ("push", "mailbox-life", "0"),
                                                  ("push", "mailbox-max", "1e3")])
def test_bad_own_value(program, flag, value):
    """a bad value of a flag that only one program has is refused just as clearly"""
    assert is_refusal(run(program, f"--{flag}", value), flag)


@pytest.mark.parametrize("flag, value", [("key-file", "/nonexistent/file"), ("push-rate", "5"), ("body-max", "0"), ("redis-replicas", "1")])
def test_private_flags_of_poll(flag, value):
    """letterbox-poll refuses a flag of the private face unless it serves that, too, and does not look at its variable"""
    assert is_refusal(run("poll", f"--{flag}", value), f"--{flag} goes with --push-listen")
    assert is_refusal(run("poll", **{flag.replace("-", "_"): "/nonexistent/file"}), "descriptor 0 is no listening socket")
    assert is_refusal(run("poll", "--push-listen", "fd:0", **{flag.replace("-", "_"): "/nonexistent/file"}), f"LETTERBOX_{flag.upper().replace('-', '_')}")


@PROGRAMS
def test_bad_environment(program):
    """a bad value in the environment stops the start with a line that names the variable"""
    assert is_refusal(run(program, workers="abc"), "LETTERBOX_WORKERS")


@PROGRAMS
def test_flag_wins(program):
    """a flag wins over the environment"""
    assert is_fault(run(program, "--check", "--redis-timeout", "0.3", "--redis", "unix:/nonexistent/flag.sock", redis="unix:/nonexistent/environment.sock"), "/nonexistent/flag.sock")


@PROGRAMS
def test_no_listening_socket(program, stack):
    """a program whose descriptor 0 is no listening socket says so and how to give it one"""
    assert is_refusal(run(program, "--redis", f"unix:{stack.socket('redis')}"), "--listen")


@PROGRAMS
def test_no_signals(program, tmp_path):
    """a program that can't read signals, and so could not be ended, does not start and says why"""
    def few():  # standard streams and the log
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    ended = subprocess.run([str(BUILD / f"letterbox-{program}"), "--log", str(tmp_path / "log")], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, preexec_fn=few)
    assert is_refusal((ended.returncode, ended.stdout, ended.stderr), "signals can't be read", "Too many open files")


@PROGRAMS
@pytest.mark.parametrize("address", ["unix:/nonexistent/redis.sock", "127.0.0.1:{port}", "[::1]:{port}"])
def test_check_without_redis(program, address):
    """--check finds one error if Redis does not answer"""
    address = address.format(port=spare_port())
    assert is_fault(run(program, "--check", "--redis-timeout", "0.3", "--redis", address), address.removeprefix("unix:"))


@PROGRAMS
def test_check(program, private_stack):
    """--check succeeds if Redis is there, needs no listening socket, and leaves nothing in Redis"""
    eventually(lambda: private_stack.get("/users").json["online"] == 0, "the user whose poll tested the stack has left")
    before = set(private_stack.redis.keys("*"))
    status, _, err = run(program, "--check", "--redis-timeout", "0.3", "--redis", f"unix:{private_stack.socket('redis')}")
    assert status == 0, err
    assert set(private_stack.redis.keys("*")) <= before


@PROGRAMS
def test_check_something_else(program):
    """--check fails if a server other than Redis answers, or one that says nothing at all"""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert is_fault(run(program, "--check", "--redis-timeout", "0.3", "--redis", f"127.0.0.1:{silent.getsockname()[1]}"))


@PROGRAMS
def test_socket_in_use(program, stack):
    """a program that is started twice on one socket refuses, and the first goes on serving"""
    path = stack.socket(program)
    redis_address = f"unix:{stack.socket('redis')}"
    assert is_refusal(run(program, "--listen", path, "--redis", redis_address), str(path))
    with Peer(path) as peer:
        assert peer.exchange("GET", "/nowhere").status == 404


@PROGRAMS
def test_stale_socket(program, stack):
    """a socket that a killed program left behind is taken over"""
    directory = new_directory()
    path = directory / "stale.sock"
    for number in (signal.SIGKILL, signal.SIGTERM):
        started = Program(program, "--listen", path, "--redis", f"unix:{stack.socket('redis')}").listens(path)
        with Peer(path) as peer:
            assert peer.exchange("GET", "/nowhere").status == 404
        assert started.end(number) in (0, -signal.SIGKILL)
    shutil.rmtree(directory)


@PROGRAMS
def test_listen_where_impossible(program, stack):
    """--listen on an impossible path is refused with a clear line"""
    for path in ("/nonexistent/directory/x.sock", "/tmp/" + "x" * 200, "/dev/null"):
        assert is_refusal(run(program, "--listen", path, "--redis", f"unix:{stack.socket('redis')}"))
    assert os.stat("/dev/null"), "the file there is left alone"


@PROGRAMS
def test_listen_on_tcp(program, stack):
    """--listen takes host:port, too"""
    port = spare_port()
    started = Program(program, "--listen", f"127.0.0.1:{port}", "--redis", f"unix:{stack.socket('redis')}")

    def answers():
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    def connected():
        try:
            return answers()
        except ConnectionError:
            return False

    eventually(connected, "it listens")
    assert started.end() == 0


# --- who may push, without a key

KEY = "key-of-back-ends-0123"


@pytest.fixture
def place():
    directory = new_directory()
    yield directory
    shutil.rmtree(directory)


def begins(program, place, stack, private_socket, *more, **popen):
    """A program whose private face is on this socket; its public face, if it has one, on a path."""
    option = "--listen" if program == "push" else "--push-listen"
    public = [] if program == "push" else ["--listen", place / "public.sock"]
    return Program(program, *public, option, private_socket, "--redis", f"unix:{stack.socket('redis')}", *more, **popen)


def everywhere():
    """A socket on all addresses, which is reached only by loopback here."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    one.bind(("0.0.0.0", 0))
    one.listen()
    return one


@PROGRAMS
def test_no_key_for_the_world(program, stack, place):
    """without a key the private face is not served where other machines can connect: the program ends and says why"""
    refused = begins(program, place, stack, f"0.0.0.0:{spare_port()}")
    assert refused.wait(DEADLINE) == 2
    assert "--key-file" in refused.said() and "0.0.0.0:" in refused.said() and len(refused.said().splitlines()) == 1, refused.said()


@PROGRAMS
def test_no_key_for_an_inherited_socket(program, stack, place):
    """the same holds for a socket that the program was handed"""
    with everywhere() as one:
        refused = begins(program, place, stack, f"fd:{one.fileno()}", pass_fds=[one.fileno()])
        assert refused.wait(DEADLINE) == 2 and "--key-file" in refused.said(), refused.said()


@PROGRAMS
def test_key_for_the_world(program, stack, place):
    """with a key the private face may be on any socket, and the program says who may come in"""
    (place / "key").write_text(KEY)
    with everywhere() as one:
        started = begins(program, place, stack, f"fd:{one.fileno()}", "--key-file", place / "key", pass_fds=[one.fileno()])
        eventually(lambda: "ready:" in started.said(), "it is ready")
        assert f"the private face is on 0.0.0.0:{one.getsockname()[1]}, for requests with the key" in started.said() and KEY not in started.said()
        assert started.end() == 0


@PROGRAMS
@pytest.mark.parametrize("where", ["path", "loopback", "inherited"])
def test_no_key_for_this_machine(program, stack, place, where):
    """without a key the private face is served on a unix socket or on loopback, and the program says that it is open, and where"""
    inherited = socket.create_server(("127.0.0.1", 0))
    port = spare_port()
    asked, told = {"path": (place / "private.sock", f"unix:{place}/private.sock"), "loopback": (f"127.0.0.1:{port}", f"127.0.0.1:{port}"),
                   "inherited": (f"fd:{inherited.fileno()}", f"127.0.0.1:{inherited.getsockname()[1]}")}[where]
    with inherited:
        started = begins(program, place, stack, asked, pass_fds=[inherited.fileno()])
        eventually(lambda: "ready:" in started.said(), "it is ready")
        assert f"the private face is on {told}, open to every program that can connect: no --key-file" in started.said(), started.said()
        assert started.end() == 0


def test_public_face_alone_says_nothing_of_it(stack, place):
    """a program that has no private face does not say who may push"""
    started = Program("poll", "--listen", place / "public.sock", "--redis", f"unix:{stack.socket('redis')}").listens(place / "public.sock")
    eventually(lambda: "ready:" in started.said(), "it is ready")
    assert "private face" not in started.said() and started.end() == 0


@PROGRAMS
def test_started_without_redis(program, stack):
    """a program that starts while Redis is away waits for it, and serves when it comes"""
    directory = new_directory()
    path, store = directory / "program.sock", directory / "redis.sock"
    started = Program(program, "--listen", path, "--redis", f"unix:{store}", *(["--open"] if program == "poll" else [])).listens(path)
    where = ("/poll", "user=alice&timeout=0") if program == "poll" else ("/mailbox", "user=alice")
    with Peer(path) as peer:
        assert peer.exchange("GET", *where).status == 503
        os.symlink(stack.socket("redis"), store)
        eventually(lambda: peer.exchange("GET", *where).status == 200, "it serves")
    assert started.end() == 0
    shutil.rmtree(directory)


def test_log_file(stack):
    """--log writes to a file, which is appended to"""
    directory = new_directory()
    log, path = directory / "log", directory / "poll.sock"
    log.write_text("before\n")
    started = Program("poll", "--listen", path, "--redis", f"unix:{stack.socket('redis')}", "--log", log).listens(path)
    assert started.end() == 0
    assert log.read_text().startswith("before\n") and len(log.read_text().splitlines()) > 1
    shutil.rmtree(directory)


def test_log_rotation(stack):
    """SIGHUP reopens the log file, so that it can be rotated"""
    directory = new_directory()
    log, path = directory / "log", directory / "poll.sock"
    started = Program("poll", "--listen", path, "--redis", f"unix:{stack.socket('redis')}", "--log", log).listens(path)
    log.rename(directory / "log.1")
    started.send_signal(signal.SIGHUP)
    eventually(log.exists, "there is a new log")
    assert started.end() == 0
    assert "ended" in log.read_text()
    shutil.rmtree(directory)


# --- Redis by TCP, with a password, a user of its access list and a database

USER, PASSWORD = "letterbox", "s3cret with spaces"


@pytest.fixture(scope="module")
def guarded_redis():
    """A Redis on loopback that lets in only a named user with a password. Yields its port and the password's file."""
    directory, port = new_directory(), spare_port()
    acl = directory / "users.acl"
    # An ordinary user's rights: nothing that administrates, except that it may interrupt its own blocked connections, and end those from before.
    acl.write_text(f"user default off\nuser {USER} on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} ~*:{{*}} ~letterbox:* +@all -@admin -@dangerous +client|unblock +client|kill +info\n"
                   "user test on nopass ~* &* +@all\n")
    password = directory / "password"
    password.write_text(PASSWORD + "\n")
    with open(directory / "log", "w") as log:
        server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--aclfile", acl], stdout=log)
    client = redis.Redis(port=port, username="test", password="any", db=3)

    def answers():
        try:
            return client.ping()
        except redis.exceptions.ConnectionError:
            return False

    eventually(answers, "Redis answers")
    yield port, password, client
    server.terminate()
    server.wait(DEADLINE)
    shutil.rmtree(directory)


@pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])
def test_redis_by_tcp(guarded_redis, users, apart):
    """Redis may be reached by TCP, as a named user with a password, in a database of its own"""
    port, password, client = guarded_redis
    stack = Stack(apart=apart).start()
    try:
        access = ("--redis", f"127.0.0.1:{port}", "--redis-user", USER, "--redis-password-file", password, "--redis-db", 3)
        program, *_ = [stack.replace(part, *access, open=1) for part in stack.programs]
        user, *others = users(10)
        parked = [stack.park(name, after=0) for name in (user, *others)]
        for name in (user, *others):
            stack.pushed(name, "hello")
        assert [data(poll.answer()) for poll in parked] == [["hello"]] * 10
        assert client.keys(f"*{user}*"), "it is in database 3"
        assert stack.redis.keys(f"*{user}*") == []
        parked = stack.park(user, client="other", after=stack.look(user, client="other", after=0)["cursor"])
        client.client_kill_filter(_type="normal", skipme=True)  # each connection has to log in and to select again
        eventually(lambda: is_accepted(stack.push(user, "again")), "the push is accepted")
        assert data(parked.answer()) == ["again"]
        client.rpush(f"mailbox:{{{user}}}", "raw")
        eventually(lambda: "raw" in data(stack.look(user, client="third", after=0)), "a raw element is adopted")
        assert "NOPERM" not in program.said()
    finally:
        stack.stop()


@PROGRAMS
def test_check_with_password(guarded_redis, program):
    """--check succeeds with the right password and user, and says what is wrong with others"""
    port, password, _ = guarded_redis
    wrong = password.with_name("wrong")
    wrong.write_text("not it\n")
    address = ("--check", "--redis-timeout", "0.3", "--redis", f"127.0.0.1:{port}")
    assert run(program, *address, "--redis-user", USER, "--redis-password-file", password, "--redis-db", 3)[0] == 0
    assert run(program, *address, redis_user=USER, redis_password_file=password, redis_db=15)[0] == 0
    for arguments in (["--redis-user", USER, "--redis-password-file", wrong], ["--redis-user", "nobody", "--redis-password-file", password], ["--redis-password-file", password], [],
                      ["--redis-user", USER, "--redis-password-file", password, "--redis-db", 9999]):
        ended = run(program, *address, *arguments)
        assert is_fault(ended, str(port))
        assert PASSWORD not in ended[1] and "not it" not in ended[1], "secrets are not for logs"
