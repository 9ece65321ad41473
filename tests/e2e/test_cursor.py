# SPDX-License-Identifier: MIT
"""Cursors: at least once with one, at most once without; which poll acknowledges which messages; missed and reset, exactly."""

import pytest

from expect import data, epoch, ids, seq
from waits import eventually


def push_all(stack, user, texts, **query):
    return [stack.pushed(user, text, **query) for text in texts]


def test_redelivery(stack, user):
    """messages that were not acknowledged are delivered again to the same cursor"""
    push_all(stack, user, ["one", "two"])
    first = stack.look(user, after=0)
    again = stack.look(user, after=0)
    assert data(first) == data(again) == ["one", "two"]
    assert first["cursor"] == again["cursor"]


def test_redelivery_grows(stack, user):
    """a repeated poll gets the messages that it had not acknowledged, and then the newer ones"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after=0)["cursor"]
    push_all(stack, user, ["two", "three"])
    assert data(stack.look(user, after=cursor)) == ["two", "three"]
    stack.pushed(user, "four")
    assert data(stack.look(user, after=cursor)) == ["two", "three", "four"]


def test_acknowledged_is_gone(stack, user):
    """a message goes when the only client acknowledges it"""
    push_all(stack, user, ["one", "two"])
    cursor = stack.look(user, after=0)["cursor"]
    assert stack.mailbox(user)["queued"] == 2
    assert data(stack.look(user, after=cursor)) == []
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "both are acknowledged")
    answer = stack.look(user, after=0)
    assert data(answer) == [] and answer["missed"] == 0


def test_partly_acknowledged(stack, user):
    """a cursor in the middle acknowledges the messages up to it and no others"""
    pushed = push_all(stack, user, ["one", "two", "three"])
    assert data(stack.look(user, after=pushed[0])) == ["two", "three"]
    eventually(lambda: stack.mailbox(user)["oldest"] == pushed[1], "the first is acknowledged")


def test_parking_acknowledges(stack, user):
    """a poll that is parked has acknowledged the messages up to its cursor"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after=0)["cursor"]
    parked = stack.park(user, after=cursor)
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "it is acknowledged")
    parked.leave()


def test_cursor_going_back(stack, user):
    """a client that goes back to an older cursor gets the messages that are still kept again"""
    pushed = push_all(stack, user, ["one", "two"])
    stack.look(user, client="keeper", after=0)  # holds both
    assert data(stack.look(user, client="tab", after=pushed[0])) == ["two"]
    assert data(stack.look(user, client="tab", after=pushed[1])) == []
    assert data(stack.look(user, client="tab", after=0)) == ["one", "two"]


def test_without_after(stack, user):
    """without after the server moves the client's cursor on as it answers"""
    push_all(stack, user, ["one", "two"])
    assert data(stack.poll(user)) == ["one", "two"]
    assert data(stack.look(user)) == []
    stack.pushed(user, "three")
    assert data(stack.poll(user)) == ["three"]
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "nothing is left")


def test_without_after_parked(stack, user):
    """without after a parked poll consumes the messages of its answer"""
    parked = stack.park(user)
    stack.pushed(user, "one")
    assert data(parked.answer()) == ["one"]
    assert data(stack.look(user)) == []
    parked = stack.park(user)
    stack.pushed(user, "two")
    assert data(parked.answer()) == ["two"]


def test_without_after_limit(stack, user):
    """without after a limit consumes no more than the answer holds"""
    push_all(stack, user, ["one", "two", "three"])
    assert [data(stack.look(user, limit=1)) for _ in range(4)] == [["one"], ["two"], ["three"], []]


def test_without_after_each_client(stack, user):
    """without after each client has a cursor of its own"""
    stack.look(user, client="laptop")
    stack.look(user, client="phone")
    stack.pushed(user, "one")
    assert data(stack.look(user, client="laptop")) == ["one"]
    assert data(stack.look(user, client="laptop")) == []
    assert data(stack.look(user, client="phone")) == ["one"]


def test_without_after_goes_on(stack, user):
    """a client that drops its after goes on from its last acknowledgement"""
    pushed = push_all(stack, user, ["one", "two", "three"])
    stack.look(user, client="keeper", after=0)
    assert data(stack.look(user, client="tab", after=pushed[0])) == ["two", "three"]
    assert data(stack.look(user, client="tab")) == ["two", "three"]
    assert data(stack.look(user, client="tab")) == []


def test_last_event_id(stack, user):
    """the header Last-Event-ID is a cursor like after"""
    pushed = push_all(stack, user, ["one", "two"])
    answer = stack.look(user, headers=[("Last-Event-ID", pushed[0])])
    assert data(answer) == ["two"]
    again = stack.look(user, headers=[("Last-Event-ID", pushed[0])])
    assert data(again) == ["two"] and again["reset"] is False


