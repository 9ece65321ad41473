# SPDX-License-Identifier: MIT
"""scripts/clients/python/letterbox.py against the real stack."""

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import faults
import letterbox as sdk
from letterbox import Letterbox
from ports import spare_port
from proxy import WISH_MS, Proxy
from stack import ROOT
from waits import eventually

FILE = ROOT / "scripts" / "clients" / "python" / "letterbox.py"
SECRET = "a secret of thirty-two bytes, or more"


@pytest.fixture
def client(stack):
    with Letterbox(stack.url) as client:
        yield client


def texts(client, user):
    return [message.data for message in client.poll(user=user, wait=0)]


# --- messages

def test_push(client, user):
    """a push is delivered with its type and its data, whatever JSON that is"""
    values = ["hello", "", "grüße, 漢字, 🙂", None, 0, -1.5, 12345678901234567890, True, [], {}, {"a": [1, {"b": None}]}, "\u0000\\\"\u2028"]
    for value in values:
        answer = client.push(user, value, type="it's a type")
        assert set(answer) >= {"id", "queued", "waiting"}
    messages = list(client.poll(user=user, wait=0))
    assert [message.data for message in messages] == values
    assert {message.type for message in messages} == {"it's a type"}
    assert messages[-1].id == answer["id"] and abs(messages[-1].time / 1000 - time.time()) < 600


def test_push_to_several(client, users):
    """a list, a group and everybody online are recipients like one user"""
    names = users(3)
    answer = client.push(names, 1)
    assert [result["to"] for result in answer["results"]] == names
    assert client.add_to_group(f"g-{names[0]}", names[0]) == 1
    assert client.push(f"group:g-{names[0]}", 2)["accepted"] == 1
    assert texts(client, names[1]) == [1]  # which makes it online
    eventually(lambda: client.user(names[1])["online"], "it is online")
    assert client.push("*", 3)["accepted"] >= 1
    assert texts(client, names[0])[:2] == [1, 2] and texts(client, names[1]) == [3]


def test_push_ttl(client, user):
    """a message whose ttl is over is not delivered"""
    client.push(user, "short", ttl=0.05)
    client.push(user, "long", ttl=600)
    eventually(lambda: client.mailbox(user)["queued"] == 1, "one has expired")
    poll = client.poll(user=user, wait=0)
    assert [message.data for message in poll] == ["long"] and poll.missed == 1


def test_collapse(client, user):
    """of pushes with one collapse word the last is delivered, and the iterator counts the others"""
    poll = client.poll(user=user, wait=0)
    client.push(user, "before")
    assert next(poll).data == "before"
    for value in (1, 2, 3):
        client.push(user, value, collapse="unread")
    assert [message.data for message in poll] == [3] and (poll.collapsed, poll.missed) == (2, 0)


def test_not_all(client, user):
    """a push that reaches some of its recipients only raises NotAll, which says for each what came of it"""
    with pytest.raises(sdk.NotAll) as caught:
        client.push([user, "no name"], "x")
    error = caught.value
    assert (error.code, error.terminal, error.failed, error.status) == ("bad_user", True, 1, 207)
    assert error.results[0]["to"] == user and "id" in error.results[0] and error.results[1]["error"]["code"] == "bad_user"
    assert texts(client, user) == ["x"]


def test_push_many(client, users):
    """push_many takes any number of messages, and gives an entry for each recipient in order"""
    names = users(7)
    messages = [{"to": names[number % 7], "data": {"n": number, "fill": "x" * 300}, "type": "t", "ttl": 600} for number in range(1200)]
    results = client.push_many(message for message in messages)
    assert [result["to"] for result in results] == [message["to"] for message in messages] and all("id" in result for result in results)
    for place, name in enumerate(names):
        assert [message.data["n"] for message in client.poll(user=name, wait=0)] == list(range(place, 1200, 7))
    assert client.push_many([]) == []
    assert [result["to"] for result in client.push_many([{"to": names[:2]}, {"to": [names[2]], "data": 1}])] == names[:3]


def test_push_many_not_all(stack, users):
    """push_many says of each recipient whether it was reached, also of those in portions that were refused as a whole"""
    first, last = users(2)
    with Letterbox(stack.url) as client, pytest.raises(sdk.NotAll) as caught:
        client.push_many([{"to": first, "data": 1}, {"to": "no name"}, *[{"to": last, "data": "x" * 300_000}] * 2])
    assert [result.get("error", {}).get("code") for result in caught.value.results] == [None, "bad_user", "too_large", "too_large"]
    assert stack.mailbox(first)["queued"] == 1 and stack.mailbox(last)["queued"] == 0


