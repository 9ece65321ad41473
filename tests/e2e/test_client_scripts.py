# SPDX-License-Identifier: MIT
"""scripts/push and scripts/poll, called as in a user's shell."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from background import Background
from expect import data
from ports import spare_port
from proxy import Proxy
from stack import SCRIPTS, environment, new_directory
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


class Polling(Background):
    def lines(self):
        return [json.loads(line) for line in self.out_file.read_text().splitlines()]

    def texts(self):
        return [message["data"] for message in self.lines()]

    def complaints(self):
        return self.err_file.read_text()

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


@pytest.mark.parametrize("text", ["two words", "@file", "-dash", "100% & more + ?=", "grüße 世界", "line\nline", "$HOME `id` 'quotes' \"double\"", "\\n", " ", "a=b&to=c"],
                         ids=repr)
def test_push_any_text(stack, shell, user, text):
    """scripts/push sends any text as it is"""
    assert shell.run("push", user, text)[0] == 0
    assert data(stack.look(user, after=0)) == [text]


@pytest.mark.parametrize("text", ["--json", "--", "--url=x", "-- two", "--help"], ids=repr)
def test_push_dashes(stack, shell, user, text):
    """scripts/push takes a text that begins with -- for an option that came too late, says so and sends nothing; after -- it sends the text as it is"""
    if text != "--":  # alone that means: what follows is text
        status, out, err = shell.run("push", user, text, '{"a":1}')
        assert status == 2 and out == "" and re.fullmatch(rf"scripts/push: options come before the name; .* stands behind --: .*{re.escape(text)}.*; see scripts/push --help\n", err)
        assert stack.mailbox(user)["queued"] == 0
    assert shell.run("push", user, "--", text)[0] == 0
    assert shell.run("push", "--type", "t", "--", user, text, "more")[0] == 0
    assert data(stack.look(user, after=0)) == [text, f"{text} more"]


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


def test_push_later(stack, shell, user):
    """scripts/push has a message come later, after a delay or at a time, and prints its id"""
    status, out, err = shell.run("push", "--delay", "3600", user, "later")
    assert status == 0, err
    status, out_at, err = shell.run("push", f"--at={json.loads(out)['at'] + 1}", user, "later still")
    assert status == 0, err
    ids = [entry["id"] for entry in stack.get("/scheduled", user=user).json["scheduled"]]
    assert ids == [json.loads(text)["scheduled"] for text in (out, out_at)]
    status, _, err = shell.run("push", "--delay", "soon", user, "hello")
    assert status == 1 and "bad_time" in err
    for id in ids:
        assert stack.request("DELETE", f"/scheduled?id={id}").json == {"cancelled": True}


def test_options_with_equals(stack, shell, user):
    """scripts/push and scripts/poll take --option=VALUE for --option VALUE, whatever the value"""
    del shell.env["LETTERBOX_URL"]
    assert shell.run("push", f"--url={stack.url}", "--type=a=b", "--ttl=600", "--json", user, "1")[0] == 0
    status, out, err = shell.run("poll", "--once", f"--url={stack.url}", "--client=tab", "--timeout=0", f"--cursor-file={shell.home}/at=here", "--exec=cat; echo \"$LETTERBOX_TYPE\"", "--tries=2", user)
    assert status == 0 and json.loads(out.splitlines()[0])["type"] == out.splitlines()[1] == "a=b", err
    assert (shell.home / "at=here").exists()


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
    """scripts/push exits 75 if there is no server"""
    url = f"http://127.0.0.1:{spare_port()}"
    status, out, err = shell.run("push", "--wait", 0, "--url", url, user, "hello")
    assert status == 75 and out == "" and err.endswith(f"\nscripts/push: no answer from {url}\n") and "000" not in err


@pytest.mark.parametrize("word", ["lose", "half", "502", "503", "429"])
def test_push_repeated(stack, shell, user, word):
    """scripts/push repeats a push that got no answer or a temporary error, with one key, and the message arrives once"""
    with Proxy(stack.port, words=[word]) as proxy:
        for stdin, arguments in ((b"", ["one"]), (b"two\n\n", [])):
            status, out, err = shell.run("push", "--url", proxy.url, "--wait", 60, user, *arguments, stdin=stdin)
            assert status == 0 and json.loads(out)["id"] and err == ""
        keys = [headers["Idempotency-Key"] for _, _, headers, _ in proxy.seen]
    assert len(keys) == 3 and keys[0] == keys[1] != keys[2]
    assert data(stack.look(user, after=0)) == ["one", "two\n\n"]


def test_push_key(stack, shell, user):
    """scripts/push --idempotency-key makes one push of all that have the key; with another text it is refused"""
    first, second = (shell.run("push", "--idempotency-key", f"order {user}", user, "hello") for _ in range(2))
    assert first[0] == second[0] == 0 and first[1] == second[1]
    status, _, err = shell.run("push", "--idempotency-key", f"order {user}", user, "another")
    assert status == 1 and "key_reused" in err
    assert shell.run("push", "--idempotency-key", "a\nb", user, "hello")[0] == 2
    assert data(stack.look(user, after=0)) == ["hello"]


def test_push_leaves_nothing(stack, shell, home, user):
    """scripts/push leaves no file behind, whether it was accepted, refused, or ended by a signal while it waits"""
    shell.env["TMPDIR"] = str(home)
    assert shell.run("push", user, "hello")[0] == 0 and shell.run("push", "no name", "hello")[0] == 1
    with Polling([SCRIPTS / "push", "--url", f"http://127.0.0.1:{spare_port()}", "--wait", "60", user, "hello"], shell.env, home) as pushing:
        eventually(lambda: list(home.glob("tmp.*")), "it has kept the message")
        assert pushing.stop() in (143, -signal.SIGTERM)
    assert list(home.glob("tmp.*")) == []


def test_push_away_with_password(shell, user):
    """scripts/push says which server did not answer, and not the password in its address"""
    port = spare_port()
    err = shell.run("push", "--wait", 0, "--url", f"http://alice:s3cret@127.0.0.1:{port}/below@this", user, "hello")[2]
    assert err.endswith(f"\nscripts/push: no answer from http://127.0.0.1:{port}/below@this\n") and "s3cret" not in err


@pytest.fixture
def says():
    """Starts a server that answers each push with one status and the error of this code; its URL."""
    servers = []

    def start(status, code):
        class Answers(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                body = json.dumps({"error": {"code": code}}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status, code, ends", [(429, "too_fast", 75), (408, "too_slow", 75), (500, "internal", 75), (502, "away", 75), (503, "store_unavailable", 75),
                                                (400, "bad_user", 1), (401, "bad_key", 1), (413, "too_large", 1)])
def test_push_status(shell, says, user, status, code, ends):
    """scripts/push exits 75 if it is told to come back later, also by 429, and 1 if trying again is no use; and says what it was told"""
    ended, out, err = shell.run("push", "--wait=0", "--url", says(status, code), user, "hello")
    assert (ended, out, err) == (ends, "", f'scripts/push: {status} {{"error": {{"code": "{code}"}}}}\n')


@pytest.mark.parametrize("script, arguments", [("push", []), ("push", ["--nonsense", "alice", "hello"]), ("push", ["--type"]), ("push", ["--json=1", "alice", "hello"]), ("push", ["--url"]), ("push", ["--wait", "1.5", "alice", "hello"]), ("poll", []), ("poll", ["--nonsense", "alice"]), ("poll", ["a", "b"]),
                                               ("poll", ["--timeout", "abc", "alice"]), ("poll", ["--client"]), ("poll", ["--tries", "2", "alice"]), ("poll", ["--exec", "true", "--tries", "0", "alice"])], ids=repr)
def test_wrong_usage(shell, script, arguments):
    """wrong arguments are refused with one line, and status 2"""
    status, out, err = shell.run(script, *arguments)
    assert status == 2 and out == "" and re.fullmatch(rf"scripts/{script}: .+; see scripts/{script} --help\n", err)


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
    """scripts/poll --once prints the messages that are there and exits 0, or exits 3 if none came"""
    assert shell.run("poll", "--once", "--timeout", "0", user) == (3, "", "")
    stack.pushed(user, "hello")
    status, out, _ = shell.run("poll", "--once", user)
    assert status == 0 and json.loads(out)["data"] == "hello"
    assert shell.run("poll", "--once", "--timeout", "0", user)[0] == 3


def test_poll_clients(stack, shell, user):
    """scripts/poll --client reads as another client, with a cursor of its own"""
    for client in ("laptop", "phone"):
        shell.run("poll", "--once", "--timeout", "0", "--client", client, user)
    stack.pushed(user, "hello")
    for client in ("laptop", "phone"):
        assert "hello" in shell.run("poll", "--once", "--timeout", "0", "--client", client, user)[1]
        assert shell.run("poll", "--once", "--timeout", "0", "--client", client, user)[0] == 3


def test_poll_cursor_file(stack, shell, user):
    """scripts/poll --cursor-file keeps the cursor in that file"""
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
    """scripts/poll --once exits 75 if there is no server"""
    url = f"http://127.0.0.1:{spare_port()}"
    status, out, err = shell.run("poll", "--once", "--url", url, user)
    assert status == 75 and out == "" and err.endswith(f"\nscripts/poll: no answer from {url}\n")


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


# --- streams

def test_stream(stack, shell, user):
    """scripts/poll --stream prints each message as it comes, keeps its cursor, and started again goes on there"""
    stack.pushed(user, "before")
    with shell.poll("--stream", user) as polling:
        eventually(lambda: polling.texts() == ["before"], "it is printed")
        last = [stack.pushed(user, str(i)) for i in range(20)][-1]
        eventually(lambda: polling.texts() == ["before", *map(str, range(20))], "all are printed")
        # (The message at which it was stopped would come once more, and a shell reports a stopped job.)
        kept = (shell.home / ".local/state/letterbox").rglob
        eventually(lambda: [path.read_text() for path in kept(user)] == [f"{last}\n"], "its cursor is kept")
        assert polling.complaints() == ""
        polling.stop()
    stack.pushed(user, "after")
    with shell.poll("--stream", "--text", user) as polling:
        eventually(lambda: polling.out_file.read_text() == "after\n", "it goes on behind them")


def test_stream_comes_back(private_stack, home, user):
    """scripts/poll --stream comes back after a stream's end and a restart of the server, and gets what was pushed meanwhile"""
    with Shell(home, private_stack.url).poll("--stream", "--timeout", "1", user) as polling:
        private_stack.pushed(user, "before")
        eventually(lambda: polling.texts() == ["before"], "it is printed")
        assert private_stack.service("restart").returncode == 0
        private_stack.pushed(user, "after")
        eventually(lambda: polling.texts() == ["before", "after"], "it has come back", deadline=30)


