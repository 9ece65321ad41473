# SPDX-License-Identifier: MIT
"""A message travels: pushed before, during and after a poll; and the contents of a poll's and a push's answer."""

import json
import re
import time

import pytest

from expect import data, epoch, ids, is_accepted, seq
from waits import eventually
from web import request_bytes, target


def test_before(stack, user):
    """a message pushed before a poll is answered at once"""
    stack.pushed(user, "hello")
    answer = stack.poll(user, after=0, timeout=50)
    assert data(answer) == ["hello"]


def test_during(stack, user):
    """a message pushed while a poll is parked wakes it"""
    parked = stack.park(user, after=0)
    pushed = stack.push(user, "now")
    answer = parked.answer()
    assert data(answer) == ["now"]
    assert ids(answer) == [pushed.json["id"]]
    assert answer["cursor"] == pushed.json["id"]


def test_after(stack, user):
    """a message pushed while the client is away is in its next answer"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after=0)["cursor"]
    stack.pushed(user, "two")
    assert data(stack.poll(user, after=cursor, timeout=50)) == ["two"]


def test_all_at_once(stack, user):
    """messages that were pushed while the client was away come in one answer, in the order of the pushes"""
    texts = [f"message {number}" for number in range(20)]
    for text in texts:
        stack.pushed(user, text)
    assert data(stack.poll(user, after=0, timeout=50)) == texts


def test_conversation(stack, user):
    """a client that polls on with each answer's cursor gets every message once"""
    cursor, got = 0, []
    for number in range(20):
        parked = stack.send_poll(user, after=cursor)
        stack.pushed(user, f"message {number}")
        answer = parked.answer()
        cursor = answer["cursor"]
        got += data(answer)
    assert got == [f"message {number}" for number in range(20)]


def test_poll_document(stack, user):
    """a poll's answer is one JSON document with exactly the documented members"""
    before = time.time()
    pushed = stack.push_json('{"from":"bob"}', to=user, type="mail").json
    answer = stack.look(user, after=0)
    message = answer["messages"][0]
    assert before - 1 <= message.pop("time") / 1000 <= time.time() + 1
    assert answer == {
        "count": 1,
        "messages": [{"id": pushed["id"], "type": "mail", "data": {"from": "bob"}}],
        "cursor": pushed["id"], "missed": 0, "reset": False, "reason": "messages", "retry_after_ms": 0,
        "collapsed": 0,
    }


def test_empty_document(stack, user):
    """an answer without messages has the same members, and the cursor 0 if the mailbox has never existed"""
    answer = stack.look(user, after=0)
    assert 0 <= answer.pop("retry_after_ms") <= 10_000
    assert answer == {"count": 0, "messages": [], "cursor": "0", "missed": 0, "reset": False, "reason": "timeout", "collapsed": 0}


def test_poll_headers(stack, user):
    """a poll's answer is JSON that no cache may store"""
    for _ in range(2):  # without a message and with one
        answer = stack.get("/poll", user=user, timeout=0, after=0)
        assert answer.status == 200
        assert answer.header("Content-Type").split(";")[0] == "application/json"
        assert answer.header("Cache-Control") == "no-store"
        stack.pushed(user, "hello")


def test_ids(stack, user):
    """ids are EPOCH-SEQ: one epoch a mailbox, about now, and numbers 1, 2, 3 without gaps"""
    pushed = [stack.pushed(user, "text") for _ in range(5)]
    assert all(re.fullmatch(r"[0-9]+-[0-9]+", one) for one in pushed)
    assert [seq(one) for one in pushed] == [1, 2, 3, 4, 5]
    assert len({epoch(one) for one in pushed}) == 1
    assert abs(epoch(pushed[0]) / 1000 - time.time()) < 60
    assert ids(stack.look(user, after=0)) == pushed


def test_push_document(stack, user):
    """a push answers 202 with id, queued and waiting if no client waits"""
    answer = stack.push(user, "one")
    assert answer.status == 202
    assert answer.json == {"id": answer.json["id"], "queued": 1, "waiting": False}
    assert answer.header("Content-Type").split(";")[0] == "application/json"
    assert stack.push(user, "two").json["queued"] == 2


def test_push_waiting(stack, user):
    """a push answers 201 and waiting if a poll is parked"""
    parked = stack.park(user)
    answer = stack.push(user, "hello")
    assert answer.status == 201
    assert answer.json == {"id": answer.json["id"], "queued": 1, "waiting": True}
    parked.answer()


def test_push_between_polls(stack, user):
    """a worker still watches the mailbox between two polls of a client, and a push says so"""
    parked = stack.park(user)
    stack.pushed(user, "one")
    parked.answer()
    eventually(lambda: stack.push(user, "two").status == 201, "a push finds the mailbox watched")


def test_push_after_polls(stack, user):
    """some time after the last poll a push says again that no client waits"""
    parked = stack.park(user)
    parked.leave()
    eventually(lambda: stack.push(user, "text").status == 202, "a push finds no client", deadline=30)