def test_scheduled(client, user):
    """a message for later is in the schedule, can be cancelled, and comes at its time otherwise"""
    later = client.push(user, "later", delay=3600)
    much = client.push(user, {"much": "later"}, type="t", at=int(time.time() * 1000) + 7_200_000)
    soon = client.push(user, "soon", delay=0.2)
    assert {entry["id"] for entry in client.scheduled(user)} >= {later["scheduled"], much["scheduled"]}
    entry = [entry for entry in client.scheduled(user) if entry["id"] == much["scheduled"]][0]
    assert (entry["at"], entry["type"], entry["data"]) == (much["at"], "t", {"much": "later"})
    assert client.cancel(later["scheduled"]) is True and client.cancel(later["scheduled"]) is False
    assert next(client.poll(user=user, wait=30)).data == "soon"
    assert client.cancel(soon["scheduled"]) is False
    assert [entry["id"] for entry in client.scheduled(user)] == [much["scheduled"]]


def test_mailbox(client, user):
    """a mailbox tells its cursor; a poll after it gives what is pushed from then on; peek shows and moves nothing; retract and delete drop"""
    assert client.mailbox(user)["cursor"] == "0"
    ids = [client.push(user, number)["id"] for number in range(4)]
    cursor = client.mailbox(user)["cursor"]
    assert cursor == ids[-1]
    assert [message.data for message in client.peek(user)] == [0, 1, 2, 3] and [message.data for message in client.peek(user, after=ids[0], limit=2)] == [1, 2]
    assert client.retract(user, ids[1]) is True and client.retract(user, ids[1]) is False
    client.push(user, "new")
    assert [message.data for message in client.peek(user)] == [0, 2, 3, "new"]
    assert [message.data for message in client.poll(user=user, client="page", after=cursor, wait=0)] == ["new"]
    assert client.delete(user) is True and client.delete(user) is False


# --- tokens

def test_tokens(client, user):
    """a token polls as its user alone; it is listed without its secret, and revoked by id or by user"""
    made = client.issue_token(user, ttl=600, client="tab", data={"name": "Alice"})
    assert made["user"] == user and abs(made["expires"] / 1000 - time.time() - 600) < 60
    client.push(user, "hello")
    assert [message.data for message in client.poll(token=made["token"], client="tab", wait=0)] == ["hello"]
    with pytest.raises(sdk.Forbidden) as caught:
        next(client.poll(token=made["token"], client="another", wait=0))
    assert caught.value.code == "other_client"
    listed, = client.tokens(user)
    assert (listed["id"], listed["client"], listed["data"]) == (made["id"], "tab", {"name": "Alice"}) and made["token"] not in json.dumps(listed)
    assert client.revoke_token(made["id"]) == 1 and client.revoke_token(made["id"]) == 0
    with pytest.raises(sdk.Unauthorized) as caught:
        next(client.poll(token=made["token"], client="tab", wait=0))
    assert (caught.value.code, caught.value.status, caught.value.terminal) == ("bad_token", 401, True)
    client.issue_token(user), client.issue_token(user)
    assert client.revoke_tokens(user) == 2 and client.tokens(user) == []


def test_sliding(client, user):
    """a token is sliding if that is asked for, and not otherwise"""
    with Proxy(client._pool._port, "/tokens") as proxy, Letterbox(proxy.url) as through:
        through.issue_token(user, sliding=True), through.issue_token(user)
        assert [json.loads(body) for _, _, _, body in proxy.seen] == [{"user": user, "sliding": True}, {"user": user}]


