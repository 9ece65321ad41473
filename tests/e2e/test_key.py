# SPDX-License-Identifier: MIT
"""The key of the private face: a request with it comes in, no other does, and the key is told to nobody."""

import json
import re
import subprocess

import pytest

from expect import is_accepted, is_error
from stack import SCRIPTS, Program, Stack, environment
from waits import eventually

NEW = 'new"key\\with$signs&0123'
OLD = "old-key-0123456789"
ROUTES = [("POST", "/push?to=alice"), ("GET", "/mailbox?user=alice"), ("DELETE", "/mailbox?user=alice"), ("GET", "/metrics"), ("GET", "/push"),
          ("GET", "/users/nowhere"), ("DELETE", "/users/alice"), ("GET", "/groups")]


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


@pytest.fixture(scope="module")
def keyed_stack(tmp_path_factory):
    """A stack whose private face asks for a key, and also takes the previous one."""
    file = tmp_path_factory.mktemp("keys") / "key"
    file.write_text(f"{NEW}\n{OLD}\n")
    stack = Stack(shared=True, workers=2, key_file=file).start()
    yield stack
    stack.stop()


@pytest.mark.parametrize("key", [NEW, OLD], ids=["present", "before"])
def test_key(keyed_stack, user, key):
    """a request with the present or the previous key pushes and administrates"""
    assert is_accepted(keyed_stack.push(user, "hello", bearer(key)))
    assert keyed_stack.get("/mailbox", bearer(key), user=user).json["queued"] == 1
    assert keyed_stack.get("/metrics", bearer(key)).status == 200


@pytest.mark.parametrize("headers", [[], bearer(""), bearer(NEW[:-1]), bearer(NEW + "x"), bearer(OLD.upper()), bearer(f"{NEW} {OLD}"), [("Authorization", NEW)],
                                     [("Authorization", f"Basic {OLD}")], [("Cookie", f"key={OLD}; letterbox_token={OLD}")], [("X-Key", OLD)]],
                         ids=["none", "empty", "short", "long", "case", "both", "bare", "basic", "cookie", "header"])
def test_no_key(keyed_stack, headers):
    """without the key every private route is 401 bad_key, and has no effect"""
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
    """after many wrong keys the right one still counts"""
    with keyed_stack.connect() as connection:
        for i in range(300):
            assert is_error(connection.exchange("POST", f"/push?to={user}", bearer(f"guess-{i:012}"), b"hello"), 401, "bad_key")
    assert is_accepted(keyed_stack.push(user, "hello", bearer(NEW)))
    assert keyed_stack.get("/mailbox", bearer(NEW), user=user).json["queued"] == 1


@pytest.mark.parametrize("where", ["/healthz", "/readyz"])
def test_health_needs_no_key(keyed_stack, where):
    """health and readiness may be asked without the key"""
    assert keyed_stack.get(where).status == 200


def test_polling_needs_no_key(keyed_stack, user):
    """the public face does not ask for that key"""
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


KEYS = {"push": "push-key-0123456789", "read": "read-key-0123456789", "admin": "admin:key-0123456789", "both": "both-key-0123456789"}


@pytest.fixture(scope="module")
def scoped_stack(tmp_path_factory):
    """A stack with a named key for each scope, one for two, and an old line without a name."""
    file = tmp_path_factory.mktemp("keys") / "key"
    lines = [f"{name}:{key} {'push,read' if name == 'both' else name}" for name, key in KEYS.items()]
    file.write_text("\n".join([*lines, OLD, ""]))
    stack = Stack(shared=True, key_file=file).start()
    yield stack
    stack.stop()


@pytest.mark.parametrize("scope, method, where, body", [
    ("push", "POST", "/push?to={user}", b"hello"), ("push", "DELETE", "/mailbox?user={user}&id=1-1", None),
    ("read", "GET", "/mailbox?user={user}", None), ("read", "GET", "/users", None), ("read", "GET", "/users?user={user}", None), ("read", "GET", "/groups", None),
    ("read", "GET", "/groups/{user}", None), ("read", "GET", "/tokens?user={user}", None), ("read", "GET", "/metrics", None), ("read", "HEAD", "/metrics", None),
    ("read", "GET", "/users/nowhere", None), ("read", "GET", "/push", None),
    ("admin", "DELETE", "/mailbox?user={user}", None), ("admin", "POST", "/tokens", b'{"user":"%s"}'), ("admin", "DELETE", "/tokens?user={user}", None),
    ("admin", "POST", "/users/kick", b'{"user":"%s"}'), ("admin", "POST", "/users/lock", b'{"user":"%s"}'), ("admin", "POST", "/users/unlock", b'{"user":"%s"}'),
    ("admin", "DELETE", "/users/{user}", None), ("admin", "PUT", "/groups/{user}", b"[]"), ("admin", "PUT", "/groups/{user}/{user}", None),
    ("admin", "DELETE", "/groups/{user}/{user}", None), ("admin", "DELETE", "/groups/{user}", None)])
