# SPDX-License-Identifier: MIT
"""Redis goes away, comes back, is emptied, hangs or refuses: polls stay parked, pushes are told the truth."""

import os
import signal

from expect import data, epoch, is_accepted, is_error, seq
from waits import eventually


def is_unavailable(answer):
    """503 store_unavailable, with the seconds to wait."""
    assert is_error(answer, 503, "store_unavailable")
    assert int(answer.header("Retry-After")) >= 0
    assert answer.json["error"]["retry_after_ms"] > 0
    return True


def works_again(stack, user):
    eventually(lambda: is_accepted(stack.push(user, "works")), "pushes are accepted", deadline=30)


def test_restart_while_parked(private_stack, users):
    """polls parked while Redis restarts stay parked and get the next message"""
    names = users(20)
    polls = [private_stack.park(name, after=0) for name in names]
    private_stack.end("redis")
    assert private_stack.service("start").returncode == 0
    assert all(poll.waits() for poll in polls)
    for name in names:
        eventually(lambda: is_accepted(private_stack.push(name, "hello")), "the push is accepted")
    assert [data(poll.answer()) for poll in polls] == [["hello"]] * 20


def test_push_while_redis_is_away(private_stack, user):
    """while Redis is away a push is 503 store_unavailable with Retry-After, and a poll never a hang"""
    private_stack.pushed(user, "before")
    parked = private_stack.park(user + "x", after=0)
    private_stack.end("redis")
    for _ in range(5):
        assert is_unavailable(private_stack.push(user, "lost"))
        assert is_unavailable(private_stack.get("/mailbox", user=user))
        assert is_unavailable(private_stack.get("/poll", user=user, timeout=0, after=0))
    assert parked.waits()
    assert private_stack.service("start").returncode == 0
    works_again(private_stack, user + "x")
    assert data(parked.answer()) == ["works"]
    eventually(lambda: data(private_stack.look(user, after=0)) == ["before"], "the message from before is there, and nothing else")


def test_poll_begun_while_redis_is_away(private_stack, user):
    """a poll that comes while Redis is away is told so or waits, and its next one gets the message"""
    private_stack.end("redis")
    answer = private_stack.get("/poll", user=user, after=0, timeout=1)
    assert answer.status == 200 or is_unavailable(answer)
    assert private_stack.service("start").returncode == 0
    works_again(private_stack, user)
    assert data(private_stack.poll(user, after=0)) == ["works"]


def test_batch_while_redis_is_away(private_stack, users):
    """while Redis is away a batch is 503, and so is each recipient"""
    names = users(3)
    private_stack.end("redis")
    answer = private_stack.push(names, "lost")
    assert answer.status == 503
    assert int(answer.header("Retry-After")) >= 0
    for result in answer.json.get("results", []):
        assert result["error"]["code"] == "store_unavailable" and result["error"]["terminal"] is False


def test_outage_is_no_busy_loop(private_stack, users):
    """while Redis is away polls stay parked, and the programs burn no processor time"""
    polls = [private_stack.park(name, after=0) for name in users(50)]
    private_stack.end("redis")

    def used():
        return sum(sum(map(int, open(f"/proc/{private_stack.pid(part)}/stat").read().rpartition(")")[2].split()[11:13])) for part in private_stack.programs)

    ticks = used()
    assert polls[0].stays(1.5)
    assert used() - ticks < 50, "in hundredths of a second"
    assert all(poll.waits() for poll in polls)
    for poll in polls:
        poll.leave()


def test_connections_cut(private_stack, users):
    """polls whose Redis connections are cut stay parked and get the next message"""
    names = users(20)
    polls = [private_stack.park(name, after=0) for name in names]
    private_stack.redis.client_kill_filter(_type="normal", skipme=True)
    assert all(poll.waits() for poll in polls)
    for name in names:
        eventually(lambda: is_accepted(private_stack.push(name, "hello")), "the push is accepted")
    assert [data(poll.answer()) for poll in polls] == [["hello"]] * 20


def test_connections_cut_again_and_again(private_stack, user):
    """nothing is lost or doubled while Redis connections are cut between and during polls"""
    cursor, got = 0, []
    connection = private_stack.redis
    for round in range(30):
        parked = private_stack.send_poll(user, after=cursor)
        connection.client_kill_filter(_type="normal", skipme=True)
        eventually(lambda: is_accepted(private_stack.push(user, str(round))), "the push is accepted")
        answer = parked.connection.receive()
        if answer.status == 200:
            got += data(answer.json)
            cursor = answer.json["cursor"]
        else:
            assert is_unavailable(answer)
        parked.leave()
    eventually(lambda: private_stack.get("/poll", user=user, after=cursor, timeout=0).status == 200, "polls are answered")
    got += data(private_stack.look(user, after=cursor))
    # A push that was cut may have been taken without an answer; then it was sent again.
    assert sorted(set(got), key=int) == [str(number) for number in range(30)]
    assert got == sorted(got, key=int)


