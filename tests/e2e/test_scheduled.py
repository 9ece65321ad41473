# SPDX-License-Identifier: MIT
"""Messages that are pushed later: each is delivered at its time and once, whatever dies in between, unless it is cancelled."""

import json
import signal
import time

import pytest

from exposition import read
from expect import data, is_accepted, is_error
from keys import key
from stack import Program
from waits import eventually

LATER = 3600  # seconds: not within a test


def now_ms():
    return int(time.time() * 1000)


def scheduled(stack, to, text="later", **query):
    """Schedules a text that must be accepted; its id and time."""
    answer = stack.push(to, text, **query)
    assert answer.status == 202, answer
    assert list(answer.json) == ["scheduled", "at"], answer
    return answer.json["scheduled"], answer.json["at"]


def calendar(stack, user, **query):
    answer = stack.get("/scheduled", user=user, **query)
    assert answer.status == 200, answer
    assert list(answer.json) == ["user", "scheduled", "next"] and answer.json["user"] == user
    return answer.json


def cancel(stack, id):
    answer = stack.request("DELETE", f"/scheduled?id={id}")
    assert answer.status == 200, answer
    return answer.json["cancelled"]


def metric(stack, name):
    return read(stack.get("/metrics").body.decode())[f"letterbox_scheduled_{name}"].value()


def has(stack, user, texts, **query):
    """Returns when a user's mailbox holds these texts, in this order."""
    eventually(lambda: data(stack.look(user, after=0, limit=1000)) == texts, f"{user} has its messages", **query)


def test_delay(stack, user):
    """a push with a delay is answered by 202 with an id and a time, and a waiting poll gets it then, and not before"""
    poll = stack.park(user, after=0)
    before = now_ms()
    id, at = scheduled(stack, user, delay="0.3")
    assert before + 300 <= at <= now_ms() + 300
    assert id.startswith(user + ".")
    answer = poll.answer()
    assert now_ms() >= at
    assert data(answer) == ["later"] and answer["messages"][0]["time"] == at
    assert calendar(stack, user)["scheduled"] == []
    assert cancel(stack, id) is False


def test_at(stack, user):
    """at= names the time itself, in an envelope as well"""
    at = now_ms() + 300
    assert scheduled(stack, user, "first", at=at)[1] == at
    answer = stack.push_json(json.dumps({"to": user, "type": "mail", "data": [1], "at": at + 1}))
    assert (answer.status, answer.json["at"]) == (202, at + 1)
    has(stack, user, ["first", [1]])
    assert [message["time"] for message in stack.look(user, after=0)["messages"]] == [at, at + 1]


def test_past(stack, user):
    """a time that is over means now: an ordinary push"""
    for at in (1, now_ms() - 1):
        answer = stack.push(user, "now", at=at)
        assert is_accepted(answer) and list(answer.json) == ["id", "queued", "waiting"]
    assert data(stack.look(user, after=0)) == ["now"] * 2
    assert stack.look(user, after=0)["messages"][0]["time"] > 1


def test_calendar(stack, user):
    """GET /scheduled shows what is to come by its time, page by page, and DELETE /scheduled cancels it"""
    first = scheduled(stack, user, '{"n":1}', delay=LATER)
    third = scheduled(stack, user, "three", delay=LATER + 20, type="mail")
    second = scheduled(stack, user, "two", delay=LATER + 10)
    assert calendar(stack, user) == {"user": user, "next": None, "scheduled": [
        {"id": first[0], "at": first[1], "type": "message", "data": '{"n":1}'}, {"id": second[0], "at": second[1], "type": "message", "data": "two"},
        {"id": third[0], "at": third[1], "type": "mail", "data": "three"}]}
    page = calendar(stack, user, limit=2)
    assert [entry["id"] for entry in page["scheduled"]] == [first[0], second[0]]
    assert cancel(stack, second[0]) is True
    assert cancel(stack, second[0]) is False
    rest = calendar(stack, user, limit=2, after=page["next"])
    assert [entry["id"] for entry in rest["scheduled"]] == [third[0]] and rest["next"] is None
    assert calendar(stack, user + "x")["scheduled"] == []
    assert stack.look(user, after=0)["count"] == 0


def test_cancelled(stack, user):
    """a cancelled message is never delivered"""
    id, at = scheduled(stack, user, "cancelled", delay=3)
    scheduled(stack, user, "kept", at=at + 1)
    assert cancel(stack, id) is True
    has(stack, user, ["kept"])


BAD_TIMES = ["delay=0", "delay=", "delay=-1", "delay=x", "delay=1e3", "delay=2592000.001", "delay=nan", "at=", "at=x", "at=-1", "at=1.5", "at=1e13",
             "at=99999999999999999999", "at=17592186044416", "delay=1&at=1", "delay=1&at=9999999999999"]