def test_sign_token(new_stack, tmp_path, user):
    """a token that the client signs polls as its user, until it ends"""
    (tmp_path / "key").write_text(SECRET)
    with Letterbox(new_stack(open=0, jwt_key=tmp_path / "key", jwt_audience="us").url) as client:
        client.push(user, "hello")
        assert [message.data for message in client.poll(token=sdk.sign_token(user, SECRET, ttl=60, aud="us"), wait=0)] == ["hello"]
        for bad in (sdk.sign_token(user, SECRET), sdk.sign_token(user, SECRET[::-1], aud="us"), sdk.sign_token(user, SECRET, aud="us", exp=int(time.time()) - 60)):
            with pytest.raises(sdk.Unauthorized):
                next(client.poll(token=bad, wait=0))
    head, claims, signature = sdk.sign_token("a", SECRET.encode(), ttl=10).split(".")
    assert signature == base64.urlsafe_b64encode(hmac.new(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()).decode().rstrip("=")


# --- groups, users

def test_groups(client, users, user):
    """groups are made, listed, gone through page by page, set, and removed"""
    group, names = f"team-{user}", sorted(users(5))
    assert client.add_to_group(group, names[:2]) == 2 and client.add_to_group(group, names[1]) == 0
    assert client.set_group(group, names[1:]) == {"group": group, "added": 3, "removed": 1, "size": 4}
    assert [member["user"] for member in client.members(group)] == sorted(names[1:])
    assert {"group": group, "size": 4} in list(client.groups(prefix="team-"))
    assert client.remove_from_group(group, names[1]) is True and client.remove_from_group(group, names[1]) is False
    assert client.user(names[2])["groups"] == [group]
    assert client.set_group(group, [])["size"] == 0
    assert client.remove_group(group) is False and list(client.members(group)) == []


def test_many_members(client, user):
    """members of a group larger than a page are all given, once"""
    names = [f"{user}-{number:04}" for number in range(2300)]
    for begin in range(0, len(names), 1000):
        client.add_to_group(user, names[begin:begin + 1000])
    assert [member["user"] for member in client.members(user)] == names
    assert client.remove_group(user) is True


def test_users(client, user):
    """who is online is listed; a kick, a lock and their end say what they did"""
    list(client.poll(user=user, client="tab", wait=0))
    eventually(lambda: [online["user"] for online in client.users(prefix=user)] == [user], "it is online")
    assert client.user(user)["clients"][0]["client"] == "tab"
    client.lock(user, reason="unpaid")
    assert client.user(user)["locked"]["reason"] == "unpaid"
    with pytest.raises(sdk.Forbidden) as caught:
        next(client.poll(user=user))
    assert caught.value.code == "locked" and "unpaid" in caught.value.message
    assert client.unlock(user) is True and client.unlock(user) is False
    client.kick(user, reason="too loud", seconds=30)
    with pytest.raises(sdk.Forbidden) as caught:
        next(client.poll(user=user))
    assert caught.value.code == "kicked" and "too loud" in caught.value.message


def test_erase(client, user):
    """erase removes all that is known of a user, and says what that was"""
    client.push(user, 1), client.push(user, 2, delay=3600), client.issue_token(user), client.add_to_group(f"g-{user}", user)
    erased = client.erase(user)
    assert erased["erased"] is True and [erased[name] for name in ("messages", "tokens", "scheduled", "groups")] == [1, 1, 1, [f"g-{user}"]]
    assert client.erase(user)["messages"] == 0 and list(client.members(f"g-{user}")) == []


def test_health(stack, new_stack):
    """health says ready, and raises with the reason if Redis takes no write"""
    with Letterbox(stack.url) as client:
        assert client.health()["status"] == "ready"
    broken = new_stack()
    broken.end("redis")
    with Letterbox(broken.url) as client:
        def unwell():
            with pytest.raises(sdk.Unavailable) as caught:
                client.health()
            return caught.value.code == "not_ready"
        eventually(unwell, "it is not ready")


# --- errors

@pytest.mark.parametrize("act, kind, code", [
    (lambda client, user: client.push("no name", 1), sdk.BadRequest, "bad_user"),
    (lambda client, user: client.push(user, 1, type="letterbox.x"), sdk.BadRequest, "bad_type"),
    (lambda client, user: client.push(user, 1, ttl=-1), sdk.BadRequest, "bad_ttl"),
    (lambda client, user: client.push(user, "x" * 300_000), sdk.TooLarge, "too_large"),
    (lambda client, user: client.push("group:no group", 1), sdk.BadRequest, "bad_group"),
    (lambda client, user: client.mailbox("no name"), sdk.BadRequest, "bad_user"),
    (lambda client, user: client.push(user, 1, collapse="no word"), sdk.BadRequest, "bad_collapse"),
    (lambda client, user: client.push(user, 1, delay=1, at=int(time.time() * 1000) + 5000), sdk.BadRequest, "bad_time"),
    (lambda client, user: next(client.poll(user=user, client="no name")), sdk.BadRequest, "bad_client"),
    (lambda client, user: client._ask("GET", "/nothing"), sdk.BadRequest, "unknown_route"),
    (lambda client, user: client._ask("GET", "/push"), sdk.BadRequest, "wrong_method"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_refused(client, user, act, kind, code):
    """a refusal is a TerminalError of its kind, with code, status and message, and is not repeated"""
    waits = []
    client._on_retry = lambda *_: waits.append(1)
    with pytest.raises(kind) as caught:
        act(client, user)
    error = caught.value
    assert isinstance(error, sdk.TerminalError) and isinstance(error, sdk.LetterboxError) and error.code == code
    assert 400 <= error.status < 500 and error.terminal and error.message and error.retry_after_ms == 0 and waits == []


def test_conflict(client, user):
    """one idempotency key with another content is a Conflict; with the same content it is one push"""
    first = client.push(user, 1, idempotency_key=f"order {user}")
    assert client.push(user, 1, idempotency_key=f"order {user}")["id"] == first["id"]
    with pytest.raises(sdk.Conflict) as caught:
        client.push(user, 2, idempotency_key=f"order {user}")
    assert (caught.value.code, caught.value.status) == ("key_reused", 409)
    assert texts(client, user) == [1]


def test_key(new_stack, tmp_path, user, monkeypatch):
    """the key is shown to the private face, from the argument or the file that the environment names, and never to a poll; without it Unauthorized is raised"""
    key = tmp_path / "key"
    key.write_text("shop:0tUHRt4qk0wWC7W9Ht1sZw push,read\n")
    stack = new_stack(key_file=key)
    with Letterbox(stack.url) as client, pytest.raises(sdk.Unauthorized) as caught:
        client.push(user, 1)
    assert caught.value.code == "bad_key"
    with Letterbox(stack.url, key="0tUHRt4qk0wWC7W9Ht1sZw") as client:
        client.push(user, 1)
        assert texts(client, user) == [1]
    monkeypatch.setenv("LETTERBOX_URL", stack.url)
    for line in ("0tUHRt4qk0wWC7W9Ht1sZw", "shop:0tUHRt4qk0wWC7W9Ht1sZw push,read"):
        (tmp_path / "mine").write_text(f"{line}\r\nanother\n")
        monkeypatch.setenv("LETTERBOX_KEY_FILE", str(tmp_path / "mine"))
        with Letterbox() as client:
            client.push(user, 2)


BAD = [
    lambda client: client.push([], 1), lambda client: client.push(["a", 1], 1), lambda client: client.push(None, 1), lambda client: client.push("a", float("nan")), lambda client: client.push("a", object()),
    lambda client: client.push("a", 1, idempotency_key=""), lambda client: client.push("a", 1, idempotency_key="x" * 129), lambda client: client.push("a", 1, idempotency_key="a\nb"),
    lambda client: client.push("a", 1, idempotency_key="é"), lambda client: client.push_many([{"data": 1}]), lambda client: client.push_many([{"to": "a", "dada": 1}]), lambda client: client.push_many([{"to": "*"}]),
    lambda client: client.push_many([{"to": ["a", "group:b"]}]), lambda client: client.push_many(["a"]), lambda client: client.add_to_group("a/b", "c"), lambda client: client.add_to_group("..", "c"),
    lambda client: client.add_to_group("a", "b/c"), lambda client: client.add_to_group("a", []), lambda client: client.remove_from_group("a", ""), lambda client: client.remove_group("a?b"), lambda client: client.erase("."),
    lambda client: client.erase("a\n"), lambda client: client.erase("x" * 129), lambda client: next(client.members("a b")), lambda client: client.poll(), lambda client: client.poll(user="a", token="b"),
    lambda client: client.poll(user="a", timeout=51), lambda client: client.poll(user="a", wait=-1), lambda client: next(client.poll(token="a\r\nX: y")), lambda client: sdk.sign_token("a", "short"),
    lambda client: sdk.sign_token("", SECRET), lambda client: sdk.sign_token("a", SECRET, ttl=0), lambda client: Letterbox("ftp://a"), lambda client: Letterbox("http://"), lambda client: Letterbox("http://a:b@c"),
    lambda client: Letterbox("http://a?b"), lambda client: Letterbox("unix:"), lambda client: Letterbox(timeout=0), lambda client: Letterbox(retry_for=-1), lambda client: Letterbox(retry_for=601), lambda client: Letterbox(key=""),
    lambda client: Letterbox(key="a b"),
]


@pytest.mark.parametrize("act", BAD, ids=range(len(BAD)))
def test_bad_arguments(act):
    """a bad argument is a ValueError or a TypeError before anything is sent"""
    with Letterbox(f"http://127.0.0.1:{spare_port()}", retry_for=0) as client, pytest.raises((ValueError, TypeError)):
        act(client)


def test_away():
    """if no server is there NoAnswer is raised, once the time for repetitions is over"""
    waits = []
    with Letterbox(f"http://127.0.0.1:{spare_port()}", retry_for=1, on_retry=lambda error, seconds: waits.append(error)) as client, pytest.raises(sdk.NoAnswer) as caught:
        client.push("alice", 1)
    assert (caught.value.code, caught.value.status, caught.value.terminal) == ("no_answer", 0, False) and waits and isinstance(caught.value, sdk.TemporaryError)


class Strange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.said)))
        self.end_headers()
        self.wfile.write(self.server.said)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status, said, kind", [(200, b"<h1>It works</h1>", sdk.BadRequest), (200, b"[]", sdk.BadRequest), (301, b"", sdk.BadRequest), (404, b"<h1>Not found</h1>", sdk.BadRequest), (403, b'{"error":"no"}', sdk.Forbidden),
                                                (502, b"<h1>Bad gateway</h1>", sdk.Unavailable), (500, b'{"error":{}}', sdk.Unavailable), (429, b"", sdk.TooMany), (503, b'{"results":1', sdk.Unavailable)])
