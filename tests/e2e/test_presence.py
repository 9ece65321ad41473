# SPDX-License-Identifier: MIT
"""Who is online: GET /users, and the events user.online and user.offline."""

import signal
import time

import pytest

from expect import is_error
from keys import key, shared_key
from stack import Stack
from test_two_polls import TwoPolls
from waits import eventually

WATCHER = "who.watches"


class Watcher:
    """Reads the mailbox that the events go to, and keeps what came."""

    def __init__(self, stack):
        self.stack = stack
        self.cursor = "0"
        self.messages = []

    def of(self, *users):
        """The events of these users so far, in their order: (type, user)."""
        answer = self.stack.look(WATCHER, client="reader", after=self.cursor, limit=1000)
        assert answer["missed"] == 0, answer
        self.cursor = answer["cursor"]
        self.messages += answer["messages"]
        return [(message["type"], message["data"]["user"]) for message in self.messages if message["data"]["user"] in users]


def online(user):
    return ("user.online", user)


def offline(user):
    return ("user.offline", user)


@pytest.fixture(scope="module")
def watched_stack():
    """A stack of this module's own, whose events a test reads."""
    stack = Stack(shared=True, workers=2, events_to=WATCHER).start()
    yield stack
    stack.stop()


@pytest.fixture
def watcher(watched_stack):
    return Watcher(watched_stack)


@pytest.fixture
def private_watcher(new_stack):
    return Watcher(new_stack(events_to=WATCHER))


@pytest.fixture
def apart_watcher(new_stack):
    """The same of a stack whose private face has a program of its own."""
    return Watcher(new_stack(events_to=WATCHER, apart=1))


def users_page(stack, **query):
    answer = stack.get("/users", **query)
    assert answer.status == 200, answer
    page = answer.json
    assert set(page) == {"online", "users", "next"} and page["online"] >= len(page["users"]), page
    return page


def show(stack, user):
    answer = stack.get("/users", user=user)
    assert answer.status == 200 and answer.json["user"] == user, answer
    return answer.json


def is_online(stack, user):
    shown = show(stack, user)
    listed = [each["user"] for each in users_page(stack, prefix=user, limit=1)["users"]] == [user]
    assert shown["online"] is listed or not show(stack, user)["online"], "it may leave between two looks"
    return shown["online"]


def comes(stack, user):
    eventually(lambda: is_online(stack, user), f"{user} is online")


def leaves(stack, user):
    eventually(lambda: not is_online(stack, user), f"{user} is offline", deadline=30)


def now_ms():
    return time.time() * 1000


# --- GET /users

def test_parked(watched_stack, user):
    """a user is online while its poll is parked, for one and a half times the poll's timeout"""
    before = now_ms()
    parked = watched_stack.park(user, timeout=40)
    comes(watched_stack, user)
    (shown,) = users_page(watched_stack, prefix=user)["users"]
    assert before - 1 <= shown["last_activity"] <= now_ms()
    assert 60_000 - 1 <= shown["until"] - before <= 66_000 + (now_ms() - before)
    assert parked.waits()


def test_clients(watched_stack, user):
    """a user is shown with each of its clients: when it polled last, from where, and by what program"""
    watched_stack.look(user, client="phone", headers=[("User-Agent", 'a "phone" \\ \xfc')])
    parked = watched_stack.park(user, client="laptop", headers=[("User-Agent", "x" * 500)])

    def both():
        clients = {client["client"]: client for client in show(watched_stack, user)["clients"]}
        assert set(clients) == {"phone", "laptop"}, clients
        return clients

    clients = eventually(both, "both are shown")
    assert all(set(client) == {"client", "last_activity", "address", "agent"} for client in clients.values())
    assert all(0 <= now_ms() - client["last_activity"] < 60_000 and client["address"] == "127.0.0.1" for client in clients.values())
    assert clients["phone"]["agent"] == 'a "phone" \\ \N{REPLACEMENT CHARACTER}'
    assert clients["laptop"]["agent"] == "x" * 200
    assert parked.waits()


