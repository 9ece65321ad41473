# SPDX-License-Identifier: MIT
"""The key of the private face: who shows it comes in, nobody else does, and nobody else learns it."""

import json
import subprocess

import pytest

from expect import is_accepted, is_error
from stack import SCRIPTS, Program, Stack, environment
from waits import eventually

NEW = 'new"key\\with$signs&0123'
OLD = "old-key-0123456789"
ROUTES = [("POST", "/push?to=alice"), ("GET", "/mailbox?user=alice"), ("DELETE", "/mailbox?user=alice"), ("GET", "/metrics"), ("GET", "/push"),
          ("GET", "/users/nowhere")]


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


@pytest.fixture(scope="module")
def keyed_stack(tmp_path_factory):
    """A stack whose private face asks for a key, and takes the one before it as well."""
    file = tmp_path_factory.mktemp("keys") / "key"
    file.write_text(f"{NEW}\n{OLD}\n")
    stack = Stack(shared=True, workers=2, key_file=file).start()
    yield stack
    stack.stop()


@pytest.mark.parametrize("key", [NEW, OLD], ids=["present", "before"])
def test_key(keyed_stack, user, key):
    """who shows the key pushes and administrates, by the present one and by the one before it"""
    assert is_accepted(keyed_stack.push(user, "hello", bearer(key)))
    assert keyed_stack.get("/mailbox", bearer(key), user=user).json["queued"] == 1
    assert keyed_stack.get("/metrics", bearer(key)).status == 200


@pytest.mark.parametrize("headers", [[], bearer(""), bearer(NEW[:-1]), bearer(NEW + "x"), bearer(OLD.upper()), bearer(f"{NEW} {OLD}"), [("Authorization", NEW)],
                                     [("Authorization", f"Basic {OLD}")], [("Cookie", f"key={OLD}; letterbox_token={OLD}")], [("X-Key", OLD)]],
                         ids=["none", "empty", "short", "long", "case", "both", "bare", "basic", "cookie", "header"])
def test_no_key(keyed_stack, headers):
    """without the key every private route is 401 bad_key, and nothing comes of it"""
    for method, where in ROUTES:
        answer = keyed_stack.request(method, where, headers, b"hello" if method == "POST" else None)
        assert is_error(answer, 401, "bad_key")
        assert answer.header("WWW-Authenticate") == "Bearer"
    assert keyed_stack.get("/mailbox", bearer(NEW), user="alice").json["queued"] == 0


@pytest.mark.parametrize("query", [f"key={OLD}", f"token={OLD}", f"Authorization=Bearer%20{OLD}"])
def test_no_key_in_the_query(keyed_stack, query):
    """a key in the query, where logs would show it, is none"""
    assert is_error(keyed_stack.request("POST", f"/push?to=alice&{query}", body=b"hello"), 401, "bad_key")


@pytest.mark.parametrize("size", [1000, 8000])
def test_oversized_key(keyed_stack, user, size):
    """a key of any length is 401 bad_key, as long as nginx takes it at all"""
    assert is_error(keyed_stack.push(user, "hello", bearer("x" * size)), 401, "bad_key")
    assert is_error(keyed_stack.push(user, "hello", bearer(NEW + "x" * size)), 401, "bad_key")
    assert is_error(keyed_stack.push(user, "hello", bearer("x" * 100_000)), 431, "head_too_large")


def test_guessing(keyed_stack, user):
    """after many wrong keys the right one is as good as before"""
    with keyed_stack.connect() as connection:
        for i in range(300):
            assert is_error(connection.exchange("POST", f"/push?to={user}", bearer(f"guess-{i:012}"), b"hello"), 401, "bad_key")
    assert is_accepted(keyed_stack.push(user, "hello", bearer(NEW)))
    assert keyed_stack.get("/mailbox", bearer(NEW), user=user).json["queued"] == 1


@pytest.mark.parametrize("where", ["/healthz", "/readyz"])
def test_health_needs_no_key(keyed_stack, where):
    """whether the program lives and is ready anybody may ask who reaches it"""
    assert keyed_stack.get(where).status == 200