def test_scripts_forgotten(stack, user):
    """a Redis that has forgotten the scripts is given them again"""
    stack.pushed(user, "one")
    stack.redis.script_flush()
    assert is_accepted(stack.push(user, "two"))
    stack.redis.script_flush()
    assert data(stack.look(user, after=0)) == ["one", "two"]
    stack.redis.script_flush()
    assert stack.mailbox(user)["queued"] == 2
    parked = stack.park(user, client="other", after=stack.look(user, after=0)["cursor"])
    stack.redis.script_flush()
    stack.pushed(user, "three")
    assert data(parked.answer()) == ["three"]


def test_emptied(private_stack, user):
    """when Redis is emptied a parked poll gets the new mailbox's first message, as a reset"""
    old = private_stack.pushed(user, "old")
    parked = private_stack.park(user, after=old)
    private_stack.redis.flushall()
    new = private_stack.pushed(user, "new")
    assert epoch(new) > epoch(old)
    answer = parked.answer()
    assert data(answer) == ["new"] and answer["reset"] is True


def test_kept_over_restart(private_stack, user):
    """messages, cursors and ids outlive a stop and a start of everything"""
    pushed = [private_stack.pushed(user, text) for text in ("one", "two")]
    assert data(private_stack.look(user, client="script", limit=1)) == ["one"]
    for verb in ("stop", "start"):
        assert private_stack.service(verb).returncode == 0
    answer = private_stack.look(user, after=pushed[0])
    assert data(answer) == ["two"] and answer["missed"] == 0 and answer["reset"] is False
    assert data(private_stack.look(user, client="script")) == ["two"]


def test_file_lacks_the_last(private_stack, user):
    """if Redis comes back without a message that was delivered, the client that had it gets the next one once and without a reset"""
    first = private_stack.pushed(user, "first")
    [file] = (private_stack.dir / "redis" / "appendonlydir").glob("*.incr.aof")
    eventually(lambda: b'"first"' in file.read_bytes(), "it is in the file")
    kept = file.stat().st_size
    parked = [private_stack.park(user, beside=number, client=name, after=first) for number, name in enumerate(["tab", "phone"])]
    lost = private_stack.pushed(user, "lost")
    assert [poll.answer()["cursor"] for poll in parked] == [lost] * 2
    parked = private_stack.park(user, client="tab", after=lost)
    private_stack.end("redis", signal.SIGKILL)
    os.truncate(file, kept)
    assert private_stack.service("start").returncode == 0
    accepted = eventually(lambda: is_accepted(answer := private_stack.push(user, "kept")) and answer.json["id"], "the push is accepted")
    assert seq(accepted) == seq(lost), "else it would show nothing"
    assert epoch(accepted) > epoch(lost)
    for answer in parked.answer(), private_stack.poll(user, client="phone", after=lost):
        assert data(answer) == ["kept"]
        assert (answer["cursor"], answer["missed"], answer["reset"]) == (accepted, 0, False)


def test_hung(private_stack, user):
    """while Redis hangs a push is 503 store_unavailable in bounded time, and when it wakes everything works on"""
    parked = private_stack.park(user, after=0)
    private_stack.kill("redis", signal.SIGSTOP)
    try:
        assert is_unavailable(private_stack.push(user + "x", "lost"))
        assert is_unavailable(private_stack.get("/mailbox", user=user))
    finally:
        private_stack.kill("redis", signal.SIGCONT)
    works_again(private_stack, user)
    assert "works" in data(parked.answer())


def test_full(private_stack, user):
    """while Redis is out of memory a push is 503 store_unavailable, and messages that are kept can be read"""
    private_stack.pushed(user, "kept")
    private_stack.redis.config_set("maxmemory", "1")
    assert is_unavailable(private_stack.push(user, "lost"))
    private_stack.redis.config_set("maxmemory", "0")
    assert is_accepted(private_stack.push(user, "more"))
    assert data(private_stack.look(user, after=0)) == ["kept", "more"]


def test_failover(private_stack, user):
    """while Redis is a replica a push is 503 store_unavailable; polls stay parked and get the next message"""
    parked = private_stack.park(user, after=0)
    private_stack.redis.replicaof("127.0.0.1", "1")
    assert is_unavailable(private_stack.push(user, "lost"))
    assert parked.waits()
    private_stack.redis.replicaof("NO", "ONE")
    works_again(private_stack, user)
    assert data(parked.answer()) == ["works"]