def test_queued(stack, user):
    """queued counts the messages that have not been acknowledged"""
    stack.pushed(user, "one")
    stack.pushed(user, "two")
    cursor = stack.look(user, after=0)["cursor"]
    assert stack.push(user, "three").json["queued"] == 3
    stack.look(user, after=cursor)
    eventually(lambda: stack.mailbox(user)["queued"] == 1, "the acknowledgement has been taken")
    assert stack.push(user, "four").json["queued"] == 2


def test_type(stack, user):
    """a message's type is that of the push, and "message" if none was given"""
    stack.pushed(user, "plain")
    stack.pushed(user, "mail", type="mail")
    stack.pushed(user, "long", type="é" * 64)
    assert [message["type"] for message in stack.look(user, after=0)["messages"]] == ["message", "mail", "é" * 64]


@pytest.mark.parametrize("text", [
    "hello", "a", "zero\0inside", "line\r\nline\ttab", '"quoted" \\ /', "{\"not\":\"declared\"}", "grüße, 世界 \U0001f4ec",
    "  spaces  ", "\u2028\u2029\ufeff\x7f", "name=value&to=carol", "%41+%00", "x" * 200_000,
], ids=lambda text: repr(text[:12]))
def test_text_unharmed(stack, user, text):
    """a text arrives as it was sent, whatever characters it is made of"""
    assert is_accepted(stack.push(user, text))
    assert data(stack.look(user, after=0)) == [text]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp",
                                          "application/octet-stream", "text/json"])
def test_not_declared_json(stack, user, content_type):
    """a body that is not declared JSON is text, even if it looks like JSON"""
    assert is_accepted(stack.push(user, "[1,2]", headers=[("Content-Type", content_type)]))
    assert data(stack.look(user, after=0)) == ["[1,2]"]


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8",
                                          "application/json;charset=UTF-8", "application/cloudevents+json",
                                          "application/vnd.Example+JSON; v=1"])
def test_declared_json(stack, user, content_type):
    """application/json and application/*+json declare JSON, in any case and with any parameters"""
    assert is_accepted(stack.push(user, "[1,2]", headers=[("Content-Type", content_type)]))
    assert data(stack.look(user, after=0)) == [[1, 2]]


@pytest.mark.parametrize("text", ["null", "true", "0", "-0", '""', "[]", "{}", "[[],{}]", '"text"', ' {"a" : 1} ',
                                  '{"a":1,"a":2}', r'"\u0000\ud83d\udcec\/"', '"\u00fc"'])
def test_json_unharmed(stack, user, text):
    """any JSON value can be data and keeps its meaning"""
    assert is_accepted(stack.push_json(text, to=user))
    document = stack.get("/poll", user=user, timeout=0, after=0)
    assert document.json["messages"][0]["data"] == json.loads(text)


@pytest.mark.parametrize("number", [
    "9007199254740993", "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890",
    "0.1000000000000000055511151231257827", "1e400", "-1E-400", "3.141592653589793238462643383279", "1.0", "1e2",
    "9" * 100_000,
], ids=lambda number: number[:24])
def test_numbers_unharmed(stack, user, number):
    """large integers and decimals arrive digit for digit"""
    assert is_accepted(stack.push_json('{"n":%s,"l":[%s]}' % (number, number), to=user))
    answer = stack.get("/poll", user=user, timeout=0, after=0)
    assert b'"data":{"n":%s,"l":[%s]}' % (number.encode(), number.encode()) in answer.body


def test_deep_json(stack, user):
    """JSON may be nested 512 levels deep"""
    text = "[" * 512 + "]" * 512
    assert is_accepted(stack.push_json(text, to=user))
    assert text.encode() in stack.get("/poll", user=user, timeout=0, after=0).body


def test_body_of_the_allowed_size(stack, user):
    """a body of exactly 256 KiB is taken and delivered"""
    text = "x" * (256 * 1024)
    assert is_accepted(stack.push(user, text))
    assert data(stack.look(user, after=0)) == [text]


def test_chunked_push(stack, user):
    """a chunked body is pushed whole"""
    with stack.connect() as connection:
        connection.send(request_bytes("POST", target("/push", to=user), [("Transfer-Encoding", "chunked")]), "POST")
        for chunk in (b"6\r\nhello \r\n", b"5\r\nworld\r\n", b"0\r\n\r\n"):
            connection.socket.sendall(chunk)
        assert is_accepted(connection.receive())
    assert data(stack.look(user, after=0)) == ["hello world"]


def test_timeout_zero(stack, user):
    """a poll with timeout=0 looks and returns"""
    answer = stack.look(user)
    assert answer["reason"] == "timeout" and answer["count"] == 0
    assert stack.mailbox(user)["polls"] == 0


