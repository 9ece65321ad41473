# SPDX-License-Identifier: MIT
"""nginx as nginx/ configures it: what it passes to the programs, its own answers, and how long it keeps a connection."""

import socket
import struct
import threading

import pytest

from expect import data, is_error
from fcgi_peer import END_REQUEST, PARAMS, STDIN, STDOUT, record
from web import target


class Recorder:
    """A FastCGI program in the place of one of Letterbox's, which answers {} to everything and keeps what it was passed."""

    def __init__(self, path):
        self.handed = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            params = b""
            while header := stream.read(8):
                _, kind, request, size, padding, _ = struct.unpack(">BBHHBB", header)
                content = stream.read(size + padding)[:size]
                if kind == PARAMS:
                    params += content
                elif kind == STDIN and not content:
                    self.handed.append(dict(pairs(params)))
                    params = b""
                    connection.sendall(record(STDOUT, b"Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{}", request) + record(STDOUT, b"", request)
                                       + record(END_REQUEST, bytes(8), request))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def pairs(params):
    """The names and values in a stream of parameters."""
    while params:
        lengths = []
        for _ in range(2):
            size = 1 if params[0] < 128 else 4
            lengths.append(int.from_bytes(params[:size], "big") & 0x7FFFFFFF)
            params = params[size:]
        name, value, params = params[:lengths[0]], params[lengths[0]:sum(lengths)], params[sum(lengths):]
        yield name.decode(), value.decode()


@pytest.fixture
def recorders(private_stack):
    """The stand-ins for both programs, by name."""
    made = {}
    for part in ("poll", "push"):
        private_stack.end(part)
        private_stack.socket(part).unlink(missing_ok=True)
        made[part] = Recorder(private_stack.socket(part))
    yield made
    for each in made.values():
        each.close()


COOKIES = {"colour=blue; session=s3cret": None, "letterbox_token=T": "letterbox_token=T", "session=s3cret; letterbox_token=T.-_; size=5": "letterbox_token=T.-_",
           "a=b;letterbox_token=T": "letterbox_token=T", "letterbox_token=one; letterbox_token=two": "letterbox_token=one", "letterbox_token=": "letterbox_token=",
           "Letterbox_Token=T": None, "x_letterbox_token=T": None, "x=letterbox_token=T": None}


@pytest.mark.others_answer
def test_what_the_programs_are_handed(private_stack, recorders):
    """each program is passed the parts of a request that it uses, and nothing else"""
    headers = [("Authorization", "Bearer K"), ("Cookie", "session=s3cret; letterbox_token=T"), ("Last-Event-ID", "7-1"), ("User-Agent", "tester"), ("Origin", "https://a.example"),
               ("Sec-Fetch-Site", "cross-site"), ("Content-Type", "text/plain"), ("X-Anything", "x"), ("Referer", "https://a.example/secret"), ("Mailbox-User", "bob"), ("Proxy", "x")]
    common = {"REQUEST_METHOD": "POST", "QUERY_STRING": "a=b", "HTTP_AUTHORIZATION": "Bearer K", "HTTP_ORIGIN": "https://a.example",
              "HTTP_SEC_FETCH_SITE": "cross-site"}
    public = common | {"REMOTE_ADDR": "127.0.0.1", "HTTP_COOKIE": "letterbox_token=T", "HTTP_LAST_EVENT_ID": "7-1", "HTTP_USER_AGENT": "tester"}
    private = common | {"CONTENT_TYPE": "text/plain", "HTTP_HOST": "letterbox.test"}
    for part, route, expected in (("poll", "/poll", public), ("poll", "/alive", public), ("push", "/push", private), ("push", "/push/x", private),
                                  ("push", "/groups/a/b", private)):
        assert private_stack.request("POST", f"{route}?a=b", headers, b"hello").status == 200
        assert recorders[part].handed.pop() == expected | {"PATH_INFO": route}
    assert private_stack.get("/poll").status == private_stack.get("/mailbox").status == 200
    assert recorders["poll"].handed.pop() == {"REQUEST_METHOD": "GET", "QUERY_STRING": "", "PATH_INFO": "/poll", "REMOTE_ADDR": "127.0.0.1"}
    assert recorders["push"].handed.pop() == {"REQUEST_METHOD": "GET", "QUERY_STRING": "", "PATH_INFO": "/mailbox", "HTTP_HOST": "letterbox.test"}