def test_another_server(status, said, kind):
    """an answer that is not Letterbox's is an error, by its status"""
    with HTTPServer(("127.0.0.1", 0), Strange) as server:
        server.status, server.said = status, said
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with Letterbox(f"http://127.0.0.1:{server.server_port}", retry_for=0) as client, pytest.raises(kind) as caught:
                client.push("alice", 1)
        finally:
            server.shutdown()
    assert (caught.value.code, caught.value.status) == ("not_letterbox", status)


# --- repetition

@pytest.mark.parametrize("word", ["lose", "half", "502", "503", "429", "500", "504"])
def test_repeated(stack, user, word):
    """a push that got no answer, half of one, or a temporary error is repeated with one key, and arrives once"""
    with Proxy(stack.port, words=["pass", word, word, "pass", word]) as proxy, Letterbox(proxy.url) as client:
        for number in range(3):
            client.push(user, number)
        keys = [headers["Idempotency-Key"] for _, _, headers, _ in proxy.seen]
    assert len(keys) == 6 and len(set(keys)) == 3
    assert [message["data"] for message in stack.look(user, after=0)["messages"]] == [0, 1, 2]


def test_late(stack, user):
    """a push whose answer does not come within the timeout is repeated, and arrives once"""
    with Proxy(stack.port, words=["late"]) as proxy, Letterbox(proxy.url, timeout=0.5) as client:
        client.push(user, "x")
        assert len(proxy.seen) == 2
    assert [message["data"] for message in stack.look(user, after=0)["messages"]] == ["x"]


