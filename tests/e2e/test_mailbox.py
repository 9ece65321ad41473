# SPDX-License-Identifier: MIT
"""GET and DELETE /mailbox: what an administrator sees of a mailbox, and its removal."""

from expect import data, ids, is_error
from keys import key
from waits import eventually


def test_unknown(stack, user):
    """an unknown mailbox is shown as empty, and asking for it makes none"""
    assert stack.mailbox(user) == {"user": user, "queued": 0, "oldest": None, "newest": None, "polls": 0, "clients": [], "cursor": "0"}
    assert stack.keys(f"*{user}*") == []


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
    stack.pushed(user, "text")  # (a client that looks before the first push is soon forgotten)
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
    assert stack.keys(key("mailbox", user)) == stack.keys(key("unacked", user)) == []


def test_delete_then_push(stack, user):
    """a deleted mailbox begins again with the next push"""
    stack.pushed(user, "old")
    stack.request("DELETE", f"/mailbox?user={user}")
    stack.pushed(user, "new")
    assert data(stack.look(user, after=0)) == ["new"]
    assert stack.mailbox(user)["queued"] == 1


def test_delete_while_parked(stack, user):
    """a poll parked while its mailbox is deleted gets the messages that are pushed afterwards"""
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


def test_cursor(stack, user):
    """a mailbox's cursor is the last id that it gave, also when all is acknowledged; a page that polls after it misses nothing"""
    assert stack.mailbox(user)["cursor"] == "0"
    parked = stack.park(user, client="early", after=stack.mailbox(user)["cursor"])
    first = stack.pushed(user, "first")
    assert ids(parked.answer()) == [first]
    stack.look(user, client="early", after=first)
    eventually(lambda: stack.mailbox(user)["queued"] == 0, "all is acknowledged")
    cursor = stack.mailbox(user)["cursor"]
    assert cursor == first
    second = stack.pushed(user, "second")
    answer = stack.look(user, client="page", after=cursor)
    assert ids(answer) == [second] and answer["missed"] == 0 and answer["reset"] is False
    stack.request("DELETE", f"/mailbox?user={user}")
    assert stack.mailbox(user)["cursor"] == "0"


def test_peek(stack, user):
    """limit and after show messages as a poll would, page after page, and acknowledge nothing"""
    pushed = [stack.pushed(user, str(number)) for number in range(5)]
    stack.look(user, client="tab", after=pushed[0])
    before = stack.mailbox(user)
    page = stack.get("/mailbox", user=user, limit=2).json
    assert list(page) == ["user", "queued", "oldest", "newest", "polls", "clients", "cursor", "messages"]
    assert ids(page) == pushed[1:3] and page["cursor"] == pushed[-1]
    assert ids(stack.get("/mailbox", user=user, limit=2, after=pushed[2]).json) == pushed[3:]
    assert ids(stack.get("/mailbox", user=user, after=pushed[0]).json) == pushed[1:]
    assert stack.get("/mailbox", user=user, limit=2, after=pushed[-1]).json["messages"] == []
    assert stack.get("/mailbox", user=user, after="5-1", limit=1).json["messages"][0]["id"] == pushed[1]
    assert page["messages"] == stack.look(user, client="tab", after=pushed[0], limit=2)["messages"]
    after = stack.mailbox(user)
    assert (after["queued"], after["oldest"]) == (before["queued"], before["oldest"])


def test_bad_page(stack, user):
    """a page of messages that can't be is an error"""
    for limit in ("", "0", "1001", "x"):
        assert is_error(stack.request("GET", f"/mailbox?user={user}&limit={limit}"), 400, "bad_limit")
    for after in ("", "x", "now", "5", "5-1-1", "%00"):
        assert is_error(stack.request("GET", f"/mailbox?user={user}&after={after}"), 400, "bad_request")
    assert is_error(stack.request("GET", f"/mailbox?user={user}&limit=1&limit=1"), 400, "repeated_parameter")


def test_large_page(stack, user):
    """a page stops after about a mebibyte, and the next goes on there"""
    pushed = [stack.pushed(user, "x" * 200_000) for _ in range(7)]
    page = stack.get("/mailbox", user=user, limit=100).json
    assert 5 <= len(page["messages"]) <= 6
    rest = stack.get("/mailbox", user=user, limit=100, after=page["messages"][-1]["id"]).json
    assert ids(page) + ids(rest) == pushed
