# SPDX-License-Identifier: MIT
"""The logs: each request with its user and status, and nothing with which another client could make the same request."""

import pytest

from expect import is_error
from waits import eventually

SECRET = "s3cret-0123456789abcdef"
BODY = "b0dy-of-a-message"

WAYS = {"header": ([("Authorization", f"Bearer {SECRET}")], ""), "cookie": ([("Cookie", f"letterbox_token={SECRET}")], ""), "query": ([], f"&token={SECRET}"),
        "encoded": ([], "&tok%65n=s3cret%2D0123456789abcdef"), "twice": ([], f"&token={SECRET}&token={SECRET}"), "basic": ([("Authorization", "Basic c29tZWJvZHk6czNjcmV0")], "")}


def logs(stack):
    return {path.name: path.read_text(errors="replace") for path in (stack.dir / "log").iterdir()}


@pytest.mark.parametrize("way", WAYS)
def test_tokens(stack, user, way):
    """no log has a token in it, whichever way it was sent, nor anything else of the query"""
    headers, query = WAYS[way]
    mark = f"{user}.{way}"
    stack.request("GET", f"/poll?timeout=0&client={mark}{query}", [*headers, ("User-Agent", mark)])
    eventually(lambda: any(mark in text for text in logs(stack).values()), "the poll is in the access log")
    for name, text in logs(stack).items():
        for secret in (SECRET, "s3cret", "c29tZWJvZHk6czNjcmV0", f"client={mark}"):
            assert secret not in text, name


def test_bodies(stack, user):
    """no log has the body of a message in it, neither of one that was taken nor of one that was refused"""
    stack.pushed(user, BODY)
    assert is_error(stack.push_json('{"' + BODY, to=user), 400, "bad_json")
    assert is_error(stack.push("no spaces", BODY), 400, "bad_user")
    eventually(lambda: '"POST /push" 400' in logs(stack)["access.log"], "the push is in the access log")
    assert not [name for name, text in logs(stack).items() if BODY in text]


def test_path(stack):
    """a path can't be made to break a line of the log, or to put the query into it"""
    stack.request("GET", f"/poll%0A127.0.0.1%20forged?token={SECRET}", [("User-Agent", 'quote"here')])
    eventually(lambda: "forged" in logs(stack)["access.log"], "the request is in the access log")
    line = next(line for line in logs(stack)["access.log"].splitlines() if "forged" in line)
    assert '"GET /poll\\x0A127.0.0.1 forged' in line and 'quote\\x22here' in line and SECRET not in line
