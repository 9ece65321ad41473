# SPDX-License-Identifier: MIT
"""Who polls, as nginx finds out: by a password (identity-basic.conf) or by asking the site (identity-auth-request.conf). And whoever
tries to be somebody else all the same."""

import base64
import itertools
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from expect import data, is_error
from stack import Stack
from web import request_bytes

USERS = {"alice": "wonder land", "bob": "builder:1", "a.b_c-d@e+f": "x"}
SESSIONS = {"s-alice": "alice", "s-bob": "bob", "s-bad": "no spaces", "s-nobody": ""}


numbers = itertools.count(1)


def basic(user, password):
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


def session(name):
    return [("Cookie", f"colour=blue; session={name}")]


class Site(ThreadingHTTPServer):
    """The site that nginx asks: it knows its sessions, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Whoami)
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Whoami(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        cookies = dict(pair.split("=", 1) for pair in self.headers.get("Cookie", "").split("; ") if "=" in pair)
        name = cookies.get("session", "")
        self.send_response(204 if name in SESSIONS else 403 if name == "s-banned" else 500 if name == "s-broken" else 401)
        if SESSIONS.get(name):
            self.send_header("X-User", SESSIONS[name])
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def basic_stack():
    """nginx asks for a password; the programs are not open."""
    stack = Stack(shared=True, open=0).start()
    passwords = stack.dir / "letterbox-users"
    for user, password in USERS.items():
        digest = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True).stdout
        with open(passwords, "a") as file:
            file.write(f"{user}:{digest}")
    stack.change_nginx("identity-basic.conf", "auth_basic_user_file .*", f"auth_basic_user_file {passwords};")
    stack.add_nginx("letterbox-poll.conf", "include identity-basic.conf;")
    stack.know_addresses()
    stack.reload_nginx()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.end()


def ask_the_site(stack, where):
    stack.change_nginx("whoami.conf", r"http://127\.0\.0\.1:8000/whoami", where)
    stack.know_addresses()
    stack.change_nginx("nginx.conf", r"(?m)^        include letterbox\.conf;$", "        include letterbox.conf;\n        include whoami.conf;")
    stack.add_nginx("letterbox-poll.conf", "include identity-auth-request.conf;")
    stack.reload_nginx()


@pytest.fixture(scope="module")
def asking_stack(site):
    """nginx asks the site; the programs are not open."""
    stack = Stack(shared=True, open=0).start()
    ask_the_site(stack, f"http://127.0.0.1:{site.server_port}/whoami")
    yield stack
    stack.stop()


# Which stack, and how alice and bob show that they are.
KINDS = {"basic": ("basic_stack", basic("alice", USERS["alice"]), basic("bob", USERS["bob"])),
         "auth_request": ("asking_stack", session("s-alice"), session("s-bob"))}


class Kind:
    def __init__(self, stack, alice, bob):
        self.stack, self.alice, self.bob = stack, alice, bob
        for user in ("alice", "bob"):
            stack.request("DELETE", f"/mailbox?user={user}")
            stack.pushed(user, f"for {user}")

    def says(self, where, headers):
        """As a client of its own: one that asks for the same again is answered late."""
        return self.stack.request("GET", f"{where}{'&' if '?' in where else '?'}client=c{next(numbers)}", headers)


@pytest.fixture(params=KINDS)
def kind(request):
    """Each way to find out, with a message for alice and one for bob."""
    which, alice, bob = KINDS[request.param]
    return Kind(request.getfixturevalue(which), alice, bob)


def test_each_gets_his_own(kind):
    """who shows that he is alice gets alice's mail, and bob gets bob's"""
    for who, headers in (("alice", kind.alice), ("bob", kind.bob)):
        assert data(kind.says("/poll?timeout=0&after=0", headers).json) == [f"for {who}"]


def test_parks(kind):
    """a poll that was let in waits, and is answered as its user's message comes"""
    kind.stack.request("DELETE", "/mailbox?user=alice")
    with kind.stack.connect() as connection:
        connection.request("GET", "/poll?timeout=40&after=0", kind.alice)
        kind.stack.has_polls("alice", 1)
        kind.stack.pushed("bob", "not this")
        kind.stack.pushed("alice", "this")
        assert data(connection.receive().json) == ["this"]


