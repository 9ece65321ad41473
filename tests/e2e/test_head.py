# SPDX-License-Identifier: MIT
"""HEAD, as load balancers and monitors ask."""

import pytest

from expect import is_error
from fcgi_peer import Peer
from web import target

# The paths that may be asked by GET, their programs, and whether the headers stay the same from one answer to the next. (A user
# who was alive goes offline later: so /users is asked for another user.)
ROUTES = [("push", "/healthz", {}), ("push", "/readyz", {}), ("push", "/mailbox", {"user": "nobody"}), ("push", "/users", {"user": "nobody-else"}),
          ("push", "/groups/nobodies", {}), ("push", "/groups", {"prefix": "nobodies"}), ("push", "/scheduled", {"user": "nobody"}), ("push", "/tokens", {"user": "nobody"}), ("poll", "/alive", {"user": "nobody"}),
          ("push", "/mailbox", {}), ("poll", "/alive", {"user": "no name"})]


@pytest.mark.parametrize("program, path, query", ROUTES)
def test_like_get(stack, program, path, query):
    """HEAD has the status and the headers of GET, Content-Length among them, and no body"""
    with stack.connect() as connection:
        head = connection.exchange("HEAD", target(path, **query))
        get = connection.exchange("GET", target(path, **query))  # on the same connection, which a body would spoil
    assert (head.status, head.headers) == (get.status, get.headers) and head.body == b""
    assert int(head.header("Content-Length")) == len(get.body) > 0


@pytest.mark.parametrize("program, path, query", ROUTES)
def test_without_a_body(stack, program, path, query):
    """a program itself sends no body after the headers of HEAD"""
    with Peer(stack.socket(program)) as peer:
        text = target("", **query)[1:]
        head = peer.exchange("HEAD", path, text)
        get = peer.exchange("GET", path, text)
    assert (head.status, head.headers) == (get.status, get.headers) and head.body == b""
    assert int(head.header("Content-Length")) == len(get.body) > 0


@pytest.mark.parametrize("where", ["/metrics", "/metrics/poll", "/healthz/poll", "/readyz/poll"])
def test_watching(stack, where):
    """health, readiness and metrics may be asked by HEAD"""
    head = stack.request("HEAD", where)
    assert head.status == 200 and head.body == b"" and int(head.header("Content-Length")) > 0


def test_poll(stack, user):
    """a poll by HEAD is 405, and takes nothing out of the mailbox"""
    stack.pushed(user, "hello")
    answer = stack.request("HEAD", target("/poll", user=user, timeout=0))
    assert answer.status == 405 and answer.header("Allow") == "GET" and answer.body == b""
    with Peer(stack.socket("poll")) as peer:
        answer = peer.exchange("HEAD", "/poll", "timeout=0", MAILBOX_USER=user)
        assert answer.status == 405 and answer.header("Allow") == "GET" and answer.body == b""
    assert stack.look(user)["count"] == 1


@pytest.mark.parametrize("where, status", [("/push", 405), ("/users/kick", 405), ("/groups/team/alice", 405), ("/push/x", 404), ("/poll/x", 404)])
def test_no_route(stack, where, status):
    """if GET is no route HEAD is none either, and has no body"""
    head = stack.request("HEAD", where)
    assert head.status == status and head.body == b""
    assert is_error(stack.get(where), status, {404: "unknown_route", 405: "wrong_method"}[status])
