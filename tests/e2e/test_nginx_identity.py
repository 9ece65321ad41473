# SPDX-License-Identifier: MIT
"""Identity by nginx: by a password (identity-basic.conf) or by asking the site (identity-auth-request.conf); and clients
that try to pass for another user."""

import base64
import itertools
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from expect import data, is_error
from stack import Stack
from waits import eventually
from web import request_bytes

USERS = {"alice": "wonder land", "bob": "builder:1", "a.b_c-d@e+f": "x"}
SESSIONS = {"s-alice": "alice", "s-bob": "bob", "s-bad": "no spaces", "s-nobody": ""}


numbers = itertools.count(1)


def basic(user, password):
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


def session(name):
    return [("Cookie", f"colour=blue; session={name}")]


def visitor(name, agent=None):
    """The headers of a browser about which the site was not asked yet."""
    return [*session(name), ("User-Agent", agent or f"browser {next(numbers)}")]


def polled_as(stack, headers):
    """The user of a poll with these headers; None if it was refused."""
    answer = stack.get("/alive", headers)
    return answer.json["user"] if answer.status == 200 else None


class Site(ThreadingHTTPServer):
    """The site that nginx asks: it knows its sessions, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Whoami)
        self.asked = []
        self.connections = 0
        self.sessions = dict(SESSIONS)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Whoami(BaseHTTPRequestHandler):
    """Marks each answer as not to be cached and for this visitor alone, as session frameworks do."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        cookies = dict(pair.split("=", 1) for pair in self.headers.get("Cookie", "").split("; ") if "=" in pair)
        name = cookies.get("session", "")
        sessions = self.server.sessions
        self.send_response(200 if name in sessions else 403 if name == "s-banned" else 500 if name == "s-broken" else 401)
        if sessions.get(name):
            self.send_header("X-User", sessions[name])
        self.send_header("Cache-Control", "no-store")
        self.send_header("Expires", "Thu, 19 Nov 1981 08:52:00 GMT")
        self.send_header("Set-Cookie", f"session={name}")
        self.send_header("Vary", "*")
        self.send_header("Content-Length", "0")
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
    stack.change_nginx("whoami-upstream.conf", r"127\.0\.0\.1:8000", where)
    stack.know_addresses()
    stack.change_nginx("nginx.conf", r"(?m)^    include letterbox-upstream\.conf;$", "    include letterbox-upstream.conf;\n    include whoami-upstream.conf;")
    stack.change_nginx("nginx.conf", r"(?m)^        include letterbox-public\.conf;$", "        include letterbox-public.conf;\n        include whoami.conf;")
    stack.add_nginx("letterbox-poll.conf", "include identity-auth-request.conf;")
    stack.reload_nginx()


@pytest.fixture(scope="module")
def asking_stack(site):
    """nginx asks the site; the programs are not open."""
    stack = Stack(shared=True, open=0).start()
    ask_the_site(stack, f"127.0.0.1:{site.server_port}")
    yield stack
    stack.stop()


# The stack, and the headers by which alice and bob identify themselves.
KINDS = {"basic": ("basic_stack", basic("alice", USERS["alice"]), basic("bob", USERS["bob"])),
         "auth_request": ("asking_stack", session("s-alice"), session("s-bob"))}


class Kind:
    def __init__(self, stack, alice, bob):
        self.stack, self.alice, self.bob = stack, alice, bob
        for user in ("alice", "bob"):
            stack.request("DELETE", f"/mailbox?user={user}")
            stack.pushed(user, f"for {user}")

    def says(self, where, headers):
        """As a new client each time, since one that asks for the same again is answered late."""
        return self.stack.request("GET", f"{where}{'&' if '?' in where else '?'}client=c{next(numbers)}", headers)


@pytest.fixture(params=KINDS)
def kind(request):
    """Each way to find out, with a message for alice and one for bob."""
    which, alice, bob = KINDS[request.param]
    return Kind(request.getfixturevalue(which), alice, bob)


def test_each_gets_his_own(kind):
    """a client that identifies as alice gets alice's mail, and one that identifies as bob gets bob's"""
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
    """a client without proof is 401 no_identity, whatever it claims"""
    for where in ("/poll", "/poll?user=alice", "/poll?MAILBOX_USER=alice&timeout=0"):
        assert is_error(kind.says(where, []), 401, "no_identity")