def test_stream_exec(stack, shell, user):
    """scripts/poll --stream --exec runs a command for each message, and one that fails gets its message again"""
    for i in range(3):
        stack.pushed(user, str(i))
    command = 'echo "$(cat)" >>"$HOME/notes"; [ "$(wc -l <"$HOME/notes")" -ne 2 ]'
    with shell.poll("--stream", "--text", "--exec", command, user):
        eventually(lambda: exec_lines(shell.home) == ["0", "1", "1", "2"], "the second came twice")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stream_stops(stack, shell, user, number):
    """a signal stops scripts/poll --stream at once, and its stream with it"""
    with shell.poll("--stream", user) as polling:
        eventually(lambda: stack.mailbox(user)["polls"] == 1, "it waits")
        polling.process.send_signal(number)
        polling.process.wait(5)
        eventually(lambda: stack.mailbox(user)["polls"] == 0, "its stream has left")


def test_stream_refused(stack, shell, user):
    """scripts/poll --stream ends when it is refused, and when its user was kicked"""
    status, out, err = shell.run("poll", "--stream", "no name")
    assert status == 1 and out == "" and "bad_user" in err
    with shell.poll("--stream", user) as polling:
        eventually(lambda: stack.mailbox(user)["polls"] == 1, "it waits")
        stack.request("POST", "/users/kick", [("Content-Type", "application/json")], json.dumps({"user": user}).encode())
        assert polling.process.wait(15) == 1
        assert "kicked" in polling.complaints()