@pytest.mark.parametrize("query", BAD_TIMES)
def test_bad_time(stack, user, query):
    """a delay or a time that is none, or too far away, is 400 bad_time"""
    assert is_error(stack.request("POST", f"/push?to={user}&{query}", body=b"x"), 400, "bad_time")
    assert calendar(stack, user)["scheduled"] == [] and stack.look(user, after=0)["count"] == 0


@pytest.mark.parametrize("members, code", [
    ({"delay": 0}, "bad_time"), ({"delay": -1}, "bad_time"), ({"delay": 2592001}, "bad_time"), ({"at": 1.5}, "bad_time"), ({"at": -1}, "bad_time"),
    ({"at": 9_999_999_999_999}, "bad_time"), ({"at": 5, "delay": 5}, "bad_time"), ({"delay": "5"}, "bad_envelope"), ({"at": "5"}, "bad_envelope"),
    ({"at": None}, "bad_envelope"), ({"delay": [5]}, "bad_envelope")], ids=str)
def test_bad_envelope_time(stack, user, members, code):
    """the same in an envelope, and what is no number is bad_envelope"""
    assert is_error(stack.push_json(json.dumps({"to": user, "data": 1} | members)), 400, code)


def test_repeated(stack, user):
    """a delay, a time or an id that comes twice is 400 repeated_parameter"""
    for query in ("delay=1&delay=1", "at=1&at=1"):
        assert is_error(stack.request("POST", f"/push?to={user}&{query}", body=b"x"), 400, "repeated_parameter")
    assert is_error(stack.request("DELETE", "/scheduled?id=a&id=b"), 400, "repeated_parameter")


def test_bad_calendar(stack, user):
    """a view without a user, or with a bad limit or cursor, and a cancellation without an id are refused"""
    assert is_error(stack.get("/scheduled"), 400, "missing_user")
    assert is_error(stack.get("/scheduled", user="a b"), 400, "bad_user")
    assert is_error(stack.get("/scheduled", user=user, limit=0), 400, "bad_limit")
    for after in ("5-7", "alice", f"other{user}.0123456789abcdef"):
        assert is_error(stack.get("/scheduled", user=user, after=after), 400, "bad_request")
    for id in ("", "alice", "alice.0123456789abcde", "alice.0123456789ABCDEF", "a b.0123456789abcdef"):
        assert is_error(stack.request("DELETE", "/scheduled?id=" + id.replace(" ", "%20")), 400, "bad_request")
    assert is_error(stack.request("DELETE", "/scheduled"), 400, "bad_request")
    assert is_error(stack.request("POST", "/scheduled"), 405, "wrong_method")
    assert cancel(stack, user + ".0123456789abcdef") is False


def test_bound(tight_stack, user):
    """a user has as many scheduled messages as a mailbox holds, the next is 409 schedule_full, and a cancelled one makes room"""
    ids = [scheduled(tight_stack, user, str(n), delay=LATER)[0] for n in range(10)]
    assert is_error(tight_stack.push(user, "too many", delay=LATER), 409, "schedule_full")
    assert is_accepted(tight_stack.push(user, "now"))
    assert cancel(tight_stack, ids[3])
    scheduled(tight_stack, user, delay=LATER)
    assert is_error(tight_stack.push(user, "too many", delay=LATER), 409, "schedule_full")
    for entry in calendar(tight_stack, user)["scheduled"]:
        assert cancel(tight_stack, entry["id"])


def test_thousand(stack, user):
    """a user's thousand scheduled messages are shown once each, in order, and leave room for no other"""
    document = json.dumps([{"to": user, "data": n, "delay": LATER + n % 10} for n in range(1000)])
    answer = stack.push_json(document)
    assert answer.status == 202 and len({result["scheduled"] for result in answer.json["results"]}) == 1000
    assert is_error(stack.push(user, "too many", delay=LATER), 409, "schedule_full")
    seen, after = [], None
    while True:
        page = calendar(stack, user, limit=300, after=after)
        seen += page["scheduled"]
        after = page["next"]
        if after is None:
            break
    assert sorted(entry["data"] for entry in seen) == list(range(1000))
    assert [entry["at"] for entry in seen] == sorted(entry["at"] for entry in seen)
    stack.redis.delete(key("scheduled", user))