FORGED = ["MAILBOX_USER", "Mailbox_User", "Mailbox-User", "mailbox-user", "HTTP_MAILBOX_USER", "X-Mailbox-User", "X-User", "X_User", "Remote-User", "REMOTE_USER",
          "X-Remote-User", "X-Forwarded-User", "X-Real-IP", "Letterbox-Session-User", "X-Accel-Redirect", "X-Original-URL"]


@pytest.mark.parametrize("header", FORGED)
def test_forged_header(kind, header):
    """no header turns alice, or a stranger, into bob"""
    assert data(kind.says("/poll?timeout=0&after=0", kind.alice + [(header, "bob")]).json) == ["for alice"]
    assert data(kind.says("/poll?timeout=0&after=0", [(header, "bob")] + kind.alice + [(header, "bob")]).json) == ["for alice"]
    assert is_error(kind.says("/poll?timeout=0", [(header, "bob")]), 401, "no_identity")


FORGED_QUERIES = ["MAILBOX_USER=bob", "mailbox_user=bob", "MAILBOX%5FUSER=bob", "%4dAILBOX_USER=bob", "user=bob", "us%65r=bob", "user=b%6fb", "user=alice&user=bob",
                  "user=bob&user=bob", "user[]=bob", "USER=bob", "user=bob%00", "user=%00bob", "REMOTE_USER=bob", "remote_user=bob", "x=1%26user=bob", "x=1;user=bob",
                  "x=1%0d%0aMailbox-User:%20bob", "x=%0aMAILBOX_USER%0abob", "PATH_INFO=/mailbox&user=bob", "QUERY_STRING=user=bob", "x=" + "MAILBOX_USERbob" * 100]


@pytest.mark.parametrize("query", FORGED_QUERIES)
def test_forged_query(kind, query):
    """nothing in the query turns alice, or a stranger, into bob"""
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
    """a request hidden in another's body, or by two lengths, has no identity"""
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
    """an identity opens no private route: those go by address and key"""
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
    """malformed credentials give no identity"""
    assert is_error(basic_stack.get("/poll", [("Authorization", value)], timeout=0), 401, "no_identity")


def test_two_passwords(basic_stack):
    """two passwords in one request open no more than one of them"""
    answer = basic_stack.get("/poll", basic("alice", USERS["alice"]) + basic("bob", "wrong"), timeout=0, after=0)
    assert answer.status in (400, 401) or "for bob" not in data(answer.json)


def test_every_letter_of_a_name(basic_stack):
    """nginx accepts user names with each of the allowed characters, too"""
    name = "a.b_c-d@e+f"
    basic_stack.pushed(name, "hello")
    assert data(basic_stack.get("/poll", basic(name, "x"), timeout=0, after=0).json)[-1:] == ["hello"]


@pytest.mark.parametrize("name,status,code", [("s-mallory", 401, "no_identity"), ("s-banned", 403, "forbidden"), ("s-nobody", 401, "no_identity"), ("s-bad", 400, "bad_user"),
                                              ("s-broken", 503, "away")])
def test_what_the_site_says(asking_stack, name, status, code):
    """a visitor whom the site does not name gets in nowhere, and is told so by a documented error"""
    answer = asking_stack.get("/poll", session(name), timeout=0)
    assert is_error(answer, status, code)
    assert answer.header("X-Content-Type-Options") == "nosniff"


def test_what_the_site_is_told(asking_stack, site):
    """the site is asked with the poll's cookies, and learns nothing of its query"""
    site.asked.clear()
    sent = [*visitor("s-alice"), ("X-Secret", "s3cret"), ("Referer", "https://s3cret.example/")]
    assert asking_stack.get("/poll", sent, timeout=0, token="s3cret").status in (200, 401)
    path, headers = site.asked[-1]
    assert path == "/whoami" and "session=s-alice" in headers["Cookie"] and "s3cret" not in str(headers)
    assert set(headers) == {"Host", "X-Real-IP", "User-Agent", "Cookie"}


def test_asked_once(asking_stack, site):
    """within a few seconds the site is asked once about a visitor, however often the visitor polls"""
    alice = visitor("s-alice")
    assert polled_as(asking_stack, alice) == "alice"
    site.asked.clear()
    assert [polled_as(asking_stack, alice) for _ in range(20)] == ["alice"] * 20
    assert len(site.asked) < 20


