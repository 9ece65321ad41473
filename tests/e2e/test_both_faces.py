# SPDX-License-Identifier: MIT
"""One program for both faces, each on a socket of its own: by itself, and together with programs for one face."""

import resource
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

import exposition
import fcgi_peer
from expect import data, is_accepted, is_error
from fcgi_peer import Peer
from stack import Program, new_directory
from waits import SOON, eventually

# What each face answers, and the other does not know.
ROUTES = {"poll": ("/poll", "user=alice&timeout=0"), "push": ("/mailbox", "user=alice")}


def ask(path, where, query=""):
    with Peer(path) as peer:
        return peer.exchange("GET", where, query)


def push(path, user, text):
    with Peer(path) as peer:
        assert is_accepted(peer.exchange("POST", "/push", f"to={user}", text.encode()))


def send_poll(path, user, **query):
    pairs = "".join(f"&{name}={value}" for name, value in query.items())
    return Peer(path).send(fcgi_peer.request("GET", "/poll", f"user={user}{pairs}"))


def parked(path):
    return exposition.read(ask(path, "/metrics").body.decode())["letterbox_polls_parked"].value()


@pytest.fixture
def place():
    """A directory for sockets, whose path is as short as they need it."""
    directory = new_directory()
    yield directory
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


@pytest.fixture
def begin(stack, place):
    """Begins programs on the Redis of a stack, each with a socket for each face that it is to serve."""
    begun = []

    def make(part, *faces, **more):
        paths = {face: place / f"{len(begun)}.{face}" for face in faces}
        options = {"poll": "--listen", "push": "--push-listen" if part == "poll" else "--listen"}
        arguments = [word for face, path in paths.items() for word in (options[face], path)]
        settings = {"open": 1, "workers": 2} | more.pop("settings", {})
        program = Program(part, "--redis", f"unix:{stack.socket('redis')}", *arguments, settings=settings, **more)
        begun.append(program)
        for path in paths.values():
            program.listens(path)
        return program, paths

    yield make
    for program in begun:
        if program.poll() is None:
            assert program.end() == 0


# --- one program

def test_each_face_on_its_socket(begin):
    """one program serves both faces, each on its own socket and nowhere else"""
    _, paths = begin("poll", "poll", "push")
    for face, (where, query) in ROUTES.items():
        other = paths["push" if face == "poll" else "poll"]
        assert ask(paths[face], where, query).status == 200
        assert is_error(ask(other, where, query), 404, "unknown_route")


def test_key_of_the_private_face(begin, place):
    """the key of the private face is asked for there, and a poll needs none"""
    key = place / "key"
    key.write_text("0tUHRt4qk0wWC7W9Ht1sZw\n")
    _, paths = begin("poll", "poll", "push", settings={"key_file": key})
    assert is_error(ask(paths["push"], *ROUTES["push"]), 401, "bad_key")
    with Peer(paths["push"]) as peer:
        assert peer.exchange("GET", *ROUTES["push"], HTTP_AUTHORIZATION="Bearer 0tUHRt4qk0wWC7W9Ht1sZw").status == 200
    assert ask(paths["poll"], *ROUTES["poll"]).status == 200


def test_costs_no_more(begin, stack):
    """one program for both faces has the threads, and the connections to Redis, of a letterbox-poll alone"""
    def names(known=()):
        return {client["id"]: client["name"] for client in stack.redis.client_list() if client["id"] not in known}

    def uses(*faces):
        known = names()
        program, paths = begin("poll", *faces)
        for path in paths.values():
            eventually(lambda: ask(path, "/readyz").status == 200, "it is ready")
        eventually(lambda: Counter(names(known).values()) >= Counter({"letterbox": 2, "letterbox-notices": 1, "letterbox-address": 1}), "it is connected")
        return len(list(Path(f"/proc/{program.pid}/task").iterdir())), Counter(names(known).values())

    assert uses("poll", "push") == uses("poll")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_end(begin, users, number):
    """told to end it answers parked polls and what has reached either face, and has kept connections to both closed"""
    program, paths = begin("poll", "poll", "push")
    name, *names = users(20)
    polls = [send_poll(paths["poll"], user) for user in names]
    kept = [Peer(path) for path in paths.values()]
    for peer, face in zip(kept, paths):
        assert peer.exchange("GET", *ROUTES[face]).status == 200
    eventually(lambda: parked(paths["push"]) == len(names), "all are parked")
    program.send_signal(number)
    assert {poll.receive().json["reason"] for poll in polls} == {"shutdown"}
    assert all(peer.told_to_close() for peer in kept)
    with kept[1] as peer:  # what crosses this is answered
        assert is_accepted(peer.exchange("POST", "/push", f"to={name}", b"late"))
    for peer in polls + kept:
        peer.close()
    assert program.wait(SOON) == 0


def test_killed(private_stack, user):
    """killed by SIGKILL it is started again on both of its sockets, and requests that come meanwhile wait there"""
    stack = private_stack
    for text in ("first", "second"):
        stack.crash("poll")
        push(stack.socket("push"), user, text)
    assert data(stack.look(user, after=0)) == ["first", "second"]


def test_sockets_that_are_handed_over(stack, user):
    """fd:N is a socket that a supervisor has opened, on any descriptor, for each face"""
    sockets = {}
    for face in ("poll", "push"):
        sockets[face] = socket.socket(socket.AF_UNIX)
        sockets[face].bind(f"\0letterbox.{user}.{face}.{time.monotonic_ns()}")
        sockets[face].listen()
    numbers = {face: one.fileno() for face, one in sockets.items()}
    program = Program("poll", "--listen", f"fd:{numbers['poll']}", "--push-listen", f"fd:{numbers['push']}", "--open",
                      "--redis", f"unix:{stack.socket('redis')}", pass_fds=list(numbers.values()))
    for face, one in sockets.items():
        assert ask(one.getsockname().decode(), *ROUTES[face]).status == 200
        one.close()
    assert program.end() == 0