def test_stream_once(shell):
    """--once and --stream contradict each other"""
    assert shell.run("poll", "--once", "--stream", "alice")[0] == 2


# --- a command for each message

def exec_lines(home):
    """The lines that the command of a test has written, one each time."""
    notes = home / "notes"
    return notes.read_text().splitlines() if notes.exists() else []


def test_exec(stack, shell, user):
    """scripts/poll --exec runs a command for each message, in order, with the message on its standard input and id, type and time in its environment"""
    ids = [stack.pushed(user, text, type=type) for text, type in (("one", "message"), ("two 'lines'\n$(id)", 'ty"p\\e;é'))]
    status, out, err = shell.run("poll", "--once", "--timeout", "0", "--exec", 'cat; printf "%s|" "$LETTERBOX_ID" "$LETTERBOX_TYPE" "$LETTERBOX_TIME"; echo', user)
    assert status == 0 and err == ""
    one, about_one, two, about_two = out.splitlines()
    for id, type, text, line, about in ((ids[0], "message", "one", one, about_one), (ids[1], 'ty"p\\e;é', "two 'lines'\n$(id)", two, about_two)):
        message = json.loads(line)
        assert message == {"id": id, "type": type, "data": text, "time": message["time"]}
        assert about == f"{id}|{type}|{message['time']}|"