def test_repeated_many(stack, users):
    """of a batch, and of a push to several and to a group, whose answers are lost, each recipient has each message once"""
    names = users(3)
    with Letterbox(stack.url) as client:
        client.set_group(f"g-{names[0]}", names)
    with Proxy(stack.port, words=["lose", "502", "pass"] * 3) as proxy, Letterbox(proxy.url) as client:
        client.push_many([{"to": name, "data": number} for number in range(3) for name in names])
        client.push(names, 3)
        assert client.push(f"group:g-{names[0]}", 4)["accepted"] == 3
    for name in names:
        assert [message["data"] for message in stack.look(name, after=0)["messages"]] == [0, 1, 2, 3, 4]


def test_wish(stack, user):
    """the next attempt waits for as long as the server wishes, and longer after each failure; what is over by then is not tried"""
    waits = []
    with Proxy(stack.port, words=["503", "429"]) as proxy, Letterbox(proxy.url, on_retry=lambda error, seconds: waits.append((type(error), error.code, seconds))) as client:
        client.push(user, "x")
    assert [(kind, code) for kind, code, _ in waits] == [(sdk.Unavailable, "tried"), (sdk.TooMany, "tried")] and all(seconds >= WISH_MS / 1000 for _, _, seconds in waits)
    with Proxy(stack.port, words=["503"]) as proxy, Letterbox(proxy.url, retry_for=WISH_MS / 2000) as client, pytest.raises(sdk.Unavailable) as caught:
        client.push(user, "x")
    assert (caught.value.status, caught.value.retry_after_ms, len(proxy.seen)) == (503, WISH_MS, 1)