def test_after_zero(stack, user):
    """after=0 starts at the oldest message kept and misses nothing"""
    pushed = push_all(stack, user, ["one", "two", "three"])
    stack.look(user, after=pushed[1])
    eventually(lambda: stack.mailbox(user)["queued"] == 1, "two are acknowledged")
    answer = stack.look(user, after=0)
    assert data(answer) == ["three"]
    assert answer["missed"] == 0 and answer["reset"] is False


def test_new_client(stack, user):
    """a new client starts at the oldest message kept and misses nothing"""
    pushed = push_all(stack, user, ["one", "two"])
    stack.look(user, client="first", after=pushed[0])
    eventually(lambda: stack.mailbox(user)["queued"] == 1, "one is acknowledged")
    answer = stack.look(user, client="second")
    assert data(answer) == ["two"] and answer["missed"] == 0 and answer["reset"] is False


def test_both_clients(stack, user):
    """every live client of a user gets every message"""
    cursors = {"laptop": "0", "phone": "0"}
    got = {"laptop": [], "phone": []}
    for round in range(3):
        parked = {client: stack.park(user, beside=beside, client=client, after=cursors[client])
                  for beside, client in enumerate(cursors)}
        stack.pushed(user, f"message {round}")
        for client, poll in parked.items():
            answer = poll.answer()
            cursors[client] = answer["cursor"]
            got[client] += data(answer)
    assert got["laptop"] == got["phone"] == ["message 0", "message 1", "message 2"]


def test_slowest_client_keeps(stack, user):
    """a message stays until the last live client has acknowledged it"""
    stack.look(user, client="fast", after=0)
    stack.look(user, client="slow", after=0)
    pushed = push_all(stack, user, ["one", "two"])
    stack.look(user, client="fast", after=pushed[1])
    assert data(stack.look(user, client="slow", after=0)) == ["one", "two"]
    assert stack.mailbox(user)["queued"] == 2
    stack.look(user, client="slow", after=pushed[0])
    eventually(lambda: stack.mailbox(user)["queued"] == 1, "the slow one has acknowledged one")
    stack.look(user, client="slow", after=pushed[1])
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "the slow one has acknowledged both")


def test_dead_client_is_forgotten(tight_stack, user):
    """a client that stays away longer than a client's life holds no message back"""
    tight_stack.look(user, client="dead", after=0)
    pushed = push_all(tight_stack, user, ["one", "two"])

    def acknowledged():
        tight_stack.look(user, client="live", after=pushed[1])
        return tight_stack.mailbox(user)["queued"] == 0

    eventually(acknowledged, "the dead client's messages are gone")


def test_missed_by_forgetting(tight_stack, user):
    """a client that was forgotten is told how many messages went without it"""
    first = tight_stack.pushed(user, "one")
    assert data(tight_stack.look(user, client="sleeper", after=0)) == ["one"]
    tight_stack.look(user, client="sleeper", after=first)
    pushed = push_all(tight_stack, user, ["two", "three", "four"])

    def acknowledged():
        tight_stack.look(user, client="live", after=pushed[1])
        return tight_stack.mailbox(user)["queued"] == 1

    eventually(acknowledged, "two and three are gone")
    answer = tight_stack.look(user, client="sleeper", after=first)
    assert data(answer) == ["four"]
    assert answer["missed"] == 2 and answer["reset"] is False


def test_missed_by_cap(tight_stack, user):
    """a client that comes back after the mailbox overflowed is told exactly how many it missed"""
    first = tight_stack.pushed(user, "0")
    tight_stack.look(user, after=first)
    push_all(tight_stack, user, [str(number) for number in range(1, 26)])
    assert tight_stack.mailbox(user)["queued"] == 10
    answer = tight_stack.look(user, after=first)
    assert data(answer) == [str(number) for number in range(16, 26)]
    assert answer["missed"] == 15 and answer["reset"] is False
    assert seq(answer["cursor"]) - seq(first) == answer["count"] + answer["missed"] + answer["collapsed"]


def test_missed_once(tight_stack, user):
    """missed messages are counted once: the next answer's missed is 0"""
    first = tight_stack.pushed(user, "0")
    push_all(tight_stack, user, [str(number) for number in range(1, 16)])
    answer = tight_stack.look(user, after=first)
    assert answer["missed"] == 5
    tight_stack.pushed(user, "16")
    answer = tight_stack.look(user, after=answer["cursor"])
    assert data(answer) == ["16"] and answer["missed"] == 0