@pytest.mark.parametrize("arguments, why", [
    (["--listen", "fd:{fd}", "--push-listen", "fd:{fd}"], "each face needs a socket of its own"),
    (["--listen", "{path}", "--push-listen", "{path}"], "can't listen on"),
    (["--listen", "{path}", "--push-listen", "fd:0"], "descriptor 0 is no listening socket"),
    (["--listen", "{path}", "--push-listen", "fd:x"], "not the number of a descriptor"),
    (["--check", "--push-listen", "{path}", "--key-file", "/nonexistent/key"], "--key-file"),
    (["--check", "--push-listen", "{path}", "--jwt-key", "/nonexistent/key"], "--jwt-key"),
], ids=["one descriptor", "one path", "no socket", "no number", "check, key", "check, jwt key"])
def test_refused(stack, place, arguments, why):
    """a wrong socket or setting of either face stops the start, and is found by --check"""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(place / "given"))
        one.listen()
        words = [word.format(fd=one.fileno(), path=place / "asked") for word in arguments]
        program = Program("poll", "--redis", f"unix:{stack.socket('redis')}", *words, pass_fds=[one.fileno()])
        assert program.wait(SOON) == 2 and why in program.said(), program.said()


# --- neither face keeps the other out

def few():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))


def test_polls_do_not_keep_pushes_out(begin, users):
    """with as many polls as its descriptors allow, and more in the backlog, pushes are taken at once"""
    _, paths = begin("poll", "poll", "push", settings={"lanes": 10}, preexec_fn=few)
    peers = [send_poll(paths["poll"], name) for name in users(300)]
    eventually(lambda: parked(paths["push"]) > 100, "they wait")
    before = time.monotonic()
    for name in users(20):
        push(paths["push"], name, "hello")
    assert time.monotonic() - before < SOON
    for peer in peers:
        peer.close()


def test_pushes_do_not_keep_polls_out(begin, users):
    """with more connections for pushes than there are descriptors, a crowd's polls are taken at once"""
    _, paths = begin("poll", "poll", "push", settings={"lanes": 10}, preexec_fn=few)
    # Each has sent the beginning of a request, so that none is idle.
    peers = [Peer(paths["push"]).send(fcgi_peer.begin()) for _ in range(300)]
    before = time.monotonic()
    peers += [send_poll(paths["poll"], name) for name in users(80)]
    eventually(lambda: parked(paths["poll"]) == 80, "all are parked")
    assert time.monotonic() - before < 4.5, "after 5 s the program gives up on the others"
    for peer in peers:
        peer.close()


def test_stuck_pushes_do_not_keep_polls_waiting(begin, user):
    """more pushes that got stuck than are read at a time hold up no poll that comes in pieces"""
    _, paths = begin("poll", "poll", "push", settings={"workers": 1})
    half = fcgi_peer.request("POST", "/push", f"to={user}", b"x" * 1000)[:-20]
    stuck = [Peer(paths["push"]).send(half) for _ in range(80)]
    whole = fcgi_peer.request("GET", "/poll", f"user={user}&timeout=0")
    before = time.monotonic()
    with Peer(paths["poll"]) as peer:
        for at in range(0, len(whole), 40):
            peer.send(whole[at:at + 40])
            ask(paths["poll"], "/healthz")  # everything that came so far has been looked at by now
        assert peer.receive().status == 200
    assert time.monotonic() - before < 4.5, "after 5 s the program gives up on the others"
    for peer in stuck:
        peer.close()


# --- together with other programs

def test_beside_programs_for_one_face(begin, users):
    """one program for both faces, a letterbox-push and a letterbox-poll on one Redis: a message pushed to any of them arrives at all"""
    both, private, public = begin("poll", "poll", "push")[1], begin("push", "push")[1], begin("poll", "poll")[1]
    for user in users(5):
        cursors = {}
        for number, pushed_at in enumerate([both["push"], private["push"]] * 3):
            waiting = {name: send_poll(path, user, client=name, after=cursors.get(name, 0))
                       for name, path in (("here", both["poll"]), ("there", public["poll"]))}

            def all_wait():
                box = ask(private["push"], "/mailbox", f"user={user}").json
                assert box["polls"] == 2, box
                return True

            eventually(all_wait, "both wait")
            before = time.monotonic()
            push(pushed_at, user, str(number))
            for name, peer in waiting.items():
                answer = peer.receive().json
                assert data(answer) == [str(number)]
                cursors[name] = answer["cursor"]
                peer.close()
            assert time.monotonic() - before < SOON


def test_the_other_program_is_killed(begin, users):
    """if one of two programs for both faces is killed, the pushes that it accepted and the polls in the other are not lost"""
    for user in users(3):
        (dying, its), (_, others) = begin("poll", "poll", "push"), begin("poll", "poll", "push")
        push(its["push"], user, "first")
        there = send_poll(others["poll"], user, client="there", after=0)
        first = there.receive().json
        assert data(first) == ["first"]
        there = send_poll(others["poll"], user, client="there", after=first["cursor"])
        eventually(lambda: parked(others["push"]) == 1, "it waits")
        push(its["push"], user, "second")
        assert dying.end(signal.SIGKILL) == -signal.SIGKILL
        assert data(there.receive().json) == ["second"]
        push(others["push"], user, "third")
        with send_poll(others["poll"], user, client="late", after=0) as late:
            assert data(late.receive().json)[-2:] == ["second", "third"]
        there.close()
