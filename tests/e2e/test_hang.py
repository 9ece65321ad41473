# SPDX-License-Identifier: MIT
"""A name server or a worker that hangs for ever keeps no program from serving or from ending."""

import time

import pytest

import fcgi_peer
from expect import is_error
from fcgi_peer import Peer
from stack import Program, new_directory
from waits import SOON, eventually

both = pytest.mark.parametrize("part", ["poll", "push"])


@pytest.fixture
def begin(hang_library, monkeypatch, tmp_path):
    """Starts programs that hang as hang.c says; the program and its socket."""
    begun = []
    directory = new_directory()

    def make(part, *arguments):
        path = directory / f"{part}.sock"
        with monkeypatch.context() as patch:
            patch.setenv("LD_PRELOAD", str(hang_library))
            # (AddressSanitizer insists on being the first library, which does not matter here.)
            patch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
            begun.append(Program(part, "--listen", path, *arguments))
        return begun[-1].listens(path), path

    yield make
    for program in begun:
        program.kill()
        program.wait()
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


def ends(program):
    """Tells a program to end; its status, and the seconds it took."""
    before = time.monotonic()
    return program.end(), time.monotonic() - before


@both
@pytest.mark.parametrize("address", ["hangs.test:6379", "sentinel:letters@hangs.test,hangs.test:26380"])
def test_resolver(begin, part, address):
    """while a resolver hangs a program is healthy and not ready, refuses requests that need Redis, and ends within two seconds with 0"""
    program, path = begin(part, "--redis", address, "--redis-timeout", 1, *(["--open"] if part == "poll" else []))
    with Peer(path) as asker:
        assert asker.exchange("GET", "/healthz").status == 200
    with Peer(path) as asker:
        assert is_error(asker.exchange("GET", "/readyz"), 503, "not_ready")
    with Peer(path) as asker:
        asked = ("GET", "/poll", "user=alice&after=0") if part == "poll" else ("GET", "/mailbox", "user=alice")
        assert is_error(asker.exchange(*asked), 503, "store_unavailable")
    status, took = ends(program)
    assert (status, took < 2) == (0, True), took
    assert "hangs.test" in program.said()


def test_check(hang_library, monkeypatch):
    """--check says that the name is not known in time, and ends"""
    monkeypatch.setenv("LD_PRELOAD", str(hang_library))
    monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
    program = Program("push", "--check", "--redis", "hangs.test", "--redis-timeout", 1)
    assert program.wait(10) == 1
    assert "hangs.test" in program.said()


@both
def test_worker(begin, part):
    """a program with a worker that hangs still ends soon, with 1, and says why"""
    program, path = begin(part, "--redis", "127.0.0.1:1", "--workers", 2)
    with Peer(path) as hanging:
        hanging.send(fcgi_peer.request("GET", "/healthz", "hang-this-worker"))
        eventually(lambda: "it hangs" in program.said(), "it hangs")
        status, took = ends(program)
    assert (status, took < SOON) == (1, True), took
    assert "a worker hangs" in program.said()