def test_batch(stack, users):
    """a batch mixes messages for now and for later, and the query's delay is for envelopes that say nothing of it"""
    now, later, own = users(3)
    answer = stack.push_json(json.dumps([{"to": now, "data": 1, "at": 1}, {"to": later, "data": 2}, {"to": [own], "data": 3, "delay": LATER},
                                         {"to": own, "data": 4, "delay": 0}]), delay="0.2")
    results = answer.json["results"]
    assert answer.status == 400
    assert [list(result) for result in results] == [["to", "id", "queued", "waiting"], ["to", "scheduled", "at"], ["to", "scheduled", "at"], ["to", "error"]]
    assert results[3]["error"]["code"] == "bad_time"
    assert results[2]["at"] - results[1]["at"] > 1_000_000
    has(stack, later, [2])
    assert data(stack.look(now, after=0)) == [1]
    assert cancel(stack, results[2]["scheduled"])


def test_many(stack, users):
    """a scheduled message to a group is for those who are members as it is scheduled, and the answer is a summary"""
    names = users(3)
    group = "later" + names[0]
    for name in names[:2]:
        assert stack.request("PUT", f"/groups/{group}/{name}").status == 200
    answer = stack.push("group:" + group, "to all", delay="0.5")
    assert answer.status == 202
    assert {name: answer.json[name] for name in ("count", "accepted", "waiting", "failed")} == {"count": 2, "accepted": 2, "waiting": 0, "failed": 0}
    assert sorted(result["to"] for result in answer.json["results"]) == sorted(names[:2])
    assert all(list(result) == ["to", "scheduled", "at"] for result in answer.json["results"])
    assert stack.request("PUT", f"/groups/{group}/{names[2]}").status == 200
    for name in names[:2]:
        has(stack, name, ["to all"])
    assert stack.look(names[2], after=0)["count"] == 0


def test_list(stack, users):
    """several recipients have an entry each, and a bad one among them its error"""
    names = users(2)
    answer = stack.push([names[0], "b b", names[1]], "x", delay=LATER)
    assert answer.status == 400
    results = answer.json["results"]
    assert results[1]["error"]["code"] == "bad_user"
    for name, result in zip(names, results[::2]):
        assert result["to"] == name and cancel(stack, result["scheduled"]) is True


def test_repeated_call(stack, user):
    """a call with an Idempotency-Key is scheduled once, and its repetition has the same answer, also when its time is over"""
    key = [("Idempotency-Key", f"key-of-{user}")]
    at = now_ms() + 400
    first = stack.push(user, "once", key, at=at)
    assert (first.status, first.json["at"]) == (202, at)

    def is_replayed(again):
        assert (again.status, again.body, again.header("Idempotency-Replayed")) == (202, first.body, "true"), again
        return True

    assert is_replayed(stack.push(user, "once", key, at=at))
    assert len(calendar(stack, user)["scheduled"]) <= 1
    has(stack, user, ["once"])
    assert is_replayed(stack.push(user, "once", key, at=at))
    assert is_error(stack.push(user, "once", key, at=at + 1), 409, "key_reused")
    assert is_error(stack.push(user, "once", key, delay=1), 409, "key_reused")
    assert data(stack.look(user, after=0)) == ["once"] and calendar(stack, user)["scheduled"] == []


def test_collapse(stack, user):
    """a scheduled message with a collapse key replaces what is unread under it at its time"""
    stack.pushed(user, "first", collapse="score")
    stack.pushed(user, "other")
    scheduled(stack, user, "second", delay="0.1", collapse="score")
    has(stack, user, ["other", "second"])


def test_metrics(private_stack, user):
    """metrics say how many messages wait for their time, and how many were pushed at it"""
    id, _ = scheduled(private_stack, user, "cancelled", delay=LATER)
    scheduled(private_stack, user, "waits", delay=LATER)
    scheduled(private_stack, user, "comes", delay="0.1")
    has(private_stack, user, ["comes"])
    assert cancel(private_stack, id)
    eventually(lambda: metric(private_stack, "messages_waiting") == 1, "one waits")
    assert metric(private_stack, "messages_total") == 1
    assert metric(private_stack, "messages_late_total") in (0, 1)


def test_killed(private_stack, user):
    """messages come once each and in the order of their times, however often the program is killed meanwhile"""
    begin = now_ms() + 500
    document = json.dumps([{"to": user, "data": n, "at": begin + 10 * n} for n in range(300)])
    assert private_stack.push_json(document).status == 202

    def come():
        answer = private_stack.get("/poll", user=user, after=0, timeout=0, limit=1000)
        return answer.json["count"] if answer.status == 200 else 0

    for count in (20, 100, 180):
        eventually(lambda count=count: come() >= count, f"{count} have come")
        private_stack.crash("push")
    has(private_stack, user, list(range(300)))
    assert calendar(private_stack, user)["scheduled"] == []


