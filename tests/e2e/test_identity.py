# SPDX-License-Identifier: MIT
"""Whose mailbox a poll reads: that of the user whom nginx names, else (if the server is open) whom the client names, else none."""

import pytest

from expect import data, is_error
from stack import Stack


def name_users_by_session(stack):
    """Has the stack's nginx set MAILBOX_USER from a session cookie, as a site's own nginx would."""
    stack.change_nginx("nginx.conf", r"(?m)^http \{$", """http {
    map $cookie_session $session_user {
        default "";
        s-alice alice;
        s-bob   bob;
        s-bad   "no spaces";
    }
""")
    stack.change_nginx("pass-public.conf", r"(?m)^# Who is polling\. .*$", "fastcgi_param MAILBOX_USER $session_user;")
    stack.reload_nginx()
    return stack


def session(name):
    return [("Cookie", f"colour=blue; session={name}; size=5")]


@pytest.fixture(scope="module")
def closed_stack():
    """A stack that is not open, and whose nginx names users."""
    stack = Stack(shared=True, open=0).start()
    name_users_by_session(stack)
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def open_stack():
    """A stack that is open, though its nginx names users."""
    stack = Stack(shared=True).start()
    name_users_by_session(stack)
    yield stack
    stack.stop()


def test_mailbox_user(closed_stack):
    """MAILBOX_USER, which nginx sets, says whose mailbox it is"""
    closed_stack.request("DELETE", "/mailbox?user=alice")
    closed_stack.pushed("alice", "for alice")
    answer = closed_stack.get("/poll", session("s-alice"), timeout=0)
    assert data(answer.json) == ["for alice"]


@pytest.mark.parametrize("which", ["closed_stack", "open_stack"])
def test_mailbox_user_wins(request, which, user):
    """MAILBOX_USER wins over user= in the query, on an open server, too"""
    stack = request.getfixturevalue(which)
    stack.pushed(user, "for another")
    stack.pushed("bob", user)
    answer = stack.get("/poll", session("s-bob"), user=user, timeout=0)
    assert data(answer.json) == [user]
    assert stack.mailbox(user)["queued"] == 1 and stack.mailbox(user)["clients"] == []


def test_mailbox_user_wins_over_a_bad_one(open_stack):
    """if MAILBOX_USER is given, user= is not even looked at"""
    assert open_stack.get("/poll", session("s-bob"), user="no spaces", timeout=0).status == 200
    assert open_stack.get("/poll", session("s-bob"), user=["a", "b"], timeout=0).status == 200


def test_bad_mailbox_user(closed_stack):
    """a MAILBOX_USER that is no user name is 400 bad_user"""
    assert is_error(closed_stack.get("/poll", session("s-bad"), timeout=0), 400, "bad_user")


def test_closed(closed_stack):
    """a server that is not open takes no user= and answers 401 no_identity"""
    for query in ({}, {"user": "alice"}, {"user": "no spaces"}, {"user": ""}):
        assert is_error(closed_stack.get("/poll", timeout=0, **query), 401, "no_identity")


def test_unknown_session(closed_stack):
    """a client without a session at nginx has no identity: 401 no_identity"""
    assert is_error(closed_stack.get("/poll", session("s-mallory"), timeout=0), 401, "no_identity")


@pytest.mark.parametrize("header", ["MAILBOX_USER", "Mailbox-User", "Mailbox_User", "HTTP_MAILBOX_USER", "X-Mailbox-User", "Remote-User", "REMOTE_USER", "X-Remote-User",
                                    "X-Forwarded-User"])
@pytest.mark.parametrize("which", ["closed_stack", "plain_closed_stack"])
def test_header_forges_nothing(request, which, header):
    """no header of a client becomes MAILBOX_USER"""
    stack = request.getfixturevalue(which)
    assert is_error(stack.get("/poll", [(header, "alice")], timeout=0), 401, "no_identity")


@pytest.fixture(scope="module")
def plain_closed_stack():
    """A stack that is not open, with nginx as it comes."""
    stack = Stack(shared=True, open=0).start()
    yield stack
    stack.stop()


@pytest.mark.parametrize("query", ["MAILBOX_USER=alice", "mailbox_user=alice", "user=alice", "letterbox_token=alice",
                                   "timeout=0%0AMAILBOX_USER=alice", "client=x%00MAILBOX_USER%00alice"])
def test_query_forges_nothing(plain_closed_stack, query):
    """nothing in the query becomes MAILBOX_USER"""
    assert is_error(plain_closed_stack.request("GET", f"/poll?{query}"), 401, "no_identity")


@pytest.mark.parametrize("headers, code", [([("Authorization", "Bearer alice")], "bad_token"), ([("Cookie", "letterbox_token=alice")], "bad_token"),
                                           ([("Authorization", "Basic YWxpY2U6YWxpY2U=")], "no_identity")], ids=["bearer", "cookie", "basic"])
def test_unknown_token(plain_closed_stack, headers, code):
    """a token that was not issued is 401 bad_token; text that is no token counts as nothing"""
    assert is_error(plain_closed_stack.get("/poll", headers, timeout=0), 401, code)


def test_session_forges_nobody_else(closed_stack):
    """a session's user cannot become another by a header, a cookie or the query"""
    closed_stack.request("DELETE", "/mailbox?user=alice")
    closed_stack.pushed("alice", "secret")
    headers = session("s-bob") + [("Mailbox-User", "alice"), ("MAILBOX_USER", "alice")]
    answer = closed_stack.get("/poll", headers, user="alice", MAILBOX_USER="alice", timeout=0, after=0)
    assert "secret" not in data(answer.json)


def test_identity_comes_before_parameters(plain_closed_stack):
    """a client without an identity learns of no other fault of its request"""
    assert is_error(plain_closed_stack.get("/poll", timeout="abc", limit="abc", client="no spaces"), 401, "no_identity")


def test_pushing_needs_no_identity(plain_closed_stack, user):
    """the private face pushes and administrates without an identity"""
    plain_closed_stack.pushed(user, "hello")
    assert plain_closed_stack.mailbox(user)["queued"] == 1