def test_polling_needs_no_key(keyed_stack, user):
    """the public face knows nothing of that key"""
    keyed_stack.push(user, "hello", bearer(NEW))
    assert keyed_stack.poll(user, timeout=0, after=0)["count"] == 1


def test_key_in_no_log(keyed_stack, user):
    """no key is in any log, neither a right one nor a wrong one"""
    wrong = "wrong-key-0123456789"
    for key in (NEW, OLD, wrong):
        keyed_stack.push(user, "hello", [*bearer(key), ("User-Agent", user)])
    eventually(lambda: (keyed_stack.dir / "log/access.log").read_text().count(user) == 3, "the pushes are in the access log")
    logs = b"".join(path.read_bytes() for path in (keyed_stack.dir / "log").iterdir())
    for key in (NEW, OLD, wrong):
        assert key.encode() not in logs


def test_rotation(new_stack, tmp_path, user):
    """a key is changed by a restart, during which the old one goes on being good"""
    file = tmp_path / "key"
    file.write_text(OLD)
    stack = new_stack(key_file=file)
    file.write_text(f"{NEW}\r\n{OLD}\r\n")
    assert stack.service("restart").returncode == 0
    assert is_accepted(stack.push(user, "one", bearer(OLD))) and is_accepted(stack.push(user, "two", bearer(NEW)))
    file.write_text(NEW)
    assert stack.service("restart").returncode == 0
    assert is_error(stack.push(user, "three", bearer(OLD)), 401, "bad_key")
    assert is_accepted(stack.push(user, "four", bearer(NEW)))


@pytest.fixture
def push(keyed_stack, tmp_path):
    """scripts/push with a key file; (exit status, stdout, stderr, the arguments curl was called with)."""
    called = tmp_path / "called"
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{called}'\nexec /usr/bin/curl \"$@\"\n")
    curl.chmod(0o755)

    def run(file, *arguments, stdin=b""):
        env = environment({"url": keyed_stack.url} | ({"key_file": file} if file else {}))
        env["PATH"] = f"{curl.parent}:{env['PATH']}"
        ended = subprocess.run([SCRIPTS / "push", *arguments], env=env, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode(), called.read_text() if called.exists() else ""

    return run


def test_script(keyed_stack, push, tmp_path, user):
    """scripts/push shows the key in LETTERBOX_KEY_FILE, and never among arguments, which all of the machine may read"""
    file = tmp_path / "key"
    file.write_text(f"{NEW}\n{OLD}\n")
    for arguments, stdin in ((["hello"], b""), ([], b"hello")):
        status, out, err, called = push(file, user, *arguments, stdin=stdin)
        assert (status, err) == (0, "") and json.loads(out)["id"]
        assert "/push?to=" in called and NEW not in called and OLD not in called and "Bearer" not in called
    messages = keyed_stack.poll(user, timeout=0, after=0)["messages"]
    assert [message["data"] for message in messages] == ["hello", "hello"]


def test_script_without_key(push, user):
    """scripts/push without the key is refused: exit status 1"""
    status, out, err, _ = push(None, user, "hello")
    assert status == 1 and out == "" and "bad_key" in err


def test_script_without_key_file(push, tmp_path, user):
    """scripts/push whose key file can't be read asks nobody: exit status 2"""
    status, out, err, called = push(tmp_path / "nowhere", user, "hello")
    assert status == 2 and out == "" and "nowhere" in err and called == ""


@pytest.mark.parametrize("more", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("text", ["", "fifteen-letters", "s3cret-s3cret-s3cret with blanks", "s3cret-s3cret-s3cret\n\n", "s3cret-s3cret-s3cret\n" * 3],
                         ids=["empty", "short", "blank", "line", "three"])
def test_bad_key_file(tmp_path, text, more):
    """a key file with anything but one or two good keys stops the start, and is not quoted"""
    file = tmp_path / "key"
    file.write_text(text)
    program = Program("push", "--key-file", file, *more)
    assert program.wait(15) == 2
    assert "--key-file: " in program.said() and "s3cret" not in program.said() and "fifteen" not in program.said()