@pytest.mark.parametrize("document, text", [('"grüße 世界"', "grüße 世界"), (r'"\ud83d\ude00\u00e9\u4e16"', "😀é世"), (r'"a\"b\\c\/d\n\t\r\b\f\u001b"', 'a"b\\c/d\n\t\r\b\f\x1b'), (r'"\u0000"', "\ufffd"),
                                            ('{"a":[1,"x"]}', '{"a":[1,"x"]}'), ("12345678901234567890.10", "12345678901234567890.10"), ("null", "null"), ('""', ""), (r'"],\"time\":1}"', '],"time":1}')], ids=repr)
def test_text(stack, shell, user, document, text):
    """scripts/poll --text gives a text as it was, and anything else as JSON, printed and to a command"""
    stack.push_json(document, to=user)
    for client, more in (("a", []), ("b", ["--exec", "cat"])):
        ended = subprocess.run([SCRIPTS / "poll", "--once", "--text", "--since", "0", *more, user], env=shell.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60)
        assert ended.returncode == 0 and ended.stdout == f"{text}\n".encode(), client
        stack.push_json(document, to=user)
        shell.run("poll", "--once", user)  # acknowledges the first, so that the second is the oldest


def test_exec_fails(stack, shell, user):
    """a message on which the command fails comes again, the later ones wait, and none after it is acknowledged meanwhile"""
    ids = [stack.pushed(user, text) for text in ("one", "two", "three")]
    go = shell.home / "go"
    cursor = shell.home / "cursor"
    command = f"text=$(cat); echo \"$text\" >>'{shell.home}/notes'; [ \"$text\" != two ] || [ -e '{go}' ]"
    with shell.poll("--cursor-file", cursor, "--text", "--exec", command, user) as polling:
        eventually(lambda: exec_lines(shell.home)[:3] == ["one", "two", "two"], "it is tried again", deadline=60)
        assert set(exec_lines(shell.home)[1:]) == {"two"} and cursor.read_text() == f"{ids[0]}\n"
        box = stack.mailbox(user)
        assert box["queued"] == 2 and box["oldest"] == ids[1]
        assert f"message {ids[1]}: the command failed with status 1" in polling.complaints()
        go.touch()
        eventually(lambda: exec_lines(shell.home)[-1] == "three", "it goes on", deadline=60)
        eventually(lambda: stack.mailbox(user)["queued"] == 0, "all is acknowledged", deadline=60)
        assert cursor.read_text() == f"{ids[2]}\n" and exec_lines(shell.home).count("three") == 1


def test_exec_once_fails(stack, shell, user):
    """scripts/poll --once --exec exits 4 when the command fails, and the message is there the next time"""
    for text in ("one", "two"):
        stack.pushed(user, text)
    assert shell.run("poll", "--once", "--text", "--exec", "cat; false", user)[:2] == (4, "one\n")
    assert shell.run("poll", "--once", "--text", "--exec", "cat", user)[:2] == (0, "one\ntwo\n")
    assert shell.run("poll", "--once", "--timeout", "0", "--exec", "cat", user)[0] == 3