def test_last_activity(watched_stack, user):
    """last activity moves on as a client polls, and is at most five seconds old"""
    first = now_ms()
    watched_stack.look(user)
    comes(watched_stack, user)

    def moved_on():
        watched_stack.look(user)
        return show(watched_stack, user)["last_activity"] > first + 5_500

    eventually(moved_on, "what was noted first is not what is shown", deadline=30)
    assert now_ms() - show(watched_stack, user)["last_activity"] < 5_000 + 10_000


def test_unknown(watched_stack, user):
    """an unknown user is offline, and asking for it leaves nothing in Redis"""
    assert show(watched_stack, user) == {"user": user, "online": False, "last_activity": None, "until": None, "clients": [], "locked": None, "groups": []}
    assert watched_stack.keys(f"*{user}*") == []


def test_pages(watched_stack):
    """250 users are shown in pages of a hundred, in the order of their names, each once"""
    names = sorted(f"page.{number}" for number in range(250))
    for name in names:
        watched_stack.look(name)
    eventually(lambda: users_page(watched_stack, prefix="page.", limit=1000)["users"][249:], "all are online")
    pages = [users_page(watched_stack, prefix="page.")]
    while pages[-1]["next"] is not None:
        pages.append(users_page(watched_stack, prefix="page.", after=pages[-1]["next"]))
    assert [len(page["users"]) for page in pages] == [100, 100, 50]
    assert [each["user"] for page in pages for each in page["users"]] == names
    everybody = users_page(watched_stack, limit=1000)
    assert set(names) <= {each["user"] for each in everybody["users"]} and everybody["online"] == len(everybody["users"])
    assert [each["user"] for each in users_page(watched_stack, prefix="page.24")["users"]] == [name for name in names if name.startswith("page.24")]


@pytest.mark.parametrize("query, code", [
    ({"user": ""}, "bad_user"), ({"user": "a/b"}, "bad_user"), ({"prefix": "a*"}, "bad_user"), ({"after": "\0"}, "bad_user"),
    ({"prefix": "x" * 129}, "bad_user"), ({"limit": 0}, "bad_limit"), ({"limit": 1001}, "bad_limit"), ({"limit": "all"}, "bad_limit"),
    ({"user": ["a", "a"]}, "repeated_parameter"), ({"after": ["a", "b"]}, "repeated_parameter"), ({"prefix": b"\xff"}, "bad_encoding")])
def test_wrong_question(watched_stack, query, code):
    """each fault of a question is a documented error"""
    assert is_error(watched_stack.get("/users", **query), 400, code)


def test_wrong_method(watched_stack):
    """/users can be read, and not be written"""
    answer = watched_stack.request("DELETE", "/users")
    assert is_error(answer, 405, "wrong_method") and "GET" in answer.header("Allow")


# --- coming and going

def test_short_polls(watched_stack, watcher, user):
    """a client that polls again and again is online all the while, by one event; when it stays away, it leaves by another"""
    watched_stack.poll(user, timeout=3, after=0)
    comes(watched_stack, user)
    for _ in range(3):
        watched_stack.poll(user, timeout=3, after=0)
        assert is_online(watched_stack, user)
    leaves(watched_stack, user)
    eventually(lambda: offline(user) in watcher.of(user), "its leaving is told")
    assert watcher.of(user) == [online(user), offline(user)]


def test_times(watched_stack, watcher, user):
    """an event carries the time at which it happened"""
    before = now_ms()
    watched_stack.poll(user, timeout=0.5)
    eventually(lambda: watcher.of(user) == [online(user), offline(user)], "it came and left")
    came, gone = [message["data"] for message in watcher.messages if message["data"]["user"] == user]
    assert set(came) == set(gone) == {"user", "time"}
    assert before - 1 <= came["time"] <= gone["time"] - 1_000 and gone["time"] <= now_ms()


