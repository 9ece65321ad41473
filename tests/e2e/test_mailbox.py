# SPDX-License-Identifier: MIT
"""GET and DELETE /mailbox: what an administrator sees of a mailbox, and its removal."""

from expect import data, is_error
from waits import eventually


def test_unknown(stack, user):
    """an unknown mailbox is an empty one, and asking for it makes none"""
    assert stack.mailbox(user) == {"user": user, "queued": 0, "oldest": None, "newest": None, "polls": 0, "clients": []}
    assert stack.redis.keys(f"*{user}*") == []


def test_queued(stack, user):
    """a mailbox shows how much it keeps and its oldest and newest id"""
    pushed = [stack.pushed(user, "text") for _ in range(3)]
    box = stack.mailbox(user)
    assert (box["queued"], box["oldest"], box["newest"]) == (3, pushed[0], pushed[2])
    stack.look(user, after=pushed[0])
    eventually(lambda: stack.mailbox(user)["oldest"] == pushed[1], "the first is acknowledged")


def test_clients(stack, user):
    """a mailbox shows each live client with its cursor, when it was seen and whether it waits"""
    pushed = stack.pushed(user, "text")
    stack.look(user, client="phone", after=0)
    parked = stack.park(user, client="laptop", after=pushed)

    def both():
        clients = {client["client"]: client for client in stack.mailbox(user)["clients"]}
        assert set(clients) == {"phone", "laptop"}
        assert all(set(client) == {"client", "cursor", "seen_ms_ago", "waiting"} for client in clients.values())
        assert all(0 <= client["seen_ms_ago"] < 60_000 for client in clients.values())
        assert clients["laptop"]["cursor"] == pushed
        return clients["laptop"]["waiting"] is True and clients["phone"]["waiting"] is False

    eventually(both, "both are shown")
    parked.leave()
    eventually(lambda: not any(client["waiting"] for client in stack.mailbox(user)["clients"]), "nobody waits")


def test_unnamed_client(stack, user):
    """the unnamed client's name is empty"""
    stack.look(user, after=0)
    assert [client["client"] for client in stack.mailbox(user)["clients"]] == [""]


def test_seen(stack, user):
    """the time since a client was seen grows while it is away, and a poll resets it"""
    stack.pushed(user, "text")  # (who looks before that is soon forgotten)
    stack.look(user, after=0)

    def seen():
        return stack.mailbox(user)["clients"][0]["seen_ms_ago"]

    eventually(lambda: seen() > 500, "it has been away for half a second")
    away = seen()
    stack.look(user, after=0)
    eventually(lambda: seen() < away, "it has been seen again")


def test_polls(stack, user):
    """a mailbox shows how many polls wait"""
    parked = [stack.park(user, beside=number, client=f"tab{number}") for number in range(3)]
    assert stack.mailbox(user)["polls"] == 3
    parked.pop().leave()
    eventually(lambda: stack.mailbox(user)["polls"] == 2, "one has gone")
    for poll in parked:
        poll.leave()
    eventually(lambda: stack.mailbox(user)["polls"] == 0, "all have gone")


def test_delete(stack, user):
    """DELETE removes a mailbox with all it keeps, and says whether there was one"""
    stack.pushed(user, "text")
    stack.look(user, after=0)
    assert stack.request("DELETE", f"/mailbox?user={user}").json == {"deleted": True}
    assert stack.mailbox(user)["queued"] == 0
    assert data(stack.look(user + "-other", after=0)) == []
    answer = stack.request("DELETE", f"/mailbox?user={user}")
    assert answer.status == 200 and answer.json == {"deleted": False}
    assert stack.redis.keys(f"mailbox:{{{user}}}") == stack.redis.keys(f"unacked:{{{user}}}") == []


def test_delete_then_push(stack, user):
    """a deleted mailbox begins again with the next push"""
    stack.pushed(user, "old")
    stack.request("DELETE", f"/mailbox?user={user}")
    stack.pushed(user, "new")
    assert data(stack.look(user, after=0)) == ["new"]
    assert stack.mailbox(user)["queued"] == 1


def test_delete_while_parked(stack, user):
    """a poll parked while its mailbox is deleted gets what is pushed afterwards"""
    parked = stack.park(user, after=0)
    stack.request("DELETE", f"/mailbox?user={user}")
    stack.pushed(user, "new")
    assert data(parked.answer()) == ["new"]


def test_no_user(stack):
    """/mailbox without a user is an error"""
    assert is_error(stack.get("/mailbox"), 400, "missing_user")
    assert is_error(stack.request("DELETE", "/mailbox"), 400, "missing_user")


def test_other_mailboxes_stay(stack, users):
    """DELETE touches no other mailbox, however alike the names"""
    one, two = users(2)
    stack.pushed(one, "text")
    stack.pushed(one + ".", "text")
    stack.pushed(two, "text")
    stack.request("DELETE", f"/mailbox?user={one}")
    assert stack.mailbox(one + ".")["queued"] == 1 and stack.mailbox(two)["queued"] == 1
