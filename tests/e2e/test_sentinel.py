# SPDX-License-Identifier: MIT
"""Redis under Sentinel: the master dies, or is replaced; polls stay parked, and no accepted push is lost."""

import json
import signal
import socket
import threading
import time

import pytest

from expect import data, epoch, is_accepted, is_error, seq
from ongoing import Pusher, Reader, agree
from redis_group import Announcement
from stack import Program
from streams import stand
from waits import SOON, eventually
from web import DEADLINE


def recovery(pusher, readers, announced):
    """Seconds from the announcement of a new master until each push was accepted, and until a message was delivered."""
    push = eventually(pusher.refused_last, "all pushes are accepted") - announced
    poll = eventually(lambda: next((when for reader in readers for when in list(reader.when) if when > announced), None),
                      "a message is delivered") - announced
    print(f"after the new master was announced: each push accepted in {push:.2f} s, delivered in {poll:.2f} s")
    return push, poll


@pytest.mark.parametrize("apart", [0, 1], ids=["one program", "two programs"])
def test_master_dies(new_group, stack_on, clients, users, apart):
    """when the master dies polls and streams stay, and every accepted push arrives once and in order; pushes and polls are back at once"""
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
        # Writes that no replica has yet die with their master, without
        # --redis-replicas. Here one replica has all.
        master = announcement.old.client
        master.set("everything before this", "is copied")
        eventually(lambda: master.execute_command("WAIT", 1, 1000) >= 1, "a replica has all")
        announcement.start()
        announcement.old.kill()
    announcement.join()
    assert max(recovery(pusher, readers, announcement.at)) < 2 * SOON
    assert all(poll.waits() for poll in parked)

    # The old master comes back, as a master, and is made a replica: no program is led to it.
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
    """if a delivered message dies with its master, the client that had it gets everything that the new one accepts, once and without a reset"""
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

    def served():  # by a worker that has found the new master: each finds it for itself
        answer = stack.get("/poll", user=user, client="phone", after=lost)
        return answer.status == 200 and answer.json

    for answer in parked.answer(), eventually(served, "the other client's poll is answered"):
        assert data(answer) == ["kept"]
        assert (answer["cursor"], answer["missed"], answer["reset"]) == (accepted, 0, False)


def test_master_replaced(new_group, stack_on, clients, users):
    """when a replica is made master in the middle of pushes that it must confirm, each accepted push arrives once and in order"""
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


def messages(stack, user):
    """The texts in a mailbox, from its oldest message to its newest."""
    texts, after = [], 0
    while True:
        answer = stack.get("/mailbox", user=user, after=after, limit=1000)
        assert answer.status == 200, answer
        page = answer.json["messages"]
        if not page:
            return texts
        texts += [message["data"] for message in page]
        after = page[-1]["id"]


@pytest.mark.parametrize("dies", [True, False], ids=["the master dies", "the master is replaced"])
def test_repeated_pushes(new_group, stack_on, clients, users, dies):
    """if each push is repeated with its key until it is accepted, each message is in its mailboxes once and in order, through a failover"""
    # With min-replicas-to-write a master that is replaced takes no push that the new one lacks. Without it a new master
    # that has no replica yet keeps pushes that are refused: it must know them when they come again.
    group = new_group() if dies else new_group(min_replicas_to_write=1)
    stack = stack_on(group, redis_replicas=1, mailbox_max=100_000)
    names = users(5)
    recipients = {names[0]: names[:1], ",".join(names[1:3]): names[1:3], f"group:team-{names[0]}": names[3:]}
    for name in names[3:]:
        assert stack.request("PUT", f"/groups/team-{names[0]}/{name}").status == 200
    pushers = [clients(Pusher, stack, [to], True) for to in recipients]
    eventually(lambda: all(len(pusher.answers) > 50 for pusher in pushers), "all is under way")

    announcement = Announcement(group)
    announcement.start()
    if dies:
        announcement.old.kill()
    else:
        group.fail_over()
    announcement.join()
    if dies:
        announcement.old.start()
    eventually(lambda: announcement.old.replicates(announcement.new), "the old master is a replica", deadline=60)
    joined = time.monotonic()
    eventually(lambda: all(pusher.accepted_after(joined) for pusher in pushers), "pushes are accepted by the new master and its replica")
    for pusher in pushers:
        pusher.end()
        [(to, accepted)] = pusher.accepted.items()
        print(f"{to}: {len(accepted)} pushes, {len(pusher.answers) - len(accepted)} times refused, {pusher.replays} had been pushed")
        for user in recipients[to]:
            assert eventually(lambda: messages(stack, user), "the worker has found the new master") == accepted, user


def test_repeated_at_the_new_master(new_group, stack_on, user):
    """a push that too few replicas had is refused again until they have it; if its master dies then, the new one knows that it was pushed"""
    group = new_group()
    stack = stack_on(group, redis_replicas=1)
    master, replica = group.servers
    parked = stack.park(user, after=0)

    def push(text="once"):
        return stack.push(user, text, [("Idempotency-Key", f"of {text}")])

    def accepted(text):
        """Its answer, when the replica has it, too, in time."""
        return eventually(lambda: (answer := push(text)).status in (201, 202) and answer, "the push is accepted")

    replica.send(signal.SIGSTOP)
    for _ in range(6):  # by more connections to Redis than the one that has written it
        assert is_error(push(), 503, "store_unavailable")
    replica.send(signal.SIGCONT)
    master.client.set("everything before this", "is copied")
    eventually(lambda: master.client.execute_command("WAIT", 1, 1000) >= 1, "the replica has it")

    announcement = Announcement(group)
    announcement.start()
    master.kill()
    announcement.join()
    master.start()
    eventually(lambda: master.replicates(announcement.new), "the old master is a replica", deadline=60)
    answer = accepted("once")
    assert answer.header("Idempotency-Replayed") == "true"
    assert data(parked.answer()) == ["once"]
    accepted("after")
    look = stack.look(user, after=0)
    assert data(look) == ["once", "after"] and look["messages"][0]["id"] == answer.json["id"]


def test_scheduled(new_group, stack_on, user):
    """what is scheduled comes once and in the order of its times, though the master is replaced meanwhile"""
    group = new_group(min_replicas_to_write=1)
    stack = stack_on(group, redis_replicas=1)
    begin = int(time.time() * 1000) + 1000
    document = json.dumps([{"to": user, "data": n, "at": begin + 20 * n} for n in range(200)])
    assert stack.push_json(document).status == 202
    eventually(lambda: stack.look(user, after=0)["count"] > 10, "some have come")
    announcement = Announcement(group)
    announcement.start()
    group.fail_over()
    announcement.join()

    def all_have_come():
        answer = stack.get("/poll", user=user, after=0, timeout=0, limit=1000)
        return answer.status == 200 and answer.json["count"] >= 200 and answer.json

    assert data(eventually(all_have_come, "all have come", deadline=60)) == list(range(200))
    assert stack.get("/scheduled", user=user).json["scheduled"] == []


def test_old_master_is_left(new_group, stack_on, users):
    """the programs leave a healthy master that was replaced before it knows, and parked polls wait on the new one"""
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
    eventually(lambda: not any(name.startswith("letterbox") for name in old.names_of_clients()), "no program is at the old master", deadline=4)
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
    """while there is no master the programs burn no processor time, try now and then, and keep polls parked; with a master everything works on"""
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
    """--check finds Redis by its sentinels, and says what is wrong if it can't"""
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
