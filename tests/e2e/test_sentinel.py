# SPDX-License-Identifier: MIT
"""Redis under Sentinel: the master dies, or is replaced; polls stay parked, and no accepted push is lost."""

import itertools
import signal
import socket
import threading
import time
from collections import defaultdict

import pytest

from expect import data, epoch, is_accepted, is_error, seq
from redis_group import Announcement, Group
from stack import Program
from streams import stand
from waits import SOON, eventually
from web import DEADLINE


@pytest.fixture
def new_group():
    """Makes groups of Redis servers under sentinels, of given settings."""
    made = []

    def make(**settings):
        made.append(Group(**settings))
        return made[-1].start()

    yield make
    for group in made:
        group.stop()


@pytest.fixture
def clients():
    """Begins threads that talk to a stack, and ends them before it goes, however the test does."""
    begun = []

    def begin(kind, *arguments):
        begun.append(kind(*arguments))
        return begun[-1]

    yield begin
    for thread in begun:
        thread.ended.set()
    for thread in begun:
        thread.join(DEADLINE)


@pytest.fixture
def stack_on(new_stack):
    """Makes stacks whose programs find Redis by the sentinels of a group."""
    def make(group, apart=0, **settings):
        stack = new_stack(apart=apart)
        for part in stack.programs:
            stack.replace(part, "--workers", 2, "--redis", group.address, open=1, **settings)
        # Whoever comes while they are still looking for the master waits till it is found.
        assert is_accepted(stack.push("nobody", "begin"))
        assert data(stack.look("nobody", after=0)) == ["begin"]
        return stack

    return make


class Pusher(threading.Thread):
    """Pushes numbers to users in turn until it is told to end, each once, and knows what became of them."""

    def __init__(self, stack, users):
        super().__init__(daemon=True)
        self.stack, self.users = stack, users
        self.answers = []  # (when, status)
        self.accepted = defaultdict(list)
        self.ended = threading.Event()
        self.pushing = threading.Lock()  # who holds it stops the pushes
        self.start()

    def run(self):
        for number in itertools.count(1):
            if self.ended.is_set():
                return
            user = self.users[number % len(self.users)]
            with self.pushing:
                status = self.stack.push(user, str(number)).status
            self.answers.append((time.monotonic(), status))
            if status in (201, 202):
                self.accepted[user].append(str(number))

    def accepted_after(self, moment):
        """The time of the first push that was accepted after that moment, if there is one."""
        return next((when for when, status in self.answers if when > moment and status in (201, 202)), None)

    def refused_last(self):
        """The time of the last push that was refused, when many were accepted since, by whichever worker."""
        latest = self.answers[-50:]
        assert all(status != 503 for _, status in latest)
        return next((when for when, status in reversed(self.answers) if status == 503), latest[0][0])

    def end(self):
        self.ended.set()
        self.join(DEADLINE)
        assert not self.is_alive()
        assert {status for _, status in self.answers} <= {201, 202, 503}


class Reader(threading.Thread):
    """A client that polls by its cursor until it is told to end, and keeps what it gets."""

    def __init__(self, stack, user):
        super().__init__(daemon=True)
        self.stack, self.user = stack, user
        self.got = []
        self.when = []
        self.statuses = set()
        self.ended = threading.Event()
        self.start()

    def run(self):
        cursor = "0"
        while not self.ended.is_set():
            answer = self.stack.get("/poll", user=self.user, after=cursor, timeout=1)
            self.statuses.add(answer.status)
            if answer.status != 200:
                self.ended.wait(0.05)
                continue
            cursor = answer.json["cursor"]
            # After a reset comes all that is kept, also what it has.
            known = self.got if answer.json["reset"] else []
            new = [text for text in data(answer.json) if text not in known]
            self.got += new
            self.when += [time.monotonic()] * len(new)

    def end(self):
        self.ended.set()
        self.join(DEADLINE)
        assert not self.is_alive()
        assert self.statuses <= {200, 503}


def agree(pusher, readers):
    """Every accepted push was got once and in order. (One that was refused may have come too: nobody knew.)"""
    for reader in readers:
        accepted = pusher.accepted[reader.user]
        eventually(lambda: set(accepted) <= set(reader.got), f"{reader.user} has got what was accepted")
        reader.end()
        numbers = [int(text) for text in reader.got]
        assert numbers == sorted(set(numbers)), reader.user
    assert any(pusher.accepted.values())


def recovery(pusher, readers, announced):
    """Seconds from the announcement of a new master till each push was accepted, and till a message was delivered."""
    push = eventually(pusher.refused_last, "all pushes are accepted") - announced
    poll = eventually(lambda: next((when for reader in readers for when in list(reader.when) if when > announced), None),
                      "a message is delivered") - announced
    print(f"after the new master was announced: each push accepted in {push:.2f} s, delivered in {poll:.2f} s")
    return push, poll


@pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])
def test_master_dies(new_group, stack_on, clients, users, apart):
    """when the master dies polls and streams stay, and every accepted push is got once and in order; pushes and polls are back at once"""
    group = new_group()
    stack = stack_on(group, apart)
    names, quiet, streaming = users(6), users(20), users(5)
    parked = [stack.park(name, after=0) for name in quiet]
    streams = [stand(stack, name) for name in streaming]
    readers = [clients(Reader, stack, name) for name in names]
    pusher = clients(Pusher, stack, names)
    eventually(lambda: all(reader.got for reader in readers), "all is under way")

    announcement = Announcement(group)
    with pusher.pushing:
        # What a master has taken and no replica has yet dies with it, where nobody asks for
        # --redis-replicas. Here one has all.
        master = announcement.old.client
        master.set("everything before this", "is copied")
        eventually(lambda: master.execute_command("WAIT", 1, 1000) >= 1, "a replica has all")
        announcement.start()
        announcement.old.kill()
    announcement.join()
    assert max(recovery(pusher, readers, announcement.at)) < 2 * SOON
    assert all(poll.waits() for poll in parked)

    # The old master comes back, as a master, and is made a replica: nobody is led to it.
    rejoined = time.monotonic()
    old, new = announcement.old.start(), announcement.new
    eventually(lambda: old.replicates(new), "the old master is a replica", deadline=60)
    joined = time.monotonic()
    eventually(lambda: pusher.accepted_after(joined), "pushes go on")
    pusher.end()
    assert {status for when, status in pusher.answers if when > rejoined} <= {201, 202}
    agree(pusher, readers)
    assert all(poll.waits() for poll in parked)
    for name in quiet:
        stack.pushed(name, "hello")
    assert [data(poll.answer()) for poll in parked] == [["hello"]] * len(quiet)
    for name in streaming:
        stack.pushed(name, "hello")
    assert [stream.messages(1) for stream in streams] == [["hello"]] * len(streaming)


def test_what_dies_with_its_master(new_group, stack_on, user):
    """where a message that was delivered dies with its master, whatever the new one accepts is got by who had it, once and without a reset"""
    group = new_group()
    stack = stack_on(group)
    master, replica = group.servers
    first = stack.pushed(user, "first")
    master.client.set("everything before this", "is copied")  # WAIT is about what its own connection has written
    assert master.client.execute_command("WAIT", 1, int(DEADLINE * 1000)) == 1
    parked = [stack.park(user, beside=number, client=name, after=first) for number, name in enumerate(["tab", "phone"])]
    replica.send(signal.SIGSTOP)
    master.lose_replicas()
    lost = stack.pushed(user, "lost")
    assert [poll.answer()["cursor"] for poll in parked] == [lost] * 2
    parked = stack.park(user, client="tab", after=lost)

    announcement = Announcement(group)
    announcement.start()
    master.kill()
    replica.send(signal.SIGCONT)
    announcement.join()
    assert announcement.new is replica
    accepted = eventually(lambda: is_accepted(answer := stack.push(user, "kept")) and answer.json["id"], "the push is accepted")
    assert seq(accepted) == seq(lost), "else it would show nothing"
    assert epoch(accepted) > epoch(lost)

    def served():  # by a worker that has found the new master: each finds it by itself
        answer = stack.get("/poll", user=user, client="phone", after=lost)
        return answer.status == 200 and answer.json

    for answer in parked.answer(), eventually(served, "the other client's poll is answered"):
        assert data(answer) == ["kept"]
        assert (answer["cursor"], answer["missed"], answer["reset"]) == (accepted, 0, False)


def test_master_replaced(new_group, stack_on, clients, users):
    """when a replica is made master in the middle of pushes that it must confirm, each accepted push is got once and in order"""
    group = new_group(min_replicas_to_write=1)
    stack = stack_on(group, redis_replicas=1)
    names = users(6)
    readers = [clients(Reader, stack, name) for name in names]
    pusher = clients(Pusher, stack, names)
    eventually(lambda: all(reader.got for reader in readers), "all is under way")

    announcement = Announcement(group)
    announcement.start()
    group.fail_over()
    announcement.join()
    eventually(lambda: announcement.old.replicates(announcement.new), "the old master is a replica", deadline=60)
    joined = time.monotonic()
    eventually(lambda: pusher.accepted_after(joined), "a push is accepted by the new master and its replica")
    pusher.end()
    agree(pusher, readers)


