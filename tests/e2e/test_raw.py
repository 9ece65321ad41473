# SPDX-License-Identifier: MIT
"""Elements that another program puts into a mailbox's list, redis-cli for example, are adopted as text messages."""

import subprocess

import pytest

from expect import data, ids, seq
from keys import key
from waits import eventually


def test_redis_cli(stack, user):
    """redis-cli RPUSH 'mailbox:{alice}' text is a push of a text"""
    subprocess.run(["redis-cli", *stack.redis_cli, "RPUSH", key("mailbox", user), "hello"], check=True, stdout=subprocess.DEVNULL)
    answer = stack.poll(user, after=0, timeout=50)
    assert data(answer) == ["hello"]
    message = answer["messages"][0]
    assert message["type"] == "message" and seq(message["id"]) == 1 and message["time"] > 0


def test_while_parked(stack, user):
    """a raw element wakes a parked poll"""
    parked = stack.park(user, after=0)
    stack.redis.rpush(key("mailbox", user), "hello")
    answer = parked.answer()
    assert data(answer) == ["hello"]
    assert data(stack.look(user, after=0)) == ["hello"], "and is kept until it is acknowledged"
    assert data(stack.look(user, after=answer["cursor"])) == []


def test_while_parked_without_after(stack, user):
    """a raw element answers a parked poll without after, once"""
    parked = stack.park(user)
    stack.redis.rpush(key("mailbox", user), "hello")
    assert data(parked.answer()) == ["hello"]
    assert data(stack.look(user)) == []


def test_between_polls(stack, user):
    """raw elements pushed while the client is away are in its next answer"""
    parked = stack.park(user, after=0)
    stack.pushed(user, "one")
    cursor = parked.answer()["cursor"]
    stack.redis.rpush(key("mailbox", user), "two")
    answer = stack.poll(user, after=cursor, timeout=50)
    assert data(answer) == ["two"]


def collect(stack, user, count, timeout=10):
    """`count` messages, from as many polls as it takes."""
    answer, got = {"cursor": 0}, []

    def more():
        nonlocal answer
        answer = stack.poll(user, after=answer["cursor"], timeout=timeout)
        assert answer["missed"] == 0 and answer["reset"] is False
        got.extend(zip(ids(answer), data(answer)))
        return len(got) >= count

    eventually(more, f"{count} messages have come")
    assert [seq(one) for one, _ in got] == list(range(1, count + 1))
    return [text for _, text in got]


@pytest.mark.parametrize("timeout", [10, 0], ids=["waiting", "looking"])
def test_between_messages(stack, user, timeout):
    """a raw element between two messages is delivered with them, also to a client that only looks"""
    stack.pushed(user, "one")
    stack.redis.rpush(key("mailbox", user), "two")
    stack.pushed(user, "three")
    got = collect(stack, user, 3, timeout)
    assert sorted(got) == ["one", "three", "two"] and got.index("one") < got.index("three")


def test_several(stack, user):
    """several raw elements are adopted in the order of the list"""
    stack.redis.rpush(key("mailbox", user), "one", "two", "three")
    assert collect(stack, user, 3) == ["one", "two", "three"]


def test_several_while_parked(stack, user):
    """several raw elements pushed at once reach a parked poll and its next ones, in order and once"""
    parked = stack.park(user, after=0)
    stack.redis.rpush(key("mailbox", user), *[str(number) for number in range(20)])
    answer = parked.answer()
    got = data(answer)
    while len(got) < 20:
        answer = stack.poll(user, after=answer["cursor"], timeout=10)
        assert answer["reason"] == "messages"
        got += data(answer)
    assert got == [str(number) for number in range(20)]


def test_counted(stack, user):
    """a raw element is queued like any message once it is adopted"""
    stack.redis.rpush(key("mailbox", user), "one")
    assert collect(stack, user, 1) == ["one"]
    assert stack.mailbox(user)["queued"] == 1
    assert stack.push(user, "two").json["queued"] == 2


@pytest.mark.parametrize("parked", [False, True], ids=["before", "parked"])
@pytest.mark.parametrize("raw", [b"\xff\xfe", b"good \xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"a\xc0\xafb"], ids=repr)
def test_invalid_utf8(stack, user, raw, parked):
    """a raw element that is not UTF-8 is delivered in an answer that is, and blocks nothing after it"""
    poll = stack.park(user, after=0) if parked else None
    stack.redis.rpush(key("mailbox", user), raw)
    answer = poll.answer() if poll else stack.poll(user, after=0)
    assert answer["count"] == 1 and "\ufffd" in data(answer)[0]
    stack.pushed(user, "next")
    assert data(stack.poll(user, after=answer["cursor"])) == ["next"]


@pytest.mark.parametrize("raw", [b"", b"1-1", b"0", b"-1", b"nil", b"{}", b'{"id":"1-1"}', b"[", b"\0", b"a\0b", b"\r\n", b"1795287654123-7",
                                 b"\x01\x02\x7f", "\u2028".encode(), b"1795287654123-7 1795287660456 0 7:message 5:hello", b"x" * 500_000],
                         ids=lambda raw: repr(raw[:16]))
def test_any_text(stack, user, raw):
    """a raw element is taken as text, whatever it looks like"""
    stack.redis.rpush(key("mailbox", user), raw)
    answer = stack.poll(user, after=0)
    assert data(answer) == [raw.decode()]


def test_lost_announcement(stack, user):
    """emptying the list loses no message"""
    stack.pushed(user, "one")
    stack.redis.delete(key("mailbox", user))
    assert data(stack.poll(user, after=0)) == ["one"]
    parked = stack.park(user, after=stack.look(user, after=0)["cursor"])
    stack.pushed(user, "two")
    assert data(parked.answer()) == ["two"]


def test_copied_announcement(stack, user):
    """a ring that was put back into the list neither doubles nor loses a message"""
    stack.pushed(user, "one")
    announced = stack.redis.lrange(key("mailbox", user), 0, -1)
    first = stack.look(user, after=0)
    assert data(first) == ["one"]
    for element in announced:
        stack.redis.rpush(key("mailbox", user), element)
    parked = stack.send_poll(user, after=first["cursor"])
    stack.pushed(user, "two")
    got = data(parked.answer())
    assert got == ["two"]


def test_wrong_type(private_stack, users):
    """a mailbox whose list was replaced by a string harms no other user, and heals when the string is removed"""
    broken, *fine = users(12)
    lost = private_stack.park(broken, after=0)
    parked = {name: private_stack.park(name, after=0) for name in fine}
    private_stack.redis.set(key("mailbox", broken), "not a list")
    for round in range(2):  # by the second round every lane has asked for its lists again
        for name in fine:
            private_stack.pushed(name, str(round))
            answer = parked[name].answer()
            assert data(answer) == [str(round)]
            parked[name] = private_stack.send_poll(name, after=answer["cursor"])
    lost.leave()
    private_stack.redis.delete(key("mailbox", broken))
    private_stack.pushed(broken, "healed")
    assert data(private_stack.poll(broken, after=0)) == ["healed"]