def test_missed_in_parts(tight_stack, user):
    """with a limit the missed ones are counted in the first part only"""
    first = tight_stack.pushed(user, "0")
    push_all(tight_stack, user, [str(number) for number in range(1, 16)])
    cursor, missed, count = first, [], 0
    while count < 10:
        answer = tight_stack.look(user, after=cursor, limit=4)
        assert seq(answer["cursor"]) - seq(cursor) == answer["count"] + answer["missed"] + answer["collapsed"]
        cursor = answer["cursor"]
        missed.append(answer["missed"])
        count += answer["count"]
    assert count == 10 and missed == [5, 0, 0]


def test_missed_without_after(tight_stack, user):
    """a client without after is told just as exactly how many it missed"""
    tight_stack.pushed(user, "0")
    assert data(tight_stack.look(user)) == ["0"]
    push_all(tight_stack, user, [str(number) for number in range(1, 14)])
    answer = tight_stack.look(user)
    assert answer["count"] == 10 and answer["missed"] == 3


def test_default_cap(stack, user):
    """a mailbox keeps 1,000 messages by default"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    for start in (0, 600):
        stack.push_json("[" + ",".join('{"to":"%s","data":%d}' % (user, number) for number in range(start, start + 600)) + "]")
    answer = stack.look(user, after=first, limit=1000)
    assert data(answer) == list(range(200, 1200)) and answer["missed"] == 200


def test_missed_by_oldest(tight_stack, user):
    """after=0 and a first poll miss nothing, even if the mailbox has dropped messages"""
    push_all(tight_stack, user, [str(number) for number in range(14)])
    for query in ({"after": 0}, {"client": "new"}):
        answer = tight_stack.look(user, **query)
        assert data(answer) == [str(number) for number in range(4, 14)]
        assert answer["missed"] == 0 and answer["reset"] is False


def test_ttl(stack, user):
    """a message whose ttl has passed is gone"""
    stack.pushed(user, "short", ttl=0.2)
    eventually(lambda: data(stack.look(user, after=0)) == [], "the message has expired")
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "it is no longer counted")


def test_ttl_not_over(stack, user):
    """a message whose ttl has not passed is delivered"""
    stack.pushed(user, "long", ttl=600)
    stack.pushed(user, "longest", ttl=7 * 24 * 3600)
    assert data(stack.look(user, after=0)) == ["long", "longest"]


def test_missed_by_ttl(stack, user):
    """expired messages are counted in missed, exactly, at any position"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    push_all(stack, user, ["a", "b"], ttl=0.2)
    stack.pushed(user, "stays")
    push_all(stack, user, ["c"], ttl=0.2)
    stack.pushed(user, "stays too")
    answer = eventually(lambda: (lambda answer: answer["count"] == 2 and answer)(stack.look(user, after=first)),
                        "three messages have expired")
    assert data(answer) == ["stays", "stays too"]
    assert answer["missed"] == 3
    assert seq(answer["cursor"]) - seq(first) == answer["count"] + answer["missed"] + answer["collapsed"]


def test_ttl_while_parked(stack, user):
    """a message with a ttl is delivered to the poll that waits for it"""
    parked = stack.park(user, after=0)
    stack.pushed(user, "quick", ttl=60)
    assert data(parked.answer()) == ["quick"]


def test_expired_and_parked(stack, user):
    """a poll that finds only expired messages waits, and its answer counts them"""
    first = stack.pushed(user, "first")
    stack.look(user, after=first)
    stack.pushed(user, "short", ttl=0.2)
    eventually(lambda: data(stack.look(user, after=first)) == [], "the message has expired")
    parked = stack.park(user, after=first)
    stack.pushed(user, "next")
    answer = parked.answer()
    assert data(answer) == ["next"]
    assert seq(answer["cursor"]) - seq(first) == answer["count"] + answer["missed"] + answer["collapsed"]


def test_now(stack, user):
    """after=now is given only what comes later, with a cursor to go on from, and is no reset"""
    newest = push_all(stack, user, ["one", "two"])[-1]
    answer = stack.look(user, after="now")
    assert data(answer) == [] and answer["cursor"] == newest
    assert answer["missed"] == 0 and answer["reset"] is False
    parked = stack.park(user, after="now")
    three = stack.pushed(user, "three")
    answer = parked.answer()
    assert ids(answer) == [three] == [answer["cursor"]]
    assert answer["missed"] == 0 and answer["reset"] is False


def test_now_of_nothing(stack, user):
    """after=now to a mailbox that never existed is given its first message"""
    parked = stack.park(user, after="now")
    first = stack.pushed(user, "one")
    answer = parked.answer()
    assert ids(answer) == [first] and answer["missed"] == 0 and answer["reset"] is False


def test_now_acknowledges(stack, user):
    """after=now acknowledges, for this client, what came before"""
    push_all(stack, user, ["one", "two"])
    stack.look(user, client="tab", after="now")
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "the only client wants none of them")
    stack.look(user, client="keeper", after=0)
    three = stack.pushed(user, "three")
    stack.look(user, client="tab", after="now")
    assert ids(stack.look(user, client="keeper", after=0)) == [three]