def test_nobody(kind):
    """who shows nothing is 401 no_identity, whatever he says to be"""
    for where in ("/poll", "/poll?user=alice", "/poll?MAILBOX_USER=alice&timeout=0"):
        assert is_error(kind.says(where, []), 401, "no_identity")


FORGED = ["MAILBOX_USER", "Mailbox_User", "Mailbox-User", "mailbox-user", "HTTP_MAILBOX_USER", "X-Mailbox-User", "X-User", "X_User", "Remote-User", "REMOTE_USER",
          "X-Remote-User", "X-Forwarded-User", "X-Real-IP", "Letterbox-Session-User", "X-Accel-Redirect", "X-Original-URL"]


@pytest.mark.parametrize("header", FORGED)
def test_forged_header(kind, header):
    """no header makes alice, or anybody, bob"""
    assert data(kind.says("/poll?timeout=0&after=0", kind.alice + [(header, "bob")]).json) == ["for alice"]
    assert data(kind.says("/poll?timeout=0&after=0", [(header, "bob")] + kind.alice + [(header, "bob")]).json) == ["for alice"]
    assert is_error(kind.says("/poll?timeout=0", [(header, "bob")]), 401, "no_identity")


FORGED_QUERIES = ["MAILBOX_USER=bob", "mailbox_user=bob", "MAILBOX%5FUSER=bob", "%4dAILBOX_USER=bob", "user=bob", "us%65r=bob", "user=b%6fb", "user=alice&user=bob",
                  "user=bob&user=bob", "user[]=bob", "USER=bob", "user=bob%00", "user=%00bob", "REMOTE_USER=bob", "remote_user=bob", "x=1%26user=bob", "x=1;user=bob",
                  "x=1%0d%0aMailbox-User:%20bob", "x=%0aMAILBOX_USER%0abob", "PATH_INFO=/mailbox&user=bob", "QUERY_STRING=user=bob", "x=" + "MAILBOX_USERbob" * 100]


@pytest.mark.parametrize("query", FORGED_QUERIES)
def test_forged_query(kind, query):
    """nothing in the query makes alice, or anybody, bob"""
    answer = kind.says(f"/poll?timeout=0&after=0&{query}", kind.alice)
    assert answer.status == 400 or data(answer.json) == ["for alice"], answer
    assert is_error(kind.says(f"/poll?timeout=0&{query}", []), 401, "no_identity")


@pytest.mark.parametrize("where", ["/poll/bob?timeout=0", "/poll%3fuser=bob?timeout=0", "/poll;user=bob?timeout=0", "//poll?timeout=0&user=bob", "/./poll?timeout=0&user=bob",
                                   "/x/../poll?timeout=0&user=bob", "/poll/?timeout=0&user=bob", "/poll%00?timeout=0&user=bob", "/POLL?timeout=0&user=bob",
                                   "http://bob@letterbox.test/poll?timeout=0&user=bob", "/poll%0AMAILBOX_USER=bob?timeout=0"])
def test_forged_path(kind, where):
    """no way of writing the path goes past nginx' question"""
    for headers in (kind.alice, []):
        answer = kind.says(where, headers)
        assert b"for bob" not in answer.body
        assert answer.status != 200 or headers, answer


def test_smuggled_request(kind):
    """a request hidden in another's body, or behind two lengths, is nobody's"""
    hidden = request_bytes("GET", "/poll?timeout=0&user=bob", [("MAILBOX_USER", "bob")])
    for headers in ([("Content-Length", str(len(hidden)))], [("Content-Length", "0"), ("Content-Length", str(len(hidden)))],
                    [("Content-Length", str(len(hidden))), ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "xchunked")]):
        with kind.stack.connect() as connection:
            connection.send(request_bytes("GET", "/poll?timeout=0&after=0", kind.alice + headers) + hidden)
            first = connection.receive()
            assert b"for bob" not in first.body
            if headers == [("Content-Length", str(len(hidden)))]:
                assert data(first.json) == ["for alice"] and connection.quiet()


def test_admin_routes_stay(kind):
    """an identity opens nothing of the private face: that goes by address and key"""
    for where in ("/mailbox?user=bob", "/metrics"):
        assert is_error(kind.says(where, kind.alice + [("X-From", "203.0.113.5")]), 403, "forbidden")


