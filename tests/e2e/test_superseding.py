# SPDX-License-Identifier: MIT
"""A newer poll by the same user and client ends the older one, and two clients that fight don't become a hot loop."""

import time

import pytest

from expect import data
from exposition import read as read_metrics
from waits import SOON, eventually


def long_parked(stack, user, at_least_ms=1200, **query):
    """A poll that has been parked for more than `at_least_ms`."""
    parked = stack.park(user, **query)
    client = query.get("client") or ""
    eventually(lambda: [one for one in stack.mailbox(user)["clients"]
                        if one["client"] == client and one["seen_ms_ago"] > at_least_ms], "it has waited for a while")
    return parked


@pytest.mark.parametrize("client", [None, "tab"])
def test_newer_ends_older(stack, user, client):
    """a newer poll by the same user and client ends the older one at once, and takes over"""
    older = long_parked(stack, user, after=0, client=client)
    before = time.monotonic()
    newer = stack.send_poll(user, after=0, client=client)
    answer = older.answer()
    assert time.monotonic() - before < SOON
    assert answer["reason"] == "superseded" and answer["messages"] == [] and answer["count"] == 0
    assert stack.mailbox(user)["polls"] == 1
    stack.pushed(user, "hello")
    assert data(newer.answer()) == ["hello"]


def test_superseded_soon_is_answered_late(stack, user):
    """a poll superseded within a second of parking is answered late, and with a retry_after_ms"""
    def answered_late():
        before = time.monotonic()
        older = stack.park(user, after=0)
        newer = stack.send_poll(user, after=0)
        answer = older.answer()
        took = time.monotonic() - before
        newer.leave()
        stack.has_polls(user, 0)
        assert answer["reason"] == "superseded"
        assert answer["retry_after_ms"] > 0, "it was parked for a second by then"
        return took >= 1

    eventually(answered_late, "the newer one came within a second")


def test_fight_is_slow(stack, user):
    """two programs that fight over one mailbox under one name take turns slowly, and lose no message"""
    # Parked, not only sent: two polls on their way at once may arrive in either order.
    older, turns, end = stack.park(user, after=0), 0, time.monotonic() + 2.5
    while time.monotonic() < end:  # each comes back the moment it is superseded, whatever retry_after_ms says
        newer = stack.send_poll(user, after=0)
        assert older.answer()["reason"] == "superseded"
        older = newer
        turns += 1
    assert turns < 25
    stack.pushed(user, "hello")
    assert data(older.answer()) == ["hello"]


def test_superseded_keeps_cursor(stack, user):
    """a superseded poll's cursor is the one it came with"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after=0)["cursor"]
    older = stack.park(user, after=cursor)
    newer = stack.send_poll(user, after=cursor)
    answer = older.answer()
    assert answer["reason"] == "superseded" and answer["cursor"] == cursor
    assert answer["missed"] == 0 and answer["reset"] is False
    newer.leave()


def test_late_answer_swallows_nothing(stack, user):
    """a message that comes while a superseded poll waits for its late answer goes to the newer poll"""
    def in_flight():
        return read_metrics(stack.get("/metrics/poll").body.decode())["letterbox_requests_in_flight"].value()

    def both_wait():
        """None if the older one was answered before the newer one was seen to have arrived: the stack is shared, and others' requests end."""
        older = stack.park(user, after=0)
        before = in_flight()
        newer = stack.send_poll(user, after=0)
        eventually(lambda: in_flight() > before or not older.waits(), "the newer one has arrived")
        if older.waits():
            return older, newer
        newer.leave()
        return None

    older, newer = eventually(both_wait, "a poll waits for its late answer, and the newer one for a message")
    stack.pushed(user, "hello")
    assert data(newer.answer()) == ["hello"]
    answer = older.answer()
    assert answer["reason"] == "superseded" and answer["messages"] == []


def test_late_answer_of_one_who_left(stack, user):
    """a superseded poll whose client leaves before its late answer does no harm"""
    for _ in range(20):
        older = stack.park(user, after=0)
        newer = stack.send_poll(user, after=0)
        older.leave()
        stack.pushed(user, "hello")
        assert "hello" in data(newer.answer())
        stack.look(user, after=0)
        stack.request("DELETE", f"/mailbox?user={user}")


def test_look_supersedes_nothing_it_should_not(stack, user):
    """polls of other clients, and of other users, are not superseded"""
    polls = [stack.park(user, beside=beside, client=client) for beside, client in enumerate((None, "laptop", "phone"))]
    other = stack.park(user + "x", client="laptop")
    assert all(poll.waits() for poll in polls + [other])
    stack.pushed(user, "hello")
    assert [data(poll.answer()) for poll in polls] == [["hello"]] * 3
    stack.pushed(user + "x", "hello x")
    assert data(other.answer()) == ["hello x"]


def test_half_dead_connection(stack, user):
    """a client that lost its connection without a word gets its messages by its next poll"""
    dead = stack.park(user, after=0)  # never read again: the client's new address knows nothing of it
    alive = stack.send_poll(user, after=0)
    stack.pushed(user, "hello")
    assert data(alive.answer()) == ["hello"]
    dead.leave()


def test_superseded_under_load(stack, user):
    """fifty polls under one name at once are all answered, and exactly one gets the message"""
    polls = [stack.send_poll(user, after=0) for _ in range(50)]
    eventually(lambda: sum(poll.waits() for poll in polls) == 1, "all but one are superseded")
    stack.pushed(user, "hello")
    answers = [poll.answer() for poll in polls]
    assert sorted(answer["reason"] for answer in answers) == ["messages"] + ["superseded"] * 49