def test_old_master_is_left(new_group, stack_on, users):
    """a master that was replaced in good health is left before it knows of it, and parked polls wait on the new one"""
    group = new_group(quick=False)
    stack = stack_on(group)
    names = users(20)
    parked = [stack.park(name, after=0) for name in names]
    announcement = Announcement(group)
    old = announcement.old
    assert any(name.startswith("letterbox") for name in old.names_of_clients())
    announcement.start()
    group.fail_over()
    announcement.join()
    eventually(lambda: not any(name.startswith("letterbox") for name in old.names_of_clients()), "nobody is at the old master", deadline=4)
    print(f"the old master was left {time.monotonic() - announcement.at:.2f} s after the new one was announced")
    assert old.client.role()[0] == "master"
    assert all(poll.waits() for poll in parked)
    for name in names:
        eventually(lambda: is_accepted(stack.push(name, "hello")), "the push is accepted")
    assert [data(poll.answer()) for poll in parked] == [["hello"]] * len(names)


class Impostor(threading.Thread):
    """Takes the connections that are made to a dead server's port, hangs up, and counts those of Letterbox."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", port))
        self.attempts = 0
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE)
                try:
                    self.attempts += b"letterbox" in connection.recv(4096)
                except OSError:
                    pass

    def end(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.join(DEADLINE)


def test_no_master(new_group, stack_on, users):
    """while there is no master the programs burn no processor time, try now and then, and keep polls parked; with it all goes on"""
    group = new_group()
    stack = stack_on(group, apart=1)
    names = users(50)
    parked = [stack.park(name, after=0) for name in names]
    master, replica = group.servers
    replica.kill()
    master.kill()
    impostor = Impostor(master.port)
    eventually(lambda: impostor.attempts, "it is tried")

    def used():
        return sum(sum(map(int, open(f"/proc/{stack.pid(part)}/stat").read().rpartition(")")[2].split()[11:13])) for part in stack.programs)

    ticks, attempts, begin = used(), impostor.attempts, time.monotonic()
    assert parked[0].stays(3)
    ticks, attempts, took = used() - ticks, impostor.attempts - attempts, time.monotonic() - begin
    print(f"in {took:.1f} s without a master: {ticks / 100:.2f} s of processor time, {attempts} attempts by 4 workers")
    assert ticks < 15 * took, "in hundredths of a second"
    assert attempts <= 13 * took
    eventually(lambda: impostor.attempts >= attempts + 4, "it is tried on")
    assert is_error(stack.push(names[0], "lost"), 503, "store_unavailable")
    impostor.end()
    master.start()
    for name in names:
        eventually(lambda: is_accepted(stack.push(name, "hello")), "the push is accepted")
    assert [data(poll.answer()) for poll in parked] == [["hello"]] * len(names)


def test_sentinels_die(new_group, stack_on, user):
    """without any sentinel a master that was found goes on serving, and one sentinel is enough to find it"""
    group = new_group()
    stack = stack_on(group)
    one, *others = group.sentinels
    for sentinel in others:
        sentinel.kill()
    parked = stack.park(user, after=0)
    master = group.servers[0].client

    def workers():
        return sum(client["name"] == "letterbox" for client in master.client_list())

    before = workers()
    assert before >= 2
    master.client_kill_filter(_type="normal", skipme=True)
    eventually(lambda: workers() == before, "each worker has found the master")
    eventually(lambda: is_accepted(stack.push(user, "one")), "the push is accepted")
    answer = parked.answer()
    assert data(answer) == ["one"]
    one.kill()
    parked = stack.park(user, after=answer["cursor"])
    assert parked.stays(1.5)
    assert is_accepted(stack.push(user, "none"))
    assert data(parked.answer()) == ["none"]


def test_replicas_confirm(new_group, stack_on, users):
    """a push that too few replicas have is 503 store_unavailable in bounded time, and accepted again when they have it"""
    group = new_group()
    stack = stack_on(group, redis_replicas=1)
    names = users(20)
    assert stack.push(names, "all").status == 202
    replica = group.servers[1]
    replica.send(signal.SIGSTOP)
    begin = time.monotonic()
    refused = stack.push(names, "not known")
    assert time.monotonic() - begin < SOON, "they are waited for together: one by one it would be ten seconds"
    assert refused.status == 503
    assert {result["error"]["code"] for result in refused.json["results"]} == {"store_unavailable"}
    assert is_error(stack.push(names[0], "not known"), 503, "store_unavailable")
    replica.send(signal.SIGCONT)
    eventually(lambda: is_accepted(stack.push(names[0], "again")), "the push is accepted")


def test_check(new_group):
    """--check finds Redis by its sentinels, and says what is wrong where it can't"""
    group = new_group()

    def check(address):
        program = Program("poll", "--check", "--redis", address)
        return program.wait(DEADLINE), program.said()

    status, said = check(group.address)
    assert status == 0 and group.address in said
    status, said = check(group.address.replace("letters@", "others@"))
    assert status == 1 and "no sentinel knows a master of the name others" in said
    group.sentinels[0].kill()
    status, said = check(group.address)
    assert status == 0, said
    for sentinel in group.sentinels[1:]:
        sentinel.kill()
    status, said = check(group.address)
    assert status == 1 and "no sentinel answers" in said
