# SPDX-License-Identifier: MIT
"""Pages of other sites (CORS): those of named origins may poll, all others get no permission."""

import json

import pytest

from expect import is_accepted, is_error
from stack import Program, Stack
from web import target

SITE = "https://site.example"
OTHER = "http://other.example:8080"
HEADERS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Access-Control-Allow-Methods",
           "Access-Control-Allow-Headers", "Access-Control-Max-Age", "Vary")
PREFLIGHT = [("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "authorization,last-event-id")]


@pytest.fixture(scope="module")
def shared_by_sites():
    stack = Stack(shared=True, origin=f"{SITE},{OTHER}").start()
    yield stack
    stack.stop()


def origin(name):
    return [("Origin", name)]


def allows(answer, name):
    assert answer.header("Access-Control-Allow-Origin") == name, answer
    assert answer.header("Access-Control-Allow-Credentials") == "true", answer
    assert answer.header("Access-Control-Expose-Headers") == "Retry-After", answer
    assert answer.header("Vary") == "Origin", answer
    return True


def allows_nothing(answer):
    assert not any(answer.header(name) for name in HEADERS), answer
    return True


@pytest.mark.parametrize("name", [SITE, OTHER])
def test_named(shared_by_sites, user, name):
    """a page of a named origin may read each answer, errors too"""
    assert allows(shared_by_sites.get("/poll", origin(name), user=user, timeout=0), name)
    answer = shared_by_sites.get("/poll", origin(name), user=user, timeout="abc")
    assert is_error(answer, 400, "bad_timeout") and allows(answer, name)


def test_parked(shared_by_sites, user):
    """a poll that has waited may be read by the page that sent it"""
    parked = shared_by_sites.park(user, headers=origin(SITE), after=0)
    shared_by_sites.pushed(user, "hello")
    answer = parked.connection.receive()
    assert answer.json["count"] == 1 and allows(answer, SITE)
    parked.leave()


@pytest.mark.parametrize("name", ["https://evil.example", "http://site.example", "https://site.example:8443", "https://site.example.evil.example", "https://SITE.example",
                                  "null", "", "*", f"{SITE},{OTHER}", f"{SITE}/", f"{SITE} {OTHER}"])
def test_not_named(shared_by_sites, user, name):
    """any other origin gets no permission, and its preflight is an ordinary wrong method"""
    answer = shared_by_sites.get("/poll", origin(name), user=user, timeout=0)
    assert answer.status == 200 and allows_nothing(answer)
    answer = shared_by_sites.request("OPTIONS", f"/poll?user={user}", origin(name) + PREFLIGHT)
    assert is_error(answer, 405, "wrong_method") and allows_nothing(answer)


@pytest.mark.parametrize("where", ["/poll", "/poll?user=alice", "/alive"])
def test_preflight(shared_by_sites, where):
    """a named origin's preflight is answered by 204, which says which headers its pages may send and that it need not ask again soon"""
    answer = shared_by_sites.request("OPTIONS", where, origin(SITE) + PREFLIGHT)
    assert answer.status == 204 and answer.body == b"" and allows(answer, SITE)
    assert answer.header("Access-Control-Allow-Methods") == "GET, POST"
    assert answer.header("Access-Control-Allow-Headers") == "Authorization, Last-Event-ID"
    assert int(answer.header("Access-Control-Max-Age")) > 0
    assert answer.header("Content-Length") in (None, "0")


def test_preflight_leaves_the_connection_whole(shared_by_sites, user):
    """the same connection serves the request after a preflight"""
    with shared_by_sites.connect() as connection:
        for _ in range(3):
            assert connection.exchange("OPTIONS", "/poll", origin(SITE) + PREFLIGHT).status == 204
            assert connection.exchange("GET", f"/poll?user={user}&timeout=0", origin(SITE)).status == 200


def test_no_identity_by_origin(shared_by_sites):
    """an origin is no identity: a poll still needs one"""
    answer = shared_by_sites.get("/poll", origin(SITE), timeout=0)
    assert is_error(answer, 401, "no_identity") and allows(answer, SITE)


FOREIGN = [[("Origin", "https://evil.example")], [("Origin", SITE)], [("Origin", "null")], [("Sec-Fetch-Site", "cross-site")],
           [("Origin", "http://letterbox.test:8080"), ("Sec-Fetch-Site", "same-site")]]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_private_face(shared_by_sites, user, headers):
    """without a key the private face refuses requests from pages of all other origins, and they have no effect"""
    for method, where in (("POST", f"/push?to={user}"), ("OPTIONS", "/push"), ("GET", f"/mailbox?user={user}"), ("POST", "/users/kick"), ("GET", "/metrics")):
        answer = shared_by_sites.request(method, where, headers, b"hello" if method == "POST" else None)
        assert is_error(answer, 403, "cross_site") and allows_nothing(answer)
    assert shared_by_sites.get("/healthz", headers).status == 200
    assert shared_by_sites.mailbox(user)["queued"] == 0


def test_private_face_of_its_own_pages(shared_by_sites, user):
    """the private face's own pages may push, and so may programs that are no browsers"""
    for headers in ([], [("Origin", "http://letterbox.test")], [("Origin", "http://letterbox.test"), ("Sec-Fetch-Site", "same-origin")],
                    [("Sec-Fetch-Site", "none")]):
        assert is_accepted(shared_by_sites.push(user, "hello", headers))


def test_private_face_with_a_key(new_stack, user, tmp_path):
    """with a key the key alone decides"""
    (tmp_path / "key").write_text("0123456789abcdef\n")
    stack = new_stack(key_file=tmp_path / "key")
    foreign = [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")]
    assert is_error(stack.push(user, "hello", foreign), 401, "bad_key")
    assert is_accepted(stack.push(user, "hello", foreign + [("Authorization", "Bearer 0123456789abcdef")]))


# --- identity by cookie -----------------------------------------------------------------------------------------------------------------------

CROSS = ("Sec-Fetch-Site", "cross-site")


@pytest.mark.parametrize("method, path", [("GET", "/poll"), ("GET", "/alive"), ("POST", "/alive")])
def test_cookie(shared_by_sites, user, method, path):
    """a cookie is no identity for pages of sites that are not named, and their requests leave the mailbox as it is"""
    stack = shared_by_sites
    token = stack.request("POST", "/tokens", body=json.dumps({"user": user}).encode()).json["token"]
    cookie = ("Cookie", f"letterbox_token={token}")
    stack.pushed(user, "hello")

    def ask(*headers, **query):
        return stack.request(method, target(path, client="phone", timeout=0, **query), headers)

    assert ask(cookie).status == 200
    before = stack.mailbox(user)["clients"]
    for more in ([], [("Origin", "https://evil.example")], [("Origin", "null")]):
        answer = ask(cookie, CROSS, *more)
        assert is_error(answer, 403, "cross_site") and allows_nothing(answer)
    assert [(each["client"], each["cursor"]) for each in stack.mailbox(user)["clients"]] == [(each["client"], each["cursor"]) for each in before]
    answer = ask(cookie, CROSS, ("Origin", SITE))
    assert answer.status == 200 and allows(answer, SITE)
    for site in ("same-origin", "same-site", "none"):
        assert ask(cookie, ("Sec-Fetch-Site", site)).status == 200
    # A credential that the page itself must know is believed, wherever the page is from.
    assert ask(("Authorization", f"Bearer {token}"), CROSS).status == 200
    assert ask(CROSS, token=token).status == 200


def test_vouched_by_nginx(new_stack, user):
    """a user whom nginx knows, by a session's cookie or a password, has no identity on pages of sites that are not named"""
    stack = new_stack(open=0, origin=SITE)
    stack.add_nginx("letterbox-poll.conf", f"fastcgi_param MAILBOX_USER {user};")
    stack.reload_nginx()
    assert stack.get("/poll", timeout=0).status == 200
    assert is_error(stack.get("/poll", [CROSS], timeout=0), 403, "cross_site")
    assert is_error(stack.get("/alive", [CROSS]), 403, "cross_site")
    assert stack.get("/poll", [CROSS, ("Origin", SITE)], timeout=0).status == 200


def test_off(stack, user):
    """without --origin no origin is named"""
    for name in (SITE, "null", stack.url):
        assert allows_nothing(stack.get("/poll", origin(name), user=user, timeout=0))
        assert is_error(stack.request("OPTIONS", "/poll", origin(name) + PREFLIGHT), 405, "wrong_method")


@pytest.mark.parametrize("more", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("name", ["*", "null", "site.example", "https://site.example/", "https://*.example", f"{SITE}, {OTHER}"])
def test_bad_origin(name, more):
    """a value that no browser would send as an origin stops the start"""
    program = Program("poll", "--origin", name, *more)
    assert program.wait(15) == 2 and "--origin: " in program.said()


@pytest.mark.parametrize("method,where", [("GET", "/poll?user=a&timeout=0"), ("GET", "/poll"), ("POST", "/poll"), ("GET", "/poll/nowhere"), ("GET", "/metrics"),
                                          ("GET", "/healthz"), ("GET", "/mailbox?user=a"), ("POST", "/push"), ("GET", "/metrics/poll"), ("GET", "/"), ("GET", "/nowhere"),
                                          ("OPTIONS", "/push")])
def test_nosniff(stack, method, where):
    """every answer says nosniff: no browser guesses another type than the declared one"""
    assert stack.request(method, where).header("X-Content-Type-Options") == "nosniff"


def test_nosniff_of_nginx(private_stack):
    """nginx' own answers say nosniff, too"""
    answer = private_stack.push("alice", b"x" * 300_000)
    assert is_error(answer, 413, "too_large") and answer.header("X-Content-Type-Options") == "nosniff"
    private_stack.end("poll")
    answer = private_stack.get("/poll", user="alice")
    assert is_error(answer, 502, "away") and answer.header("X-Content-Type-Options") == "nosniff"