def test_parked_watcher(watched_stack, watcher, user):
    """a poll that waits for the events is woken by them"""
    watcher.of(user)
    parked = watched_stack.park(WATCHER, client="parked", after=watcher.cursor)
    watched_stack.look(user)
    answer = parked.answer()
    while online(user) not in [(message["type"], message["data"]["user"]) for message in answer["messages"]]:
        assert answer["reason"] == "messages", "others may come as well, but no poll waits in vain"
        answer = watched_stack.poll(WATCHER, client="parked", after=answer["cursor"], timeout=10)


def test_comes_back(watched_stack, watcher, user):
    """each leaving and coming back is told, as often as it happens"""
    for times in (1, 2):
        watched_stack.poll(user, timeout=0.2)
        eventually(lambda: len(watcher.of(user)) == 2 * times, "it came and left")
    assert watcher.of(user) == [online(user), offline(user)] * 2


def test_client_that_vanishes(watched_stack, watcher, user):
    """a client that goes away while it is parked leaves when its time is over, not before"""
    parked = watched_stack.park(user, timeout=4)
    comes(watched_stack, user)
    until = show(watched_stack, user)["until"]
    parked.leave()
    watched_stack.has_polls(user, 0)
    leaves(watched_stack, user)
    assert now_ms() >= until
    eventually(lambda: watcher.of(user) == [online(user), offline(user)], "both are told")


def test_leaves_nothing(watched_stack, user):
    """a name that only polled is in no list when it has left, and its other keys expire"""
    watched_stack.park(user, timeout=4, after=0).leave()
    comes(watched_stack, user)
    redis = watched_stack.redis
    eventually(lambda: redis.zscore(shared_key("names", user), user) is None, "the name has gone", deadline=30)
    assert redis.zscore(shared_key("online", user), user) is None and not redis.exists(key("presence", user))
    assert all(redis.pttl(key) != -1 for key in watched_stack.keys(f"*{user}*"))


def test_nobody_wants_events(stack, user):
    """without --events-to a user who stays away still leaves, and no event is kept"""
    stack.park(user, timeout=4).leave()
    comes(stack, user)
    leaves(stack, user)
    eventually(lambda: stack.redis.zscore(shared_key("names", user), user) is None, "the name has gone")
    assert not stack.redis.exists(shared_key("events", user))


def told(stack, reader, event):
    """Whether that event is in a user's mailbox."""
    messages = stack.look(reader, after=0, client="reader", limit=1000)["messages"]
    return event in [(message["type"], message["data"]["user"]) for message in messages]


def test_events_to_a_group(new_stack, users):
    """events may go to a group: each member is told, also those who are away"""
    stack = new_stack(events_to="group:watchers")
    user, *watchers = users(3)
    for watcher in watchers:
        assert stack.request("PUT", f"/groups/watchers/{watcher}").status == 200
    stack.park(user, after=0)
    for watcher in watchers:
        eventually(lambda: told(stack, watcher, online(user)), f"{watcher} is told")


def test_events_to_everybody(new_stack, users):
    """events may go to every user who is online: a user who waits is told of others who come"""
    stack = new_stack(events_to="*")
    first, second = users(2)
    stack.park(first, after=0)
    eventually(lambda: told(stack, first, online(first)), "the first is told of itself")
    stack.park(second, after=0)
    eventually(lambda: told(stack, first, online(second)), "and of the second")


def test_alive_is_online(watched_stack, user):
    """a heartbeat to /alive makes its user online, as a poll does"""
    assert watched_stack.get("/alive", user=user, client="page").status == 200
    comes(watched_stack, user)
    assert [client["client"] for client in show(watched_stack, user)["clients"]] == ["page"]


