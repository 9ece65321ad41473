# SPDX-License-Identifier: MIT
"""Programs that end, are killed, come back or run next to each other: no poll hangs and no message is lost."""

import resource
import signal
import time

import fcgi_peer
import pytest

from expect import data, is_error
from fcgi_peer import Peer
from stack import Program
from waits import eventually


def test_sigterm_with_parked_polls(private_stack, users):
    """SIGTERM to a poll program with 500 parked polls answers all with shutdown, and it exits 0 within 2 s"""
    program = private_stack.replace("poll", "--open", "--workers", 3)
    names = users(500)
    polls = [private_stack.send_poll(name, after=0) for name in names]
    eventually(lambda: sum(private_stack.mailbox(name)["polls"] for name in names[::25] + names[-1:]) == 21, "all are parked")
    before = time.monotonic()
    assert program.end() == 0
    assert time.monotonic() - before < 2
    answers = [poll.answer() for poll in polls]
    assert {answer["reason"] for answer in answers} == {"shutdown"}
    assert all(answer["messages"] == [] and answer["cursor"] == "0" for answer in answers)
    delays = {answer["retry_after_ms"] for answer in answers}
    assert min(delays) > 0 and max(delays) <= 10_000 and len(delays) > 50, "they are told to return at different moments"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_to_idle_programs(either_stack, number):
    """an idle program ends with 0 when told to"""
    for part in either_stack.programs:
        program = either_stack.replace(part, open=1)
        before = time.monotonic()
        assert program.end(number) == 0
        assert time.monotonic() - before < 2


def test_sigterm_finishes_what_is_in_flight(either_stack, users):
    """pushes in flight when their program is told to end are answered, and accepted messages are kept"""
    program = either_stack.replace(either_stack.serving("push"), workers=3, open=1)
    names = users(50)
    connections = [either_stack.connect() for _ in names]
    for name, connection in zip(names, connections):
        connection.request("POST", f"/push?to={name}", body=b"x" * 100_000)
    assert program.end() == 0
    statuses = [connection.receive().status for connection in connections]
    assert set(statuses) <= {202, 502, 503, 504}
    assert either_stack.service("start").returncode == 0
    for name, status in zip(names, statuses):
        kept = either_stack.mailbox(name)["queued"]
        assert kept == 1 if status == 202 else kept <= 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGSTOP], ids=["away", "hung"])
def test_sigterm_without_redis(either_stack, users, how):
    """SIGTERM while Redis is away or hangs answers all parked polls and ends the programs with 0 within 2 s, too"""
    poll, *push = [either_stack.replace(part, open=1) for part in either_stack.programs]
    polls = [either_stack.park(name, after=0) for name in users(20)]
    pusher = either_stack.connect()
    if how == signal.SIGSTOP:
        either_stack.kill("redis", how)
    else:
        either_stack.end("redis", how)
    pusher.request("POST", "/push?to=alice", body=b"lost")
    before = time.monotonic()
    assert poll.end() == 0
    assert time.monotonic() - before < 2
    assert {parked.answer()["reason"] for parked in polls} == {"shutdown"}
    for program in push:
        before = time.monotonic()
        assert program.end() == 0
        assert time.monotonic() - before < 2
    assert pusher.receive().status in (502, 503)


def test_polls_return_after_a_restart(apart_stack, users):
    """messages that were pushed while the poll program was away are in the next poll's answer"""
    names = users(20)
    polls = [apart_stack.park(name, after=0) for name in names]
    apart_stack.end("poll")
    assert {poll.answer()["reason"] for poll in polls} == {"shutdown"}
    for name in names:
        assert apart_stack.push(name, "hello").status in (201, 202)
    assert apart_stack.service("start").returncode == 0
    assert [data(apart_stack.poll(name, after=0)) for name in names] == [["hello"]] * 20


WHERE = {"poll": "/poll?user=alice&timeout=0", "push": "/mailbox?user=alice"}


@pytest.mark.parametrize("part", WHERE)
def test_away(either_stack, part):
    """while a program is away nginx answers in its place, in JSON, that trying again makes sense"""
    stack, killed = either_stack, either_stack.serving(part)
    stack.end(killed, signal.SIGKILL)
    for face, where in WHERE.items():
        answer = stack.request("GET", where)
        if stack.serving(face) == killed:
            assert answer.status in (502, 504)
            assert is_error(answer, answer.status, "away")
        else:
            assert answer.status == 200, "the other one lives"
    assert stack.service("start").returncode == 0
    eventually(lambda: stack.request("GET", WHERE[part]).status == 200, "it is back")