@pytest.mark.others_answer
def test_cookies(private_stack, recorders):
    """nginx passes letterbox-poll only its own cookie of a request, also one that is empty"""
    for sent, handed in COOKIES.items():
        private_stack.get("/poll", [("Cookie", sent)])
        assert recorders["poll"].handed.pop().get("HTTP_COOKIE") == handed, sent


def test_many_cookies(stack, user):
    """a browser with 6 KB of cookies is served as any other, also on a connection that it keeps"""
    with stack.connect() as connection:
        for number in range(2):
            connection.request("GET", target("/poll", user=user), [("Cookie", "session=" + "s" * 6000)])
            stack.has_polls(user, 1)
            stack.pushed(user, str(number))
            assert data(connection.receive().json) == [str(number)]


# --- nginx' own answers

# Longer than nginx accepts, by nginx/server.conf.
LONG = b"x" * 40_000
RAW = {
    "no request line": (b"\0\0\0\0\r\n\r\n", 400, "bad_http"),
    "a wrong escape": (b"GET /poll%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_http"),
    "no host": (b"GET /poll?user=alice HTTP/1.1\r\n\r\n", 400, "bad_http"),
    "a length that is none": (b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad_http"),
    "a chunk that is none": (b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n", 400, "bad_http"),
    "an unknown encoding": (b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 400, "bad_http"),
    "an unknown version": (b"GET /poll HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad_http"),
    "TRACE": (b"TRACE /poll?user=alice HTTP/1.1\r\nHost: x\r\n\r\n", 405, "wrong_method"),
    "a page that is posted to": (b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "wrong_method"),
    "a body for nobody": (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413, "too_large"),
    "a body for a poll": (b"POST /poll HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", 413, "too_large"),
    "a long path": (b"GET /" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "head_too_large"),
    "a long query": (b"GET /poll?user=" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "head_too_large"),
    "a long header": (b"GET /poll?user=alice HTTP/1.1\r\nHost: x\r\nX: " + LONG + b"\r\n\r\n", 431, "head_too_large"),
    "nothing of this name": (b"GET /nowhere.html HTTP/1.1\r\nHost: x\r\n\r\n", 404, "unknown_route"),
}


@pytest.mark.parametrize("raw", RAW)
def test_own_errors(stack, raw):
    """a request that nginx itself refuses is answered with the contract's JSON error, on a line of its own"""
    request, status, code = RAW[raw]
    with stack.connect() as connection:
        connection.send(request)
        answer = connection.receive()
    assert is_error(answer, status, code)
    assert answer.body.endswith(b"}\n") and answer.header("Retry-After") is None
    assert answer.header("Cache-Control") == "no-store" and answer.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("status", ["away", "too many"])
def test_when_to_return(private_stack, status):
    """a client that nginx itself answers is told when to return, spread by the number of its connection; Retry-After is never sooner than the body"""
    private_stack.change_nginx("letterbox-upstream.conf", r"map \$connection ", "map $arg_connection ")
    if status == "away":
        private_stack.end("poll")
    else:
        private_stack.add_nginx("letterbox-poll.conf", "error_page 429 @letterbox_error;", "return 429;")
    private_stack.reload_nginx()
    for number, ms, seconds in ((7, 5000, 5), (123, 5123, 6), (1000, 1000, 1), (1001, 1001, 2), (1999, 1999, 2), (52000, 2000, 2), (3456, 3456, 4), (4001, 4001, 5), (5500, 5500, 6),
                                (6999, 6999, 7), (7001, 7001, 8), (8000, 8000, 8), (8100, 8100, 9), (9000, 9000, 9), (9999, 9999, 10), (10050, 5050, 6)):
        answer = private_stack.get("/poll", user="alice", connection=number)
        assert is_error(answer, *((502, "away") if status == "away" else (429, "too_many_requests")))
        assert (answer.json["error"]["retry_after_ms"], answer.header("Retry-After")) == (ms, str(seconds)) and answer.body.endswith(b"}\n")


# --- kept connections

def test_kept_connections(private_stack, user):
    """a client's connection is kept from request to request, however short the server keeps others"""
    private_stack.change_nginx("server.conf", "keepalive_requests 1000000;", "keepalive_requests 3;")
    private_stack.reload_nginx()
    with private_stack.connect() as connection:
        for _ in range(20):
            assert connection.exchange("GET", target("/poll", user=user, timeout=0)).header("Connection") == "keep-alive"
            assert connection.exchange("POST", target("/push", to=user), body=b"hello").header("Connection") == "keep-alive"
    with private_stack.connect() as connection:
        assert [connection.exchange("GET", "/nowhere").header("Connection") for _ in range(3)] == ["keep-alive", "keep-alive", "close"]