FOREIGN = ["abc", "-", "1-", "-1", "1-2-3", "1-1", "99999999999999-1", "0-1", "00", "1", "+1-1", "1-1 ", " 1-1", "1-1\0",
           "1-1\r\n", "99999999999999999999999999-99999999999999999999999999", "18446744073709551616-1", "é-1", "x" * 1000]


@pytest.mark.parametrize("cursor", FOREIGN, ids=lambda cursor: repr(cursor[:30]))
def test_foreign_cursor(stack, user, cursor):
    """a foreign or malformed cursor is answered as a reset, from the oldest message kept"""
    push_all(stack, user, ["one", "two"])
    answer = stack.poll(user, after=cursor, timeout=50)
    assert data(answer) == ["one", "two"]
    assert answer["reset"] is True


@pytest.mark.parametrize("cursor", ["abc", "1-1", "1-2-3", "é", "\xff\xfe", "x" * 1000], ids=lambda cursor: repr(cursor[:30]))
def test_foreign_last_event_id(stack, user, cursor):
    """a foreign or malformed Last-Event-ID is answered as a reset, too"""
    push_all(stack, user, ["one", "two"])
    answer = stack.poll(user, timeout=50, headers=[("Last-Event-ID", cursor)])
    assert data(answer) == ["one", "two"]
    assert answer["reset"] is True


def test_future_cursor(stack, user):
    """a cursor beyond the newest message is answered as a reset"""
    newest = push_all(stack, user, ["one", "two"])[-1]
    for ahead in (1, 2**31, 2**53, 2**63 - 1 - 2, 2**64):
        cursor = f"{epoch(newest)}-{2 + ahead}"
        answer = stack.poll(user, after=cursor, timeout=50)
        assert data(answer) == ["one", "two"] and answer["reset"] is True, cursor


def test_foreign_cursor_acknowledges_nothing(stack, user):
    """a foreign cursor acknowledges nothing"""
    pushed = push_all(stack, user, ["one", "two"])
    stack.look(user, client="other", after=f"{epoch(pushed[0])}-{10**6}")
    assert stack.mailbox(user)["queued"] == 2
    assert data(stack.look(user, after=0)) == ["one", "two"]


def test_reset_then_on(stack, user):
    """after a reset the new cursor is good"""
    stack.pushed(user, "one")
    cursor = stack.look(user, after="old-1")["cursor"]
    stack.pushed(user, "two")
    answer = stack.look(user, after=cursor)
    assert data(answer) == ["two"] and answer["reset"] is False


def test_reset_of_nothing(stack, user):
    """a foreign cursor to a mailbox that keeps nothing parks, and the eventual answer says reset"""
    cursor = stack.pushed(user, "one")
    stack.look(user, after=cursor)
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "nothing is kept")
    parked = stack.park(user, after="1-1")
    stack.pushed(user, "two")
    answer = parked.answer()
    assert data(answer) == ["two"] and answer["reset"] is True


def test_reset_of_the_unknown(stack, user):
    """a cursor of a mailbox that never existed parks, and the eventual answer says reset"""
    parked = stack.park(user, after="1795287654123-7")
    stack.pushed(user, "one")
    answer = parked.answer()
    assert data(answer) == ["one"] and answer["reset"] is True


def test_reset_by_deletion(stack, user):
    """a cursor from before the mailbox was deleted is answered as a reset"""
    old = stack.pushed(user, "old")
    stack.look(user, after=old)
    assert stack.request("DELETE", f"/mailbox?user={user}").json == {"deleted": True}
    new = stack.pushed(user, "new")
    assert epoch(new) != epoch(old) and seq(new) == 1
    answer = stack.look(user, after=old)
    assert data(answer) == ["new"] and answer["reset"] is True


def test_reset_while_parked(stack, user):
    """a poll that was parked when its mailbox was deleted gets the new one's first message, as a reset"""
    old = stack.pushed(user, "old")
    parked = stack.park(user, after=old)
    stack.request("DELETE", f"/mailbox?user={user}")
    new = stack.pushed(user, "new")
    answer = parked.answer()
    assert ids(answer) == [new] and answer["reset"] is True and answer["missed"] == 0


def test_mailbox_life(new_stack, user):
    """a mailbox without a push or poll for its life is gone, and its cursors are foreign"""
    stack = new_stack(mailbox_life=1)
    old = stack.pushed(user, "old")
    eventually(lambda: not stack.keys(f"*{user}*"), "Redis holds nothing of it")
    answer = stack.look(user, after=old)
    assert data(answer) == [] and answer["reset"] is True
    assert epoch(stack.pushed(user, "new")) > epoch(old)