def test_locked_is_shown(stack, user):
    """GET /users?user= shows since when and why a user is locked"""
    assert show(stack, user)["locked"] is None
    before = now_ms()
    assert stack.request("POST", "/users/lock", body=b'{"user":"%s","reason":"unpaid"}' % user.encode()).status == 200
    locked = show(stack, user)["locked"]
    assert locked["reason"] == "unpaid" and before - 1 <= locked["since"] <= now_ms()


# --- programs and Redis come and go

def test_push_program_away(apart_watcher, users):
    """events that happen while letterbox-push is away are told when it is back, in their order"""
    stack = apart_watcher.stack
    early, late = users(2)
    stack.poll(early, timeout=0.2)
    eventually(lambda: online(early) in apart_watcher.of(early), "its coming is told")
    stack.end("push", signal.SIGKILL)
    stack.poll(late, timeout=0.2)
    eventually(lambda: stack.redis.zscore(shared_key("online", late), late), "it is noted")
    assert stack.service("start").returncode == 0
    eventually(lambda: set(apart_watcher.of(early, late)) == {online(early), offline(early), online(late), offline(late)}, "all is told", deadline=30)
    for user in (early, late):
        assert apart_watcher.of(user).index(online(user)) < apart_watcher.of(user).index(offline(user))


def test_push_program_killed(apart_watcher, users):
    """a letterbox-push that is killed again and again while it tells many events loses none"""
    stack = apart_watcher.stack
    names = users(120)
    for number, name in enumerate(names):
        stack.poll(name, timeout=0.01)
        if number % 30 == 10:
            stack.crash("push")

    def all_told():
        told = apart_watcher.of(*names)
        missing = [event for name in names for event in (online(name), offline(name)) if event not in told]
        assert not missing, missing[:5]
        return True

    eventually(all_told, "all have come and left", deadline=60)
    told = apart_watcher.of(*names)
    for name in names:
        of_name = [event for event in told if event[1] == name]
        assert of_name[0] == online(name) and of_name[-1] == offline(name)


def test_two_polls(private_watcher, user):
    """a user who polls at two programs in turns comes once and leaves once, also if one of them is killed"""
    stack = private_watcher.stack
    polls = TwoPolls(stack, hashed=False, events_to=WATCHER)
    try:
        for number in range(4):
            stack.poll(user, timeout=3, after=0)
            assert is_online(stack, user)
            if number == 1:
                polls.kill(1)
        leaves(stack, user)
        eventually(lambda: offline(user) in private_watcher.of(user), "its leaving is told")
        assert private_watcher.of(user) == [online(user), offline(user)]
        polls.start_again(1)
    finally:
        polls.end()


@pytest.mark.one_redis
def test_redis_emptied(private_watcher, users):
    """a user whose poll is parked while Redis is emptied and its connections are cut is online again in seconds, without a new poll"""
    stack = private_watcher.stack
    names = sorted(users(20))
    parked = [stack.park(name) for name in names]
    eventually(lambda: [each["user"] for each in users_page(stack, prefix="user")["users"]] == names, "all are online")
    stack.redis.flushall()
    assert users_page(stack)["online"] == 0
    stack.redis.client_kill_filter(_type="normal", skipme=True)
    eventually(lambda: [each["user"] for each in users_page(stack, prefix="user")["users"]] == names, "all are online", deadline=30)
    assert all(poll.waits() for poll in parked)


@pytest.mark.one_redis
def test_redis_away(private_watcher, user):
    """a user who polls while Redis is away is online when it is back; /users is 503 meanwhile"""
    stack = private_watcher.stack
    parked = stack.park(user)
    comes(stack, user)
    stack.end("redis")
    assert is_error(stack.get("/users"), 503, "store_unavailable")
    assert is_error(stack.get("/users", user=user), 503, "store_unavailable")
    assert stack.service("start").returncode == 0
    comes(stack, user)
    assert parked.waits()
    eventually(lambda: online(user) in private_watcher.of(user), "it is told")