def test_kept_for_one_visitor(asking_stack, site):
    """a cached answer is for that visitor alone: the site is asked again for another cookie, browser, address or login"""
    agent = f"browser {next(numbers)}"
    for _ in range(3):
        for name in ("alice", "bob"):
            assert polled_as(asking_stack, visitor(f"s-{name}", agent)) == name
        assert is_error(asking_stack.get("/poll", [("User-Agent", agent)], timeout=0), 401, "no_identity")
    for other in (visitor("s-alice", agent + "x"), [*visitor("s-alice", agent), ("X-From", "203.0.113.9")], [*visitor("s-alice", agent), ("Authorization", "Basic eDp5")]):
        site.asked.clear()
        polled_as(asking_stack, other)
        assert len(site.asked) == 1


def test_nobody_is_not_kept(asking_stack, site):
    """a visitor whom the site did not name, or refused, has an identity as soon as the site says so"""
    for before, session_name in ((None, f"late-{next(numbers)}"), ("", f"late-{next(numbers)}")):
        headers = visitor(session_name)
        if before is not None:
            site.sessions[session_name] = before
        assert is_error(asking_stack.get("/poll", headers, timeout=0), 401, "no_identity")
        site.sessions[session_name] = "alice"
        assert polled_as(asking_stack, headers) == "alice"


def test_signed_out(asking_stack, site):
    """a visitor who has signed out has no identity a few seconds later"""
    name = f"short-{next(numbers)}"
    site.sessions[name] = "alice"
    headers = visitor(name)
    assert polled_as(asking_stack, headers) == "alice"
    del site.sessions[name]
    answer = eventually(lambda: next((one for one in [asking_stack.get("/poll", headers, timeout=0)] if one.status != 200), None), "the site is asked again", 40)
    assert is_error(answer, 401, "no_identity")


def test_site_connections(asking_stack, site):
    """nginx keeps its connections to the site"""
    for _ in range(5):
        polled_as(asking_stack, visitor("s-alice"))
    site.connections = 0
    site.asked.clear()
    for _ in range(30):
        assert polled_as(asking_stack, visitor("s-alice")) == "alice"
    assert len(site.asked) == 30 and site.connections < 15


def test_long_cookies(asking_stack):
    """the site is asked each time about a visitor whose cookies are too long for the cache, and no log mentions them"""
    long = f"filler={'x' * 5000}; session=s-bob"
    for _ in range(3):
        assert polled_as(asking_stack, [("Cookie", long)]) == "bob"
    assert "xxx" not in (asking_stack.dir / "log/nginx.log").read_text() and "cache key" not in (asking_stack.dir / "log/nginx.log").read_text()


@pytest.mark.parametrize("where", ["/letterbox-whoami", "/letterbox-whoami?x", "/%6cetterbox-whoami", "//letterbox-whoami"])
def test_question_is_nginx_own(asking_stack, site, where):
    """no client reaches the site by the path at which nginx asks it"""
    site.asked.clear()
    answer = asking_stack.request("GET", where, session("s-alice"))
    assert answer.status == 404 and site.asked == []


def test_site_away(new_stack, site):
    """while the site is away a poll is told to come back, and gets no identity"""
    stack = new_stack(open=0)
    ask_the_site(stack, f"unix:{stack.dir}/run/nowhere.sock")
    answer = stack.get("/poll", session("s-alice"), timeout=0)
    assert is_error(answer, 503, "away") and int(answer.header("Retry-After")) >= 1


@pytest.mark.parametrize("query", FORGED_QUERIES)
def test_closed_without_nginx(closed_stack, query):
    """if nginx names no user and the programs are not open, no client polls"""
    assert is_error(closed_stack.request("GET", f"/poll?timeout=0&{query}"), 401, "no_identity")


@pytest.mark.parametrize("header", FORGED)
def test_header_without_nginx(closed_stack, header):
    """if nginx names no user no header does"""
    assert is_error(closed_stack.get("/poll", [(header, "bob")], timeout=0, user="bob"), 401, "no_identity")


@pytest.fixture(scope="module")
def closed_stack():
    stack = Stack(shared=True, open=0).start()
    yield stack
    stack.stop()