@pytest.mark.parametrize("user,password", [("alice", "builder:1"), ("bob", "builder"), ("bob", "builder:1 "), ("bob", ""), ("", "builder:1"), ("bob\0", "builder:1"),
                                           ("BOB", "builder:1"), ("alice,bob", "builder:1"), ("nobody", "x")])
def test_wrong_password(basic_stack, user, password):
    """a wrong password is 401 no_identity, and the browser is asked for another"""
    answer = basic_stack.get("/poll", basic(user, password), timeout=0)
    assert is_error(answer, 401, "no_identity")
    assert answer.header("WWW-Authenticate") == 'Basic realm="letterbox"'
    assert answer.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("value", ["Basic", "Basic ", "Basic ====", "Basic Ym9i", "Basic Ym9iOg==", "Bearer bob", "bob:builder:1", "Basic " + "A" * 3000])
def test_malformed_password(basic_stack, value):
    """what is no name and password is nobody's"""
    assert is_error(basic_stack.get("/poll", [("Authorization", value)], timeout=0), 401, "no_identity")


def test_two_passwords(basic_stack):
    """of two passwords nobody gets more than one of them opens"""
    answer = basic_stack.get("/poll", basic("alice", USERS["alice"]) + basic("bob", "wrong"), timeout=0, after=0)
    assert answer.status in (400, 401) or "for bob" not in data(answer.json)


def test_every_letter_of_a_name(basic_stack):
    """a user name with each of the characters there may be is one to nginx, too"""
    name = "a.b_c-d@e+f"
    basic_stack.pushed(name, "hello")
    assert data(basic_stack.get("/poll", basic(name, "x"), timeout=0, after=0).json)[-1:] == ["hello"]


@pytest.mark.parametrize("name,status,code", [("s-mallory", 401, "no_identity"), ("s-banned", 403, "forbidden"), ("s-nobody", 401, "no_identity"), ("s-bad", 400, "bad_user"),
                                              ("s-broken", 503, "away")])
def test_what_the_site_says(asking_stack, name, status, code):
    """whom the site does not name gets in nowhere, and is told by an error of the contract"""
    answer = asking_stack.get("/poll", session(name), timeout=0)
    assert is_error(answer, status, code)
    assert answer.header("X-Content-Type-Options") == "nosniff"


def test_what_the_site_is_told(asking_stack, site):
    """the site is asked with the poll's cookies, and learns nothing of its query"""
    site.asked.clear()
    assert asking_stack.get("/poll", session("s-alice"), timeout=0, token="s3cret").status in (200, 401)
    path, headers = site.asked[-1]
    assert path == "/whoami" and "session=s-alice" in headers["Cookie"] and "s3cret" not in str(headers)


@pytest.mark.parametrize("where", ["/letterbox-whoami", "/letterbox-whoami?x", "/%6cetterbox-whoami", "//letterbox-whoami"])
def test_question_is_nginx_own(asking_stack, site, where):
    """nobody gets through to the site by the path at which nginx asks it"""
    site.asked.clear()
    answer = asking_stack.request("GET", where, session("s-alice"))
    assert answer.status == 404 and site.asked == []


def test_site_away(new_stack, site):
    """while the site is away a poll is told to come back, and not taken for anybody's"""
    stack = new_stack(open=0)
    ask_the_site(stack, f"http://unix:{stack.dir}/run/nowhere.sock:/whoami")
    answer = stack.get("/poll", session("s-alice"), timeout=0)
    assert is_error(answer, 503, "away") and int(answer.header("Retry-After")) >= 1


@pytest.mark.parametrize("query", FORGED_QUERIES)
def test_closed_without_nginx(closed_stack, query):
    """where nginx names nobody and the programs are not open, nobody polls"""
    assert is_error(closed_stack.request("GET", f"/poll?timeout=0&{query}"), 401, "no_identity")


@pytest.mark.parametrize("header", FORGED)
def test_header_without_nginx(closed_stack, header):
    """where nginx names nobody no header does"""
    assert is_error(closed_stack.get("/poll", [(header, "bob")], timeout=0, user="bob"), 401, "no_identity")


@pytest.fixture(scope="module")
def closed_stack():
    stack = Stack(shared=True, open=0).start()
    yield stack
    stack.stop()