def test_exec_tries(stack, shell, user):
    """after --tries failures a message is printed on standard error and acknowledged, and the next one follows"""
    for text in ("one", "two"):
        stack.pushed(user, text)
    with shell.poll("--text", "--tries", "2", "--exec", f"tee -a '{shell.home}/notes' | grep two", user) as polling:
        eventually(lambda: exec_lines(shell.home) == ["one", "one", "two"], "it goes on", deadline=60)
        assert 'given up after 2 tries: {"id":' in polling.complaints() and '"data":"one"' in polling.complaints()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_exec_ended_midway(stack, shell, user, number):
    """scripts/poll that is ended while the command runs begins with that message the next time"""
    for text in ("one", "two"):
        stack.pushed(user, text)
    started = shell.home / "started"
    with shell.poll("--text", "--exec", f"text=$(cat); if [ \"$text\" = two ]; then : >'{started}'; exec sleep 600; fi", user) as polling:
        eventually(started.exists, "the second is under way", deadline=60)
        polling.process.send_signal(number)
        assert polling.process.wait(60) == (143 if number == signal.SIGTERM else -number)
        if number == signal.SIGTERM:
            with pytest.raises(ProcessLookupError):  # it has ended its command too, and waited for it
                os.killpg(polling.process.pid, 0)
        else:
            os.killpg(polling.process.pid, signal.SIGKILL)
    assert shell.run("poll", "--once", "--text", "--exec", "cat", user)[:2] == (0, "two\n")


def test_exec_environment(stack, shell, user):
    """the command has the caller's locale, and none of the script's descriptors"""
    stack.pushed(user, "hello")
    shell.env["LC_ALL"] = "C.UTF-8"
    status, out, err = shell.run("poll", "--once", "--exec", 'echo "$LC_ALL"; ls /proc/self/fd | tr "\\n" " "', user)
    assert status == 0 and out == "C.UTF-8\n0 1 2 3 ", "3 is that of ls"


def test_exec_needs_no_input(stack, shell, user):
    """a command that does not read its message succeeds, however long the message is"""
    stack.pushed(user, "x" * 200_000)
    assert shell.run("poll", "--once", "--exec", "true", user) == (0, "", "")


# --- the cursor

def test_since(stack, shell, user):
    """scripts/poll --since begins after that message whatever the file says, and the file goes on from there"""
    first, second, third = (stack.pushed(user, text) for text in ("one", "two", "three"))
    stack.look(user, client="other", after=0)  # a client for which they are kept
    assert shell.run("poll", "--once", "--text", user)[1] == "one\ntwo\nthree\n"
    assert shell.run("poll", "--once", "--text", "--since", first, user)[1] == "two\nthree\n"
    assert shell.run("poll", "--once", "--text", "--since", "0", user)[1] == "one\ntwo\nthree\n"
    assert shell.run("poll", "--once", "--text", "--timeout", "0", "--since", "now", user)[:2] == (3, "")
    stack.pushed(user, "four")
    assert shell.run("poll", "--once", "--text", user)[1] == "four\n"
    assert shell.run("poll", "--once", "--timeout", "0", user)[0] == 3


def test_cursor_is_whole(stack, shell, user):
    """the cursor file holds a whole cursor at every moment, also after the script was killed"""
    file = shell.home / "cursor"
    seen = set()
    for round in range(4):
        for number in range(8):
            stack.pushed(user, str(number))
        with shell.poll("--cursor-file", file, "--exec", "true", user) as polling:
            def look():
                if file.exists():
                    seen.add(file.read_text())
                return file.exists() and len(seen) > 3 * (round + 1)

            eventually(look, "it moves on", deadline=60)
            polling.stop(signal.SIGKILL)
        seen.add(file.read_text())
    assert all(re.fullmatch(r"\d+-\d+\n", text) for text in seen), seen