@pytest.mark.one_redis
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_redis_restarted(private_stack, user, number):
    """what is scheduled survives a restart of Redis, and comes once"""
    private_stack.redis.config_set("appendfsync", "always")
    begin = now_ms() + 500
    document = json.dumps([{"to": user, "data": n, "at": begin + 10 * n} for n in range(100)])
    assert private_stack.push_json(document).status == 202
    eventually(lambda: private_stack.look(user, after=0)["count"] > 10, "some have come")
    private_stack.end("redis", number)
    assert private_stack.service("start").returncode == 0
    private_stack.finds_redis()
    has(private_stack, user, list(range(100)))


def test_everything_restarted(private_stack, user):
    """what is scheduled survives a restart of everything, and what became due meanwhile comes at once, in order"""
    private_stack.redis.config_set("appendfsync", "always")
    at = now_ms() + 2000
    assert private_stack.push_json(json.dumps([{"to": user, "data": n, "at": at - n} for n in range(100)])).status == 202
    assert private_stack.service("stop").returncode == 0
    eventually(lambda: now_ms() > at, "it is time")
    assert private_stack.service("start").returncode == 0
    has(private_stack, user, list(range(99, -1, -1)))
    assert private_stack.mailbox(user)["queued"] == 100


def test_backlog(private_stack, users):
    """thousands of messages that became due while no program ran come soon and once each, and others are pushed meanwhile"""
    names = users(20)
    at = now_ms() + 5000
    for name in names:
        document = json.dumps([{"to": name, "data": n, "at": at + n} for n in range(200)])
        assert private_stack.push_json(document).status == 202
    private_stack.end("push")
    eventually(lambda: now_ms() > at + 200, "all are due")
    assert private_stack.service("start").returncode == 0
    assert is_accepted(private_stack.push("other" + names[0], "hello"))
    for name in names:
        has(private_stack, name, list(range(200)))
    eventually(lambda: metric(private_stack, "messages_waiting") == 0, "none is left")
    assert metric(private_stack, "messages_total") == 4000
    assert private_stack.redis.zcard("letterbox:schedule") == 0


def test_two_programs(private_stack, users):
    """of two programs that both see a message become due one pushes it"""
    names = users(20)
    other = Program("push", "--listen", private_stack.dir / "run" / "other.sock", "--redis", f"unix:{private_stack.socket('redis')}")
    try:
        other.listens(private_stack.dir / "run" / "other.sock")
        at = now_ms() + 500
        for name in names:
            document = json.dumps([{"to": name, "data": n, "at": at} for n in range(100)])
            assert private_stack.push_json(document).status == 202
        for name in names:
            eventually(lambda name=name: private_stack.look(name, after=0, limit=1000)["count"] >= 100, "all have come")
        eventually(lambda: private_stack.redis.zcard("letterbox:schedule") == 0, "the calendar is empty")
        for name in names:
            assert sorted(data(private_stack.look(name, after=0, limit=1000))) == list(range(100))
    finally:
        other.end()


def test_broken_calendar(private_stack, user):
    """if something else stands in the place of a calendar, its key is named, and other users' messages come"""
    private_stack.redis.set(key("scheduled", user), "x")
    for answer in (private_stack.push(user, "x", delay=LATER), private_stack.get("/scheduled", user=user),
                   private_stack.request("DELETE", f"/scheduled?id={user}.0123456789abcdef")):
        assert is_error(answer, 409, "broken_data") and key("scheduled", user) in answer.json["error"]["message"]
    private_stack.redis.zadd("letterbox:schedule", {f"{user}.0123456789abcdef": 1, "nonsense": 2})
    scheduled(private_stack, user + "x", delay="0.1")
    has(private_stack, user + "x", ["later"])


def test_broken_mailbox(private_stack, user):
    """a message whose mailbox is broken comes when the mailbox is repaired"""
    private_stack.redis.set(key("base", user), "no record")
    scheduled(private_stack, user, delay="0.1")
    scheduled(private_stack, user + "x", delay="0.2")
    has(private_stack, user + "x", ["later"])
    assert len(calendar(private_stack, user)["scheduled"]) == 1
    assert private_stack.request("DELETE", f"/mailbox?user={user}").status == 200
    has(private_stack, user, ["later"])


@pytest.mark.one_redis
def test_away(private_stack, user):
    """while Redis is away a message can't be scheduled, shown or cancelled: 503"""
    private_stack.end("redis")
    for answer in (private_stack.push(user, "x", delay=LATER), private_stack.get("/scheduled", user=user),
                   private_stack.request("DELETE", f"/scheduled?id={user}.0123456789abcdef")):
        assert is_error(answer, 503, "store_unavailable")
    assert private_stack.service("start").returncode == 0
