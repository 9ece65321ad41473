# SPDX-License-Identifier: MIT
"""The ledger of the fault tests sees every broken promise."""

import pytest

from ledger import Ledger


def books(by_cursor=True):
    """A ledger with one mailbox into which "a", "b" and "c" were pushed, and a client of it."""
    ledger = Ledger()
    account = ledger.account("alice", "phone", by_cursor)
    for number, text in enumerate("abc", start=1):
        ledger.sends("alice", text)
        ledger.accepted("alice", text, f"7-{number}", "pusher")
    return ledger, account


def answer(first, texts, missed=0, reset=False, collapsed=None):
    """A dot in the place of a text is a message that was collapsed."""
    messages = [{"id": f"7-{number}", "data": text} for number, text in enumerate(texts, start=first) if text != "."]
    return {"count": len(messages), "messages": messages, "cursor": f"7-{first + len(texts) - 1}", "missed": missed, "reset": reset,
            "collapsed": texts.count(".") if collapsed is None else collapsed}


def test_all_is_well():
    """books that agree report nothing"""
    ledger, account = books()
    account.given(answer(1, "ab"))
    account.given(answer(3, "c"))
    account.given(answer(4, ""))
    ledger.close(blows=0)
    assert not ledger.broken and ledger.delivered == 3 and ledger.again == 0 and ledger.sent["accepted"] == 3


def test_again():
    """an answer that was not kept is given again, and counted as such"""
    ledger, account = books()
    account.given(answer(1, "ab"), keeps=False)
    account.given(answer(1, "abc"))
    ledger.close(blows=0)
    assert not ledger.broken and ledger.again == 2


@pytest.mark.parametrize("answers", [
    [answer(1, "ab")], [answer(1, "ab"), answer(4, "d")], [answer(2, "bc")], [answer(1, "abc"), answer(3, "c")], [answer(1, "acb")], [answer(1, "abx")],
    [answer(1, "abc", missed=1)], [answer(1, "abc", reset=True)], [answer(1, "abca")], [],
    [answer(1, "a.c")], [answer(1, "ab.")], [answer(1, "a.c", collapsed=0)], [answer(1, "abc", collapsed=1)]],
    ids=["last lost", "one lost", "first lost", "one doubled", "other order", "a stranger's", "missed", "reset", "pushed twice", "nothing",
         "not withdrawn", "the last not withdrawn", "a hole", "too many collapsed"])
def test_broken_promise(answers):
    """a message that is lost, doubled, out of order or unknown breaks a promise"""
    ledger, account = books()
    for one in answers:
        account.given(one)
    ledger.close(blows=0)
    assert ledger.broken


@pytest.mark.parametrize("by_cursor", [True, False])
def test_withdrawn(by_cursor):
    """what was withdrawn may be left out, and an answer without messages may pass over it"""
    ledger, account = books(by_cursor)
    for number in (2, 4):
        ledger.withdraws("alice", f"7-{number}")
    ledger.sends("alice", "d")
    ledger.sends("alice", "e")
    ledger.accepted("alice", "d", "7-4", "pusher")
    account.given(answer(1, "a.c"))
    account.given(answer(4, "."))
    ledger.accepted("alice", "e", "7-5", "pusher")
    account.given(answer(5, "e"))
    ledger.close(blows=0)
    assert not ledger.broken and ledger.collapsed == 2


@pytest.mark.parametrize("accepted", [False, True])
def test_dead_end(accepted):
    """a message that was not accepted may be lost with its master: another one has its number in a later epoch; one that was accepted may not"""
    ledger, account = books()
    ledger.sends("alice", "lost")
    ledger.sends("alice", "kept")
    account.given(answer(1, "abc"))
    account.given(answer(4, ["lost"]))
    if accepted:
        ledger.accepted("alice", "lost", "7-4", "pusher")
    ledger.accepted("alice", "kept", "8-4", "another")
    message = {"id": "8-4", "data": "kept"}
    account.given({"count": 1, "messages": [message], "cursor": "8-4", "missed": 0, "reset": False, "collapsed": 0})
    ledger.close(blows=0)
    assert bool(ledger.broken) is accepted


def test_pushes_out_of_order():
    """a pusher's later push has the later id"""
    ledger, _ = books()
    ledger.sends("alice", "late")
    ledger.accepted("alice", "late", "7-3", "pusher")
    assert ledger.broken


@pytest.mark.parametrize("lost, blows, right", [(0, 0, False), (1, 0, True), (0, 1, True)])
def test_consumer_skips(lost, blows, right):
    """without a cursor a gap is a broken promise, unless an answer was lost or a fault struck"""
    ledger, account = books(by_cursor=False)
    account.given(answer(1, "a"))
    account.lost_answers = lost
    account.given(answer(3, "c"))
    ledger.close(blows)
    assert (not ledger.broken) is right and ledger.lost_by_consumers == 1


def test_consumer_gets_it_twice():
    """without a cursor no message comes twice"""
    ledger, account = books(by_cursor=False)
    account.given(answer(1, "abc"))
    account.given(answer(3, "c"))
    assert ledger.broken
