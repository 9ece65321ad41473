# SPDX-License-Identifier: MIT
"""DELETE /mailbox?user=&id=: one message is taken back, and clients find it counted as collapsed."""

import pytest

from expect import data, epoch, ids, is_error, seq
from streams import Stream


def retract(stack, user, id):
    answer = stack.request("DELETE", f"/mailbox?user={user}&id={id}")
    assert answer.status == 200, answer
    return answer.json["retracted"]


def test_retracted(stack, user):
    """a message that was retracted is neither delivered nor missed, and every number adds up"""
    pushed = [stack.pushed(user, str(number)) for number in range(1, 5)]
    assert retract(stack, user, pushed[1]) is True
    answer = stack.look(user, after=pushed[0])
    assert data(answer) == ["3", "4"] and answer["missed"] == 0 and answer["collapsed"] == 1
    assert seq(answer["cursor"]) - seq(pushed[0]) == answer["count"] + answer["missed"] + answer["collapsed"]
    assert data(stack.look(user, client="script")) == ["3", "4"]


def test_not_there(stack, user):
    """what was retracted before, acknowledged by all, or never pushed, can't be retracted"""
    pushed = [stack.pushed(user, str(number)) for number in range(2)]
    assert retract(stack, user, pushed[1]) is True
    assert retract(stack, user, pushed[1]) is False
    stack.look(user, after=pushed[0])
    assert retract(stack, user, pushed[0]) is False
    for strange in (f"{epoch(pushed[0])}-99", "5-1", f"{epoch(pushed[0])}-999999999999999"):
        assert retract(stack, user, strange) is False
    assert retract(stack, user + ".", pushed[0]) is False
    assert stack.keys(f"*{user}.*") == []


@pytest.mark.parametrize("id", ["", "0", "x", "5", "5-", "5-0", "-1", "5-1-1", "5-1%00", "now", "*"])
def test_bad_id(stack, user, id):
    """an id that is none is an error, and the mailbox stays"""
    stack.pushed(user, "kept")
    assert is_error(stack.request("DELETE", f"/mailbox?user={user}&id={id}"), 400, "bad_request")
    assert is_error(stack.request("DELETE", f"/mailbox?user={user}&id=5-1&id=5-2"), 400, "repeated_parameter")
    assert stack.mailbox(user)["queued"] == 1


def test_poll_passes_over(stack, user):
    """a poll that finds only retracted messages waits, and goes on behind them"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    for _ in range(2):
        retract(stack, user, stack.pushed(user, "slip"))
    parked = stack.park(user, after=first)
    last = stack.pushed(user, "last")
    answer = parked.answer()
    assert ids(answer) == [last] and answer["missed"] == 0 and answer["collapsed"] == 2


def test_timeout_passes_over(stack, user):
    """if nothing else comes the answer's cursor is behind them, with and without a cursor of the client's own"""
    first = stack.pushed(user, "first")
    assert data(stack.look(user, client="script")) == ["first"]
    slip = stack.pushed(user, "slip")
    retract(stack, user, slip)
    for query in ({"client": "tab", "after": first}, {"client": "script"}):
        answer = stack.poll(user, timeout=0.1, **query)
        assert answer["reason"] == "timeout" and answer["cursor"] == slip
        assert answer["collapsed"] == 1 and answer["missed"] == 0
    assert stack.look(user, client="script")["collapsed"] == 0


def test_told_again(stack, user):
    """a client that did not hear the answer asks with its old cursor, and is told of them again"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    for _ in range(3):
        retract(stack, user, stack.pushed(user, "slip"))
    stack.park(user, after=first).leave()
    stack.has_polls(user, 0)
    stack.pushed(user, "last")
    answer = stack.look(user, after=first)
    assert data(answer) == ["last"] and answer["missed"] == 0 and answer["collapsed"] == 3


def test_many(stack, user):
    """a long row of retracted messages is passed over whatever the limit"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    for _ in range(150):
        retract(stack, user, stack.pushed(user, "slip"))
    stack.pushed(user, "last")
    answer = stack.poll(user, after=first, limit=1)
    assert data(answer) == ["last"] and answer["missed"] == 0 and answer["collapsed"] == 150
    assert stack.mailbox(user)["queued"] == 1
    assert stack.get("/alive", user=user).json["unread"] == 1


def test_stream(stack, user):
    """a stream leaves them out, and says nothing"""
    retract(stack, user, stack.pushed(user, "slip"))
    stack.pushed(user, "one")
    retract(stack, user, stack.pushed(user, "slip"))
    stream = Stream(stack, user, after=0)
    assert stream.event().json["data"] == "one"
    stack.has_polls(user, 1)
    stack.pushed(user, "two")
    assert stream.event().json["data"] == "two"


def test_away(stack, user):
    """a message that was retracted while its user was away is not given by the ring that hung for it"""
    slip = stack.pushed(user, "slip")
    assert retract(stack, user, slip) is True
    parked = stack.park(user, after=0)
    stack.pushed(user, "real")
    answer = parked.answer()
    assert data(answer) == ["real"] and answer["collapsed"] == 1


@pytest.mark.one_redis
def test_restart(private_stack, user):
    """what was retracted stays so through a restart of Redis, and earlier ids stay good"""
    stack = private_stack
    pushed = [stack.pushed(user, str(number)) for number in range(3)]
    stack.look(user, after=pushed[0])
    assert retract(stack, user, pushed[1]) is True
    stack.end("redis")
    assert stack.service("start").returncode == 0
    stack.finds_redis()
    later = stack.pushed(user, "later")
    assert epoch(later) > epoch(pushed[0])
    answer = stack.look(user, after=pushed[0])
    assert data(answer) == ["2", "later"]
    assert answer["collapsed"] == 1 and answer["missed"] == 0 and answer["reset"] is False
    assert retract(stack, user, pushed[2]) is True and retract(stack, user, later) is True
