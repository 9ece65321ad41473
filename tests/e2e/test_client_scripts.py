# SPDX-License-Identifier: MIT
"""scripts/push and scripts/poll, called as somebody who writes shell calls them."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from expect import data
from stack import SCRIPTS, environment, new_directory, spare_port
from waits import eventually


@pytest.fixture
def home():
    directory = new_directory()
    yield directory
    shutil.rmtree(directory)


class Shell:
    """The two scripts, with a home directory and a server."""

    def __init__(self, home, url):
        self.home = home
        self.env = environment({"url": url})
        self.env.update(HOME=str(home))
        self.env.pop("XDG_STATE_HOME", None)

    def run(self, script, *arguments, stdin=b""):
        """(exit status, stdout, stderr) of a script that ends."""
        ended = subprocess.run([SCRIPTS / script, *map(str, arguments)], env=self.env, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    def poll(self, *arguments):
        """A scripts/poll that goes on until it is stopped; what it prints is in .lines() and .complaints()."""
        return Polling([SCRIPTS / "poll", *map(str, arguments)], self.env, self.home)


class Polling:
    def __init__(self, command, env, directory):
        self.out, self.err = (directory / name for name in ("out", "err"))
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def texts(self):
        return [message["data"] for message in self.lines()]

    def complaints(self):
        return self.err.read_text()

    def stop(self, number=signal.SIGTERM):
        os.killpg(self.process.pid, number)
        return self.process.wait(15)


@pytest.fixture
def shell(stack, home):
    return Shell(home, stack.url)


def test_push(stack, shell, user):
    """scripts/push alice 'hello' pushes a text and prints the answer"""
    status, out, err = shell.run("push", user, "hello")
    assert status == 0 and err == ""
    assert json.loads(out)["id"] and out.endswith("\n")
    assert data(stack.look(user, after=0)) == ["hello"]


@pytest.mark.parametrize("text", ["two words", "@file", "-dash", "--", "100% & more + ?=", "grüße 世界", "line\nline", "$HOME `id` 'quotes' \"double\"", "\\n", " ", "a=b&to=c"],
                         ids=repr)
def test_push_any_text(stack, shell, user, text):
    """scripts/push sends any text as it stands"""
    assert shell.run("push", user, text)[0] == 0
    assert data(stack.look(user, after=0)) == [text]


def test_push_words(stack, shell, user):
    """scripts/push puts several words together, as echo does"""
    assert shell.run("push", user, "dinner", "is", "ready")[0] == 0
    assert data(stack.look(user, after=0)) == ["dinner is ready"]


def test_push_standard_input(stack, shell, user):
    """scripts/push without a text sends what comes on standard input, unchanged"""
    assert shell.run("push", user, stdin="line one\nline two\n".encode())[0] == 0
    assert data(stack.look(user, after=0)) == ["line one\nline two\n"]


def test_push_options(stack, shell, user):
    """scripts/push takes a type, a ttl, JSON and a server"""
    del shell.env["LETTERBOX_URL"]
    status, _, err = shell.run("push", "--type", "ma il&x", "--ttl", "600", "--json", "--url", stack.url + "/", user, '{"n": 12345678901234567890}')
    assert status == 0, err
    message = stack.look(user, after=0)["messages"][0]
    assert message["type"] == "ma il&x" and message["data"] == {"n": 12345678901234567890}


def test_push_to_several(stack, shell, users):
    """scripts/push alice,bob pushes to both"""
    names = users(2)
    status, out, _ = shell.run("push", ",".join(names), "hello")
    assert status == 0 and [result["to"] for result in json.loads(out)["results"]] == names
    assert [data(stack.look(name, after=0)) for name in names] == [["hello"], ["hello"]]


def test_push_refused(shell):
    """scripts/push says why it was refused, and exits 1"""
    status, out, err = shell.run("push", "no spaces", "hello")
    assert status == 1 and out == "" and "bad_user" in err


def test_push_away(shell, user):
    """scripts/push exits 75 where no server is"""
    status, out, err = shell.run("push", "--url", f"http://127.0.0.1:{spare_port()}", user, "hello")
    assert status == 75 and out == "" and err


@pytest.mark.parametrize("script, arguments", [("push", []), ("push", ["--nonsense", "alice", "hello"]), ("push", ["--type"]), ("poll", []), ("poll", ["--nonsense", "alice"]), ("poll", ["a", "b"]),
                                               ("poll", ["--timeout", "abc", "alice"]), ("poll", ["--client"])], ids=repr)
def test_wrong_usage(shell, script, arguments):
    """wrong arguments are refused with the usage, and status 2"""
    status, out, err = shell.run(script, *arguments)
    assert status == 2 and out == "" and f"scripts/{script}" in err and "usage" in err


def test_poll(stack, shell, user):
    """scripts/poll prints each message as a line the moment it comes, and polls on"""
    with shell.poll(user) as polling:
        for text in ("one", "two\nlines", 'three "quoted" ],"cursor":"x" \\', "vier ✓"):
            eventually(lambda: stack.mailbox(user)["polls"] == 1, "it waits")
            stack.pushed(user, text)
            eventually(lambda: polling.texts()[-1:] == [text], "it is printed")
        assert [set(message) for message in polling.lines()] == [{"id", "type", "data", "time"}] * 4
        assert polling.complaints() == ""


def test_poll_lines(stack, shell, user):
    """scripts/poll prints messages of any shape as one line each, digit for digit"""
    documents = ['{"a":[{"b":"]}\\""},[[]]]}', '"\\\\"', "[]", "null", "12345678901234567890.10", '{"messages":[{"id":"no"}]}', '"\\u0000\\u001b"']
    stack.push_json("[" + ",".join('{"to":"%s","data":%s}' % (user, document) for document in documents) + "]")
    status, out, err = shell.run("poll", "--once", user)
    assert status == 0 and err == ""
    assert len(out.splitlines()) == len(documents)
    for line, document in zip(out.splitlines(), documents):
        assert json.loads(line)["data"] == json.loads(document)
    assert '"data":12345678901234567890.10' in out


def test_poll_goes_on(stack, shell, user):
    """scripts/poll keeps its cursor in a file: started again, it goes on there, and nothing is lost or doubled"""
    with shell.poll(user) as polling:
        stack.pushed(user, "one")
        eventually(lambda: polling.texts() == ["one"], "it is printed")
        eventually(lambda: stack.mailbox(user)["polls"] == 1, "the cursor is kept, and it waits again")
        polling.stop()
    for text in ("two", "three"):
        stack.pushed(user, text)
    with shell.poll(user) as polling:
        eventually(lambda: polling.texts() == ["two", "three"], "what came meanwhile is printed")
        stack.pushed(user, "four")
        eventually(lambda: polling.texts() == ["two", "three", "four"], "and what comes then")


def test_poll_killed(stack, shell, user):
    """scripts/poll that is killed at any moment loses nothing"""
    seen = []
    for round in range(5):
        stack.pushed(user, str(round))
        with shell.poll(user) as polling:
            eventually(lambda: polling.texts()[-1:] == [str(round)], "the newest is printed")
            polling.stop(signal.SIGKILL)
            seen += polling.texts()
    assert sorted(set(seen)) == [str(round) for round in range(5)]


def test_poll_once(stack, shell, user):
    """scripts/poll --once prints what there is and exits 0, or exits 3 where nothing came"""
    assert shell.run("poll", "--once", "--timeout", "0", user) == (3, "", "")
    stack.pushed(user, "hello")
    status, out, _ = shell.run("poll", "--once", user)
    assert status == 0 and json.loads(out)["data"] == "hello"
    assert shell.run("poll", "--once", "--timeout", "0", user)[0] == 3


def test_poll_clients(stack, shell, user):
    """scripts/poll --client reads as another reader, with a cursor of its own"""
    for client in ("laptop", "phone"):
        shell.run("poll", "--once", "--timeout", "0", "--client", client, user)
    stack.pushed(user, "hello")
    for client in ("laptop", "phone"):
        assert "hello" in shell.run("poll", "--once", "--timeout", "0", "--client", client, user)[1]
        assert shell.run("poll", "--once", "--timeout", "0", "--client", client, user)[0] == 3


def test_poll_cursor_file(stack, shell, user):
    """scripts/poll --cursor-file keeps the cursor where one wants it"""
    file = shell.home / "some dir" / "cursor"
    stack.pushed(user, "hello")
    assert shell.run("poll", "--once", "--cursor-file", file, user)[0] == 0
    assert file.read_text().strip() == stack.look(user, after=0)["cursor"]
    assert not (shell.home / ".local").exists()


def test_poll_reset(stack, shell, user):
    """scripts/poll says on standard error when the mailbox is a new one"""
    stack.pushed(user, "old")
    shell.run("poll", "--once", user)
    stack.request("DELETE", f"/mailbox?user={user}")
    stack.pushed(user, "new")
    status, out, err = shell.run("poll", "--once", user)
    assert status == 0 and json.loads(out)["data"] == "new" and "new one" in err


def test_poll_missed(tight_stack, home, user):
    """scripts/poll says on standard error how many messages were dropped"""
    shell = Shell(home, tight_stack.url)
    tight_stack.pushed(user, "0")
    shell.run("poll", "--once", "--timeout", "0", user)
    for number in range(1, 15):
        tight_stack.pushed(user, str(number))
    status, out, err = shell.run("poll", "--once", "--timeout", "0", user)
    assert status == 0 and len(out.splitlines()) == 10 and "4 messages" in err


def test_poll_refused(shell):
    """scripts/poll says why it was refused, and exits 1"""
    status, out, err = shell.run("poll", "no spaces")
    assert status == 1 and out == "" and "bad_user" in err


def test_poll_away(shell, user):
    """scripts/poll --once exits 75 where no server is"""
    status, out, err = shell.run("poll", "--once", "--url", f"http://127.0.0.1:{spare_port()}", user)
    assert status == 75 and out == "" and err


def test_poll_survives_a_restart(private_stack, home, user):
    """scripts/poll waits out a restart of the server, and gets what is pushed after it"""
    with Shell(home, private_stack.url).poll(user) as polling:
        private_stack.pushed(user, "before")
        eventually(lambda: polling.texts() == ["before"], "it is printed")
        assert private_stack.service("restart").returncode == 0
        private_stack.pushed(user, "after")
        eventually(lambda: polling.texts() == ["before", "after"], "it has come back", deadline=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_poll_stops(stack, shell, user, number):
    """a signal stops scripts/poll at once, and its poll with it"""
    with shell.poll(user) as polling:
        eventually(lambda: stack.mailbox(user)["polls"] == 1, "it waits")
        polling.process.send_signal(number)
        polling.process.wait(5)
        eventually(lambda: stack.mailbox(user)["polls"] == 0, "its poll has left")