def test_cursor_cannot_be_kept(stack, shell, user):
    """scripts/poll that cannot keep its cursor says so and ends, and the file is as it was"""
    stack.pushed(user, "one")
    file = shell.home / "cursor"
    assert shell.run("poll", "--once", "--cursor-file", file, user)[0] == 0
    before = file.read_text()
    (shell.home / "cursor.new").mkdir()
    stack.pushed(user, "two")
    status, out, err = shell.run("poll", "--cursor-file", file, user)
    assert status == 75 and f"cannot keep the cursor in {file}" in err and file.read_text() == before


# --- a token

def arguments_of_all():
    """The arguments of every process."""
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes()
        except OSError:
            pass  # it has just ended
    return found


@pytest.mark.parametrize("by", ["option", "variable"])
def test_token(stack, shell, user, by):
    """scripts/poll --token-file polls by the token, which is in no process' arguments and in no log"""
    token = stack.request("POST", "/tokens", body=json.dumps({"user": user}).encode()).json["token"]
    file = shell.home / "token"
    file.write_text(f"{token}\n")
    (shell.home / ".curlrc").write_text(f'user-agent = "{user}.{by}"\n')
    if by == "variable":
        shell.env["LETTERBOX_TOKEN_FILE"] = str(file)
    with shell.poll(*(["--token-file", file] if by == "option" else [])) as polling:
        stack.has_polls(user, 1)
        assert b"/poll?after=" in arguments_of_all() and token.encode() not in arguments_of_all()
        stack.pushed(user, "hello")
        eventually(lambda: polling.texts() == ["hello"], "it has come", deadline=60)
        eventually(lambda: any(shell.home.glob(".local/state/letterbox/*/*token")), "the cursor is kept by the file's name", deadline=60)
    eventually(lambda: f"{user}.{by}" in (stack.dir / "log/access.log").read_text(), "the poll is in the access log")
    assert token.encode() not in b"".join(path.read_bytes() for path in (stack.dir / "log").iterdir())


def test_bad_token(stack, shell, user):
    """scripts/poll with a token that is not good exits 1, and 2 if the file can't be read"""
    file = shell.home / "token"
    file.write_text("lb_nonsense\n")
    status, out, err = shell.run("poll", "--token-file", file, user)
    assert status == 1 and "bad_token" in err
    status, out, err = shell.run("poll", "--token-file", shell.home / "nowhere", user)
    assert status == 2 and "nowhere" in err


# --- files, links

@pytest.mark.parametrize("way", ["file", "dash", "stdin"])
def test_push_file(stack, shell, user, way):
    """scripts/push sends what is in a file, or on standard input, unchanged"""
    text = "@first\nsecond 'quoted' \\n %s\n\n"
    file = shell.home / "-a file"
    file.write_text(text)
    arguments = {"file": ["--file", file], "dash": ["--file", "-"], "stdin": []}[way]
    assert shell.run("push", *arguments, user, stdin=b"" if way == "file" else text.encode())[0] == 0
    assert data(stack.look(user, after=0)) == [text]


def test_push_json_file(stack, shell, user):
    """scripts/push --json --file sends a document"""
    file = shell.home / "order.json"
    file.write_text('{"n": 1}\n')
    assert shell.run("push", "--json", "--type", "order", "--file", file, user)[0] == 0
    message, = stack.look(user, after=0)["messages"]
    assert message["type"] == "order" and message["data"] == {"n": 1}


def test_push_no_file(stack, shell, user):
    """scripts/push sends nothing if its file can't be read, or if there is a text as well: exit status 2"""
    status, out, err = shell.run("push", "--file", shell.home / "nowhere", user)
    assert status == 2 and "nowhere" in err
    assert shell.run("push", "--file", "-", user, "text", stdin=b"hello")[0] == 2
    assert stack.mailbox(user)["queued"] == 0


def test_links(stack, shell, user):
    """scripts/push and scripts/poll can be called by a link from anywhere"""
    folder = shell.home / "my bin"
    folder.mkdir()
    for script in ("push", "poll"):
        (folder / f"my-{script}").symlink_to(SCRIPTS / script)
    for command in (["my-push", user, "hello"], ["my-poll", "--once", user]):
        ended = subprocess.run([folder / command[0], *command[1:]], cwd="/", env=shell.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert ended.returncode == 0 and ended.stderr == b""
    assert b'"data":"hello"' in ended.stdout
