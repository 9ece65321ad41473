# SPDX-License-Identifier: MIT
"""Two poll programs behind one nginx, as letterbox-upstream.conf has it, and without any routing: if either is killed, no client waits."""

import signal
import time

import pytest

from expect import data, seq
from keys import key
from stack import Program
from streams import stand
from waits import SOON, eventually
from web import target


class TwoPolls:
    """A stack whose nginx has two poll programs, both the test's own."""

    def __init__(self, stack, hashed, **settings):
        self.stack = stack
        self.settings = settings
        self.programs = [self.program(1), self.program(2)]
        conf = "letterbox-upstream.conf"
        stack.change_nginx(conf, r"    server unix:run/poll\.sock;\n", "")
        for line in (r"#hash \$letterbox_user consistent", r"#server unix:run/poll-1\.sock", r"#server unix:run/poll-2\.sock"):
            if hashed or "hash" not in line:
                stack.change_nginx(conf, line, line.replace("\\", "").lstrip("#"))
        stack.change_nginx("nginx.conf", "worker_processes auto", "worker_processes 1")  # so that turns are taken strictly
        stack.kill("nginx", signal.SIGHUP)
        eventually(lambda: len(stack.nginx_workers()) == 1, "nginx has one worker")

    def program(self, number):
        path = self.stack.dir / "run" / f"poll-{number}.sock"
        return Program("poll", "--listen", path, "--redis", self.stack.redis_address, "--open", settings=self.settings).listens(path)

    def end(self):
        for program in self.programs:
            assert program.end() == 0

    def watchers(self, user):
        """The programs that watch a mailbox (KEYS.md, base)."""
        return set(self.stack.redis.get(key("base", user)).decode().split()[3::2])

    def kill(self, number):
        self.programs[number - 1].end(signal.SIGKILL)

    def start_again(self, number):
        self.programs[number - 1] = self.program(number)


@pytest.fixture
def hashed(private_stack):
    """Routed by the user."""
    polls = TwoPolls(private_stack, hashed=True)
    yield polls
    polls.end()


@pytest.fixture
def unrouted(private_stack):
    """The two programs in turns."""
    polls = TwoPolls(private_stack, hashed=False)
    yield polls
    polls.end()


def in_a_second(stack, user, text, polls):
    """Pushes, and checks that every poll is answered with just that, soon."""
    before = time.monotonic()
    stack.pushed(user, text)
    answers = [poll.answer() for poll in polls]
    assert time.monotonic() - before < SOON
    assert [data(answer) for answer in answers] == [[text]] * len(polls)
    return answers


def test_hashed(hashed, private_stack, users):
    """with hash all polls of a user meet in one of two programs, and users are spread over both"""
    names = users(40)
    polls = {name: [private_stack.send_poll(name, client=client, after=0) for client in ("laptop", "phone", "tablet")] for name in names}
    for name in names:
        private_stack.has_polls(name, 3)
    watchers = [hashed.watchers(name) for name in names]
    assert all(len(each) == 1 for each in watchers) and len(set.union(*watchers)) == 2
    for name in names:
        in_a_second(private_stack, name, "hello", polls[name])


@pytest.mark.parametrize("number", [1, 2])
def test_hashed_and_killed(hashed, private_stack, users, number):
    """with hash, polls parked in a program that is killed go on in the other: each gets its message, and no client notices"""
    names = users(40)
    polls = {name: [private_stack.send_poll(name, client=client, after=0) for client in ("laptop", "phone")] for name in names}
    for name in names:
        private_stack.has_polls(name, 2)
    hashed.kill(number)
    for name in names:
        in_a_second(private_stack, name, "hello", polls[name])
    hashed.start_again(number)
    for name in names:
        polls = [private_stack.send_poll(name, client=client, after=private_stack.look(name, client=client, after=0)["cursor"]) for client in ("laptop", "phone")]
        in_a_second(private_stack, name, "again", polls)


def test_unrouted(unrouted, private_stack, users):
    """without any routing, one user's two clients poll at both programs: each gets each message, once and in order, if either is killed"""
    for user in users(5):
        cursors = {"laptop": "0", "phone": "0"}
        for round in range(6):
            polls = [private_stack.park(user, beside=beside, client=client, after=cursor) for beside, (client, cursor) in enumerate(cursors.items())]
            assert round or len(unrouted.watchers(user)) == 2, "they wait in both"
            killed = round % 3
            if killed:
                unrouted.kill(killed)
            answers = in_a_second(private_stack, user, f"{round}", polls)
            cursors = dict(zip(cursors, [answer["cursor"] for answer in answers]))
            if killed:
                unrouted.start_again(killed)
        for client, cursor in cursors.items():
            assert seq(cursor) == 6 and data(private_stack.look(user, client=client, after=cursor)) == []


def test_streams_of_two_programs(unrouted, private_stack, user):
    """without any routing, one user's streams at both programs each get each message; an acknowledgement to the other program counts"""
    streams = [stand(private_stack, user, beside=beside, client=f"client{beside}") for beside in range(2)]
    assert len(unrouted.watchers(user)) == 2, "they are in both"
    ids = [private_stack.pushed(user, str(i)) for i in range(20)]
    assert [stream.messages(20) for stream in streams] == [[str(i) for i in range(20)]] * 2
    for i in range(2):
        answer = private_stack.request("POST", target("/ack", user=user, client="client0", after=ids[9 + i]))
        assert answer.json == {"acknowledged": ids[9 + i]}
    eventually(lambda: {one["client"]: one["cursor"] for one in private_stack.mailbox(user)["clients"]}["client0"] == ids[10], "it counts")
    private_stack.pushed(user, "more")
    assert [stream.messages(1) for stream in streams] == [["more"]] * 2
    for stream in streams:
        stream.close()