@pytest.mark.parametrize("timeout", ["0.3", "1"])
def test_timeout(stack, user, timeout):
    """a poll without a message is answered after its timeout, decimals included, and not before"""
    before = time.monotonic()
    answer = stack.poll(user, after=0, timeout=timeout)
    took = time.monotonic() - before
    assert answer["reason"] == "timeout" and answer["count"] == 0 and answer["messages"] == []
    assert float(timeout) - 0.001 <= took < float(timeout) + 5  # a clock of milliseconds


@pytest.mark.parametrize("timeout", [None, "50", "50.0", "49.999"])
def test_timeout_range(stack, user, timeout):
    """a poll without a timeout, or with one of up to 50 seconds, is parked"""
    parked = stack.park(user, timeout=timeout)
    stack.pushed(user, "hello")
    assert data(parked.answer()) == ["hello"]


def test_configured_timeout(tight_stack, user):
    """the wait of a poll without a timeout is configurable"""
    before = time.monotonic()
    assert tight_stack.poll(user)["reason"] == "timeout"
    assert 0.5 <= time.monotonic() - before < 5


def test_timeout_keeps_cursor(stack, user):
    """after a timeout the cursor is the one the client sent"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after=0)["cursor"]
    assert stack.poll(user, after=cursor, timeout=0.1)["cursor"] == cursor


def test_timeouts_spread(stack, users):
    """polls that time out together are told to return at different moments"""
    parked = [stack.send_poll(user, timeout=0.5) for user in users(20)]
    delays = [poll.answer()["retry_after_ms"] for poll in parked]
    assert len(set(delays)) > 3, delays
    assert all(0 <= delay <= 10_000 for delay in delays)


def test_limit(stack, user):
    """an answer holds at most limit messages, and the next answer goes on from there"""
    texts = [f"message {number}" for number in range(5)]
    for text in texts:
        stack.pushed(user, text)
    cursor, got = 0, []
    for expected in (2, 2, 1):
        answer = stack.look(user, after=cursor, limit=2)
        assert answer["count"] == expected
        assert answer["cursor"] == ids(answer)[-1]
        cursor = answer["cursor"]
        got += data(answer)
    assert got == texts


def test_default_limit(stack, user):
    """an answer holds 100 messages if no limit is given, and up to 1000 if one is"""
    batch = ",".join('{"to":"%s","data":%d}' % (user, number) for number in range(250))
    stack.push_json(f"[{batch}]")
    assert data(stack.look(user, after=0)) == list(range(100))
    assert data(stack.look(user, after=0, limit=1000)) == list(range(250))


def test_large_answers(stack, user):
    """an answer stops at about a mebibyte of bodies, and nothing is lost between two of them"""
    texts = [f"{number}" * 250_000 for number in range(6)]
    for text in texts:
        stack.pushed(user, text)
    cursor, got, answers = 0, [], 0
    while len(got) < len(texts):
        answer = stack.look(user, after=cursor)
        assert 1 <= answer["count"] <= 5, answer["count"]
        cursor = answer["cursor"]
        got += data(answer)
        answers += 1
    assert got == texts and answers >= 2


def test_users_are_apart(stack, users):
    """a message for one user neither wakes nor reaches another"""
    alice, bob = users(2)
    parked = stack.park(bob)
    stack.pushed(alice, "for alice")
    assert data(stack.look(alice, after=0)) == ["for alice"]
    assert parked.waits() and stack.mailbox(bob)["polls"] == 1
    stack.pushed(bob, "for bob")
    assert data(parked.answer()) == ["for bob"]


def test_names(stack, user):
    """every documented character is good in a user's name, and case matters"""
    name = user + "AZaz09._-@:+"
    stack.pushed(name, "hello")
    assert data(stack.look(name.lower(), after=0)) == []
    assert data(stack.look(name, after=0)) == ["hello"]
    longest = (user + "x" * 128)[:128]
    stack.pushed(longest, "long")
    assert data(stack.look(longest, after=0)) == ["long"]


def test_unknown_parameters(stack, user):
    """unknown parameters are ignored, even repeated ones"""
    assert is_accepted(stack.push(user, "hello", nonsense=["1", "2"], _="3"))
    assert data(stack.look(user, after=0, nonsense=["1", "2"], _="3")) == ["hello"]


@pytest.mark.parametrize("query", ["user={0}&timeout=0&after=0&", "&&user={0}&timeout=0&after=0", "user={0}&timeout=0&after=0&=&flag",
                                   "%75ser={0}&time%6Fut=0&after=0", "user=%{1}&timeout=0&after=0"])
def test_query_spelling(stack, user, query):
    """a query may be spelled with empty parts, parameters without value and escapes anywhere"""
    stack.pushed(user, "hello")
    where = "/poll?" + query.format(user, format(ord(user[0]), "x") + user[1:])
    answer = stack.request("GET", where)
    assert answer.status == 200 and data(answer.json) == ["hello"]