def test_scopes(scoped_stack, user, scope, method, where, body):
    """each route takes the keys that have its scope, and refuses the others: 403 wrong_scope"""
    body = body and body.replace(b"%s", user.encode())
    for name, key in [*KEYS.items(), ("old", OLD)]:
        answer = scoped_stack.request(method, where.format(user=user), bearer(key), body)
        if name in (scope, "old") or (name == "both" and scope != "admin"):
            assert answer.status not in (401, 403), (name, answer)
        elif method == "HEAD":
            assert answer.status == 403
        else:
            assert is_error(answer, 403, "wrong_scope") and f"'{scope}'" in answer.json["error"]["message"]


def test_names_of_keys(scoped_stack, user):
    """a key's name is in the metrics and in the log of refusals, and the key itself in neither"""
    def counts():
        samples = scoped_stack.get("/metrics", bearer(KEYS["read"])).body.decode().splitlines()
        found = (re.fullmatch(r'letterbox_private_requests_total\{key="(.*)",outcome="(.*)"\} (\d+)', line) for line in samples)
        return {(each[1], each[2]): int(each[3]) for each in found if each}

    before = counts()
    scoped_stack.push(user, "hello", bearer(KEYS["push"]))
    scoped_stack.push(user, "hello", bearer(OLD))
    scoped_stack.get("/mailbox", bearer(KEYS["push"]), user=user)
    scoped_stack.push(user, "hello", bearer("wrong-key-0123456789"))
    scoped_stack.get("/healthz")
    after = counts()
    grown = {each: after[each] - before[each] for each in after if after[each] != before[each]}
    assert grown == {("push", "admitted"): 1, ("-", "admitted"): 1, ("push", "wrong_scope"): 1, ("", "bad_key"): 1, ("read", "admitted"): 1}
    assert "refused the key 'push', which has not the scope 'read': 403 wrong_scope" in scoped_stack.logs()
    logs = b"".join(path.read_bytes() for path in (scoped_stack.dir / "log").iterdir())
    assert not [key for key in (*KEYS.values(), OLD) if key.encode() in logs]


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
    """scripts/push shows the key in LETTERBOX_KEY_FILE, and never among arguments, which every user of the machine may read"""
    file = tmp_path / "key"
    file.write_text(f"{NEW}\n{OLD}\n")
    for arguments, stdin in ((["hello"], b""), ([], b"hello")):
        status, out, err, called = push(file, user, *arguments, stdin=stdin)
        assert (status, err) == (0, "") and json.loads(out)["id"]
        assert "/push?to=" in called and NEW not in called and OLD not in called and "Bearer" not in called
    messages = keyed_stack.poll(user, timeout=0, after=0)["messages"]
    assert [message["data"] for message in messages] == ["hello", "hello"]


def test_script_with_a_named_key(scoped_stack, tmp_path, user):
    """scripts/push takes the key out of a line that names it"""
    file = tmp_path / "key"
    file.write_text(f"admin:{KEYS['push']} push,read\r\n")
    env = environment({"url": scoped_stack.url, "key_file": file})
    assert subprocess.run([SCRIPTS / "push", user, "hello"], env=env, capture_output=True, timeout=30).returncode == 0
    assert scoped_stack.get("/mailbox", bearer(KEYS["read"]), user=user).json["queued"] == 1


def test_script_without_key(push, user):
    """scripts/push without the key is refused: exit status 1"""
    status, out, err, _ = push(None, user, "hello")
    assert status == 1 and out == "" and "bad_key" in err


def test_script_without_key_file(push, tmp_path, user):
    """scripts/push whose key file can't be read sends nothing: exit status 2"""
    status, out, err, called = push(tmp_path / "nowhere", user, "hello")
    assert status == 2 and out == "" and "nowhere" in err and called == ""


@pytest.mark.parametrize("more", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("text", ["", "fifteen-letters", "s3cret-s3cret-s3cret with blanks", "s3cret-s3cret-s3cret\n\n", "s3cret-s3cret-s3cret\n" * 2,
                                  "web:s3cret-s3cret-s3cret write", "web:s3cret-s3cret-s3cret ", "w/b:s3cret-s3cret-s3cret push"],
                         ids=["empty", "short", "blank", "line", "twice", "scope", "no scope", "name"])
def test_bad_key_file(tmp_path, text, more):
    """a key file with anything but good keys, each once, stops the start, and is not quoted"""
    file = tmp_path / "key"
    file.write_text(text)
    program = Program("push", "--key-file", file, *more)
    assert program.wait(15) == 2
    assert "--key-file: " in program.said() and "s3cret" not in program.said() and "fifteen" not in program.said()