def test_killed(new_stack, users):
    """while Letterbox is killed again and again, each push that returned has arrived, once and in order"""
    stack = faults.prepare(new_stack())
    names = users(4)
    over = threading.Event()
    sent = {name: [] for name in names}

    def push(name):
        while not over.is_set() and len(sent[name]) < 800:
            client.push(name, len(sent[name]))
            sent[name].append(len(sent[name]))

    with Letterbox(stack.url, retry_for=60) as client:
        threads = [threading.Thread(target=push, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for _ in range(4):
            before = sum(map(len, sent.values()))
            stack.crash("poll")
            eventually(lambda before=before: sum(map(len, sent.values())) > before + 20, "pushes arrive again", deadline=30)
        over.set()
        for thread in threads:
            thread.join(90)
        for name in names:
            assert texts(client, name) == sent[name]


# --- listening

def test_poll_acknowledges(client, user):
    """a message is kept until the loop asks for the next one, and not longer"""
    for number in range(3):
        client.push(user, number)
    poll = client.poll(user=user, limit=1, wait=0)
    assert next(poll).data == 0 and client.mailbox(user)["queued"] == 3
    assert next(poll).data == 1 and poll.cursor == client.peek(user)[0].id.replace("-2", "-1")
    eventually(lambda: client.mailbox(user)["queued"] == 2, "the first is acknowledged")
    poll.ack()
    eventually(lambda: client.mailbox(user)["queued"] == 1, "the second too")
    assert [message.data for message in client.poll(user=user, wait=0)] == [2]


def test_poll_resumes(client, user):
    """a reader that gives the id of its last message goes on after it; one that begins with `now` gets only what is new"""
    ids = [client.push(user, number)["id"] for number in range(3)]
    assert [message.data for message in client.poll(user=user, after=ids[0], wait=0)] == [1, 2]
    poll = client.poll(user=user, client="other", after="now", wait=0)
    assert list(poll) == []
    client.push(user, "new")
    assert [message.data for message in poll] == ["new"]


def test_poll_reset(client, user):
    """if the mailbox has become another one the iterator goes on with its oldest message, and counts that"""
    client.push(user, "old")
    poll = client.poll(user=user, wait=0)
    assert next(poll).data == "old"
    client.delete(user)
    client.push(user, "new")
    assert [message.data for message in poll] == ["new"] and poll.resets == 1


def test_poll_ends(client, user):
    """a kick ends a waiting iterator by a terminal error"""
    caught = []

    def listen():
        with pytest.raises(sdk.Forbidden) as error:
            next(client.poll(user=user))
        caught.append(error.value.code)

    thread = threading.Thread(target=listen)
    thread.start()
    eventually(lambda: client.mailbox(user)["polls"] == 1, "it waits")
    client.kick(user)
    thread.join(15)
    assert caught == ["kicked"]


def test_token_renewed(client, user):
    """a function that gives the token is asked for another one if the server has refused the last; if it refuses that too, that is final"""
    asked = []

    def token(refused):
        asked.append(refused)
        return client.issue_token(user)["token"] if refused else "lb_bad"

    client.push(user, "hello")
    assert next(client.poll(token=token)).data == "hello" and asked == [False, True]
    with pytest.raises(sdk.Unauthorized):
        next(client.poll(token=lambda refused: "lb_bad"))


def test_poll_superseded(client, user):
    """an iterator that another of its name has pushed aside comes back, when the server says"""
    first, got = client.poll(user=user), []
    thread = threading.Thread(target=lambda: got.append(next(first).data))
    thread.start()
    eventually(lambda: client.mailbox(user)["polls"] == 1, "it waits")
    assert list(client.poll(user=user, wait=0.1)) == []
    client.push(user, "hello")
    thread.join(15)
    assert got == ["hello"]


def test_poll_through_restarts(new_stack, user):
    """an iterator gets each message once and in order, while Letterbox is restarted, killed, and its answers are lost"""
    stack = faults.prepare(new_stack())
    count, got = 300, []
    with Proxy(stack.port, "/poll", ["pass", "lose", "half", "pass", "502", "503", "429"] * 6) as proxy, Letterbox(proxy.url) as reader, Letterbox(stack.url, retry_for=60) as writer:
        def listen():
            for message in reader.poll(user=user, timeout=5):
                got.append(message.data)
                if message.data == count - 1:
                    return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        for number in range(count):
            writer.push(user, number)
            if number % 100 == 50:
                eventually(lambda number=number: got[-1:] == [number], "all so far have come", deadline=60)
                if number == 150:
                    assert stack.service("restart").returncode == 0
                else:
                    stack.crash("poll")
        thread.join(60)
    assert got == list(range(count))


# --- how it is built

def test_threads(stack, users):
    """threads share a client, which keeps a connection for each that works at the same time, and no more"""
    names = users(8)
    with Letterbox(stack.url) as client:
        threads = [threading.Thread(target=lambda name=name: [client.push(name, number) for number in range(25)]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1 <= len(client._pool._idle) <= 8
        assert [texts(client, name) for name in names] == [list(range(25))] * 8


def test_keeps_connection(stack, user):
    """one connection serves request after request; a server that has closed it meanwhile is asked on a new one, and that is no failure"""
    retries = []
    with Letterbox(stack.url, on_retry=lambda *_: retries.append(1)) as client:
        client.push(user, 1)
        connection = client._pool._idle[0].sock
        client.push(user, 2)
        assert client._pool._idle[0].sock is connection
        connection.shutdown(socket.SHUT_RDWR)
        client.push(user, 3)
        assert client._pool._idle[0].sock is not connection and retries == []
        assert texts(client, user) == [1, 2, 3]


def test_forked(stack, user):
    """a process that was forked has connections of its own"""
    with Letterbox(stack.url) as client:
        client.push(user, "parent")
        child = os.fork()
        if child == 0:
            client.push(user, "child")
            os._exit(0 if len(client._pool._idle) == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.push(user, "parent again")
        assert texts(client, user) == ["parent", "child", "parent again"]


def test_unix_socket(new_stack, user):
    """unix:/PATH is the address of a server on a unix socket"""
    stack = new_stack()
    path = stack.dir / "run" / "http.sock"
    stack.change_nginx("nginx.conf", rf"listen 127\.0\.0\.1:{stack.port}[^;]*;", f"listen 127.0.0.1:{stack.port}; listen unix:{path};")
    stack.reload_nginx()
    with Letterbox(f"unix:{path}") as client:
        client.push(user, "hello")
        assert texts(client, user) == ["hello"]


def test_below_a_path(stack, user):
    """an address may end with a path, as of a proxy that takes it off"""
    client = Letterbox(stack.url + "/below/")
    with pytest.raises(sdk.BadRequest) as caught:
        client.push(user, 1)
    assert caught.value.status == 404
    client.close()


def test_warnings(stack, user):
    """without warnings, also if nobody closes the client, under python3 -W error"""
    program = f"""
import gc, threading
from letterbox import Letterbox
def work():
    client = Letterbox({stack.url!r})
    client.push({user!r}, 1)
    return [message.data for message in client.poll(user={user!r}, wait=0)]
thread = threading.Thread(target=work)
thread.start(), thread.join()
work()
gc.collect()
kept = Letterbox({stack.url!r})
kept.push({user!r}, 1)
"""
    ended = subprocess.run([sys.executable, "-W", "error", "-B", "-c", program], cwd=FILE.parent, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_documented():
    """each class and each public method says what it is, and has types; the version is Letterbox's"""
    import inspect
    for name in sdk.__all__:
        thing = getattr(sdk, name)
        assert inspect.getdoc(thing), name
        for member, function in inspect.getmembers(thing, inspect.isfunction):
            if not member.startswith("_") and function.__module__ == "letterbox":
                assert function.__doc__ and "return" in function.__annotations__ or member == "of", f"{name}.{member}"
    version = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("VERSION = ")][0].split()[-1]
    assert sdk.__version__ == version and f'version = "{version}"' in (FILE.parent / "pyproject.toml").read_text()
    assert json.loads((FILE.parents[1] / "php" / "composer.json").read_text())["version"] == version