def test_killed_again_and_again(apart_stack, user):
    """a poll program that is killed at any moment loses nothing"""
    cursor, got = 0, []
    for round in range(5):
        parked = apart_stack.park(user, after=cursor)
        apart_stack.push(user, f"{round} a")
        apart_stack.end("poll", signal.SIGKILL)
        apart_stack.push(user, f"{round} b")
        parked.leave()
        assert apart_stack.service("start").returncode == 0
        answer = apart_stack.poll(user, after=cursor)
        got += data(answer)
        cursor = answer["cursor"]
    assert got == [f"{round} {part}" for round in range(5) for part in "ab"]


def test_killed_push_program(either_stack, user):
    """a program that is killed under load has kept every push that it accepted"""
    accepted = []
    for round in range(3):
        connections = [either_stack.connect() for _ in range(20)]
        for number, connection in enumerate(connections):
            connection.request("POST", f"/push?to={user}", body=f"{round} {number}".encode())
        either_stack.end("push", signal.SIGKILL)
        accepted += [f"{round} {number}" for number, connection in enumerate(connections) if connection.receive().status == 202]
        assert either_stack.service("start").returncode == 0
    kept = data(either_stack.look(user, after=0))
    assert set(accepted) <= set(kept) and len(kept) == len(set(kept))


@pytest.fixture
def second_poll(private_stack):
    """Another poll program on the same Redis, and the path of its socket."""
    path = private_stack.dir / "run" / "second.sock"
    program = Program("poll", "--listen", path, "--redis", f"unix:{private_stack.socket('redis')}", "--open").listens(path)
    yield path
    assert program.end() == 0


def send(path, user, query=""):
    return Peer(path).send(fcgi_peer.request("GET", "/poll", f"user={user}&{query}"))


def test_two_poll_programs(private_stack, second_poll, user):
    """a message wakes every waiting client of a user, also if they wait in two poll programs"""
    for round in range(10):
        here = private_stack.park(user, client="here")
        there = send(second_poll, user, "client=there")
        private_stack.has_polls(user, 2)
        private_stack.pushed(user, str(round))
        assert data(here.answer()) == [str(round)]
        assert data(there.receive().json) == [str(round)]
        there.close()


def test_moving_to_another_program(private_stack, second_poll, user):
    """a client that moves to another poll program, leaving a poll behind, gets every message once"""
    cursor, got, left = 0, [], []
    for round in range(10):
        left.append(private_stack.send_poll(user, after=cursor))
        there = send(second_poll, user, f"after={cursor}")
        private_stack.pushed(user, str(round))
        answer = there.receive().json
        if answer["reason"] == "superseded":  # the two came in the other order
            answer = left[-1].answer()
        got += data(answer)
        cursor = answer["cursor"]
        there.close()
    assert got == [str(round) for round in range(10)]
    for poll in left:
        poll.leave()


def test_other_program_killed(private_stack, users):
    """a poll program that dies loses no other program's messages"""
    path = private_stack.dir / "run" / "second.sock"
    for user in users(3):
        program = Program("poll", "--listen", path, "--redis", f"unix:{private_stack.socket('redis')}", "--open").listens(path)
        there = send(path, user, "client=there")
        here = private_stack.park(user, beside=1, client="here")
        program.end(signal.SIGKILL)
        private_stack.pushed(user, "hello")
        assert data(here.answer()) == ["hello"]
        there.close()
        assert data(private_stack.look(user, client="there")) == ["hello"]


def test_out_of_descriptors(private_stack, users):
    """a poll program that runs out of descriptors survives, and serves again when some are free"""
    name, = users(1)
    path = private_stack.dir / "run" / "small.sock"

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    program = Program("poll", "--listen", path, "--redis", f"unix:{private_stack.socket('redis')}", "--open", "--workers", 1,
                      preexec_fn=few_descriptors).listens(path)
    peers = [send(path, f"{name}.{number}") for number in range(150)]
    assert program.poll() is None
    for peer in peers:
        peer.close()
    assert private_stack.push(name, "hello").status == 202
    with send(path, name, "after=0") as peer:
        assert data(peer.receive().json) == ["hello"]
    assert program.end() == 0


def test_overloaded_or_served(private_stack, users):
    """every poll sent to a program out of descriptors is answered or waits, and none is dropped without a word"""
    names = users(100)
    path = private_stack.dir / "run" / "small.sock"

    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    program = Program("poll", "--listen", path, "--redis", f"unix:{private_stack.socket('redis')}", "--open", "--workers", 1,
                      preexec_fn=few_descriptors).listens(path)
    peers = [send(path, name, "timeout=2") for name in names]
    for peer in peers:
        answer = peer.receive(deadline=30)
        assert answer.status == 200 or is_error(answer, 503, "overloaded") or is_error(answer, 503, "store_unavailable")
        peer.close()
    assert program.end() == 0
