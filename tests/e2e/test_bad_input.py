# SPDX-License-Identifier: MIT
"""Everything that can be wrong about a request, sent through nginx: each gets its documented JSON error.

The `stack` fixture checks after each test that the programs are the ones that ran before it, and `unharmed` that a
message still travels.
"""

import json

import pytest

from expect import data, is_accepted, is_error
from web import Closed, request_bytes, target

JSON = [("Content-Type", "application/json")]


@pytest.fixture(autouse=True)
def unharmed(stack, users):
    """A message that was kept before the bad input is there after it, and new ones travel."""
    keeper, = users(1)
    stack.pushed(keeper, "kept")
    yield
    assert data(stack.look(keeper, after=0)) == ["kept"]
    parked = stack.park(keeper, after=stack.look(keeper, after=0)["cursor"])
    stack.pushed(keeper, "travels")
    assert data(parked.answer()) == ["travels"]


# Faults of a name, for every place that takes a name; encoding errors are apart, since they are found before the name is looked at.
BAD_NAMES = {
    "empty": "", "slash": "a/b", "space": "a b", "plus for a space": "+a b", "comma": "a,b", "braces": "a{b}", "star": "*", "quote": "a'b",
    "double quote": 'a"b', "backslash": "a\\b", "percent": "a%b", "nul": "a%00b", "only nul": "%00", "cr lf": "a%0D%0Ab", "lf at the end": "a%0A",
    "delete": "a%7F", "accent": "%C3%A9", "emoji": "%F0%9F%93%AC", "angle": "<b>", "question mark": "a?b", "hash": "a%23b",
    "too long": "x" * 129,
}
BAD_ENCODINGS = {
    "lone byte": "%FF", "cut sequence": "a%C3", "overlong": "%C0%AF", "surrogate": "%ED%A0%80", "beyond unicode": "%F4%90%80%80",
    "lone continuation": "%80", "not hex": "%ZZ", "half an escape": "a%4", "bare percent": "a%", "escape of sign": "%+1",
}


def escaped(text):
    """The text ready for a query, where %XX in it stays the byte it means."""
    from urllib.parse import quote
    return quote(text, safe="%") if "%" in text and text != "a%b" else quote(text, safe="")


def cases(table):
    return [pytest.param(value, id=name) for name, value in table.items()]


# --- /poll

def test_no_identity(stack):
    """a poll that names no user is 401 no_identity"""
    assert is_error(stack.get("/poll"), 401, "no_identity")
    assert is_error(stack.get("/poll", timeout=0, client="tab"), 401, "no_identity")


@pytest.mark.parametrize("name", cases(BAD_NAMES))
def test_poll_bad_user(stack, name):
    """a poll with a bad user name is 400 bad_user"""
    assert is_error(stack.request("GET", f"/poll?user={escaped(name)}&timeout=0"), 400, "bad_user")


@pytest.mark.parametrize("name", cases({name: value for name, value in BAD_NAMES.items() if name not in ("empty", "too long")}
                                       | {"too long": "x" * 65}))
def test_poll_bad_client(stack, user, name):
    """a poll with a bad client name is 400 bad_client"""
    assert is_error(stack.request("GET", f"/poll?user={user}&client={escaped(name)}&timeout=0"), 400, "bad_client")


def test_longest_client(stack, user):
    """a client's name may have 64 bytes"""
    assert stack.look(user, client="x" * 64)["count"] == 0


@pytest.mark.parametrize("timeout", ["", "abc", "-1", "-0.1", "50.1", "51", "1e9", "nan", "NaN", "inf", "infinity", "-inf", "0x10", " 1", "1 ",
                                     "1.2.3", "1,5", "1s", "--1", "\0", "1\0", "1\r\n", "1\r\nX-Bad: 1", "9" * 400, "٣"],
                         ids=lambda timeout: repr(timeout[:16]))
def test_bad_timeout(stack, user, timeout):
    """a timeout that is no number from 0 to 50 is 400 bad_timeout"""
    assert is_error(stack.get("/poll", user=user, timeout=timeout), 400, "bad_timeout")


def test_error_message(stack, user):
    """an error's message says what was expected and what came"""
    error = stack.get("/poll", user=user, timeout="abc").json["error"]
    assert error == {"code": "bad_timeout", "message": "timeout must be a number from 0 to 50, got 'abc'", "terminal": True, "retry_after_ms": 0}


@pytest.mark.parametrize("limit", ["", "abc", "0", "-1", "1001", "1.5", "1e2", "0x10", " 1", "1 ", "nan", "\0", "1\0", "1\r\n", "9" * 400,
                                   "18446744073709551617", "4294967297"], ids=lambda limit: repr(limit[:16]))
def test_bad_limit(stack, user, limit):
    """a limit that is no whole number from 1 to 1000 is 400 bad_limit"""
    assert is_error(stack.get("/poll", user=user, timeout=0, limit=limit), 400, "bad_limit")


@pytest.mark.parametrize("parameter", ["user", "client", "timeout", "limit"])
@pytest.mark.parametrize("value", cases(BAD_ENCODINGS))
def test_poll_bad_encoding(stack, user, parameter, value):
    """a parameter that is not UTF-8, or a broken percent escape, is 400 bad_encoding"""
    rest = "" if parameter == "user" else f"&user={user}"
    assert is_error(stack.request("GET", f"/poll?{parameter}={value}{rest}"), 400, "bad_encoding")


@pytest.mark.parametrize("parameter, value", [("user", "x"), ("client", "tab"), ("timeout", "0"), ("limit", "1"), ("after", "0")])
def test_poll_repeated(stack, user, parameter, value):
    """a parameter of a poll that comes twice is 400 repeated_parameter"""
    query = {"user": user, "timeout": "0"} | {parameter: [value, value]}
    assert is_error(stack.get("/poll", **query), 400, "repeated_parameter")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_poll_wrong_method(stack, user, method):
    """a poll by another method is 405 wrong_method, and Allow names the right one"""
    answer = stack.request(method, f"/poll?user={user}&timeout=0", body=b"x" if method in ("POST", "PUT", "PATCH") else None)
    assert is_error(answer, 405, "wrong_method")
    assert "GET" in answer.header("Allow").replace(" ", "").split(",")


@pytest.mark.parametrize("where", ["/poll/", "/poll/x", "/push/x", "/mailbox/x", "/mailbox/", "/nowhere", "/pollx", "/poll%0A", "/poll/%0D%0AX-Evil:%201",
                                   "/push/%FF", "/mailbox/" + "x" * 3000, "/POLL"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_route(stack, user, method, where):
    """an unknown route is 404 unknown_route, whatever the method"""
    answer = stack.request(method, f"{where}?user={user}&timeout=0", body=b"x" if method == "POST" else None)
    assert is_error(answer, 404, "unknown_route")
    assert answer.header("X-Evil") is None


# --- /push

def test_push_missing_to(stack):
    """a push without a recipient is 400 missing_to"""
    assert is_error(stack.push(None, "hello"), 400, "missing_to")
    assert is_error(stack.push_json("{}"), 400, "missing_to")
    assert is_error(stack.push_json('{"data":1}'), 400, "missing_to")
    assert is_error(stack.push_json('{"to":[],"data":1}'), 400, "missing_to")


@pytest.mark.parametrize("name", cases({name: value for name, value in BAD_NAMES.items() if name not in ("empty", "comma", "star")}))
def test_push_bad_user(stack, name):
    """a push to a bad name is 400 bad_user"""
    assert is_error(stack.request("POST", f"/push?to={escaped(name)}", body=b"hello"), 400, "bad_user")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a,b", "{a}", "a\0b", "a\r\nb", "é", "x" * 129], ids=lambda name: repr(name[:12]))
def test_envelope_bad_user(stack, name):
    """an envelope to a bad name is 400 bad_user"""
    assert is_error(stack.push_json(json.dumps({"to": name, "data": 1})), 400, "bad_user")


@pytest.mark.parametrize("kind", ["", "x" * 65, "é" * 65, "\0", "a\0b", "a\r\nb", "\t", "\x7f", "\x1b[31m", "\u0085"], ids=lambda kind: repr(kind[:12]))
@pytest.mark.parametrize("place", ["query", "envelope"])
def test_bad_type(stack, user, kind, place):
    """a type that is empty, longer than 64 characters or has control characters is 400 bad_type"""
    answer = stack.push(user, "hello", type=kind) if place == "query" else stack.push_json(json.dumps({"to": user, "type": kind}))
    assert is_error(answer, 400, "bad_type")
    assert stack.mailbox(user)["queued"] == 0


@pytest.mark.parametrize("ttl", ["", "abc", "0", "0.0", "-1", "604801", "1e99", "nan", "inf", "0x10", " 1", "1 ", "1\0", "1\r\n", "9" * 400],
                         ids=lambda ttl: repr(ttl[:16]))
def test_bad_ttl(stack, user, ttl):
    """a ttl that is no number of seconds above 0 and within the mailbox's life is 400 bad_ttl"""
    assert is_error(stack.push(user, "hello", ttl=ttl), 400, "bad_ttl")
    assert stack.mailbox(user)["queued"] == 0


@pytest.mark.parametrize("ttl", ["0", "-1", "604801", "1e99", "1e400", "-0.0"])
def test_envelope_bad_ttl(stack, user, ttl):
    """an envelope's ttl out of range is 400 bad_ttl"""
    assert is_error(stack.push_json('{"to":"%s","data":1,"ttl":%s}' % (user, ttl)), 400, "bad_ttl")


@pytest.mark.parametrize("parameter", ["to", "type", "ttl"])
@pytest.mark.parametrize("value", cases(BAD_ENCODINGS))
def test_push_bad_encoding(stack, user, parameter, value):
    """a push's parameter that is not UTF-8, or a broken percent escape, is 400 bad_encoding"""
    rest = "" if parameter == "to" else f"&to={user}"
    assert is_error(stack.request("POST", f"/push?{parameter}={value}{rest}", body=b"hello"), 400, "bad_encoding")


@pytest.mark.parametrize("parameter, value", [("type", "mail"), ("ttl", "1")])
def test_push_repeated(stack, user, parameter, value):
    """a single parameter of a push that comes twice is 400 repeated_parameter"""
    assert is_error(stack.push(user, "hello", **{parameter: [value, value]}), 400, "repeated_parameter")


def test_mailbox_repeated(stack, user):
    """/mailbox for two users at once is 400 repeated_parameter, and deletes neither"""
    stack.pushed(user, "hello")
    for method in ("GET", "DELETE"):
        assert is_error(stack.request(method, f"/mailbox?user={user}&user={user}"), 400, "repeated_parameter")
    assert stack.mailbox(user)["queued"] == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", cases(BAD_NAMES))
def test_mailbox_bad_user(stack, method, name):
    """/mailbox of a bad user name is 400 bad_user"""
    assert is_error(stack.request(method, f"/mailbox?user={escaped(name)}"), 400, "bad_user")


@pytest.mark.parametrize("content_type", [[], [("Content-Type", "text/plain")]], ids=["undeclared", "text"])
def test_missing_body(stack, user, content_type):
    """a text push without a body is 400 missing_body"""
    for body in (b"", None):
        assert is_error(stack.request("POST", f"/push?to={user}", content_type, body), 400, "missing_body")
    assert stack.mailbox(user)["queued"] == 0


def test_missing_json(stack, user):
    """a JSON push without a body is 400 missing_body"""
    for where in (f"/push?to={user}", "/push"):
        assert is_error(stack.request("POST", where, JSON, b""), 400, "missing_body")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_push_wrong_method(stack, user, method):
    """a push by another method is 405 wrong_method, and Allow names POST"""
    answer = stack.request(method, f"/push?to={user}", body=b"x" if method in ("PUT", "PATCH") else None)
    assert is_error(answer, 405, "wrong_method")
    assert answer.header("Allow").replace(" ", "").split(",") == ["POST"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "OPTIONS"])
def test_mailbox_wrong_method(stack, user, method):
    """/mailbox by another method is 405 wrong_method, and Allow names GET and DELETE"""
    answer = stack.request(method, f"/mailbox?user={user}", body=b"x" if method != "OPTIONS" else None)
    assert is_error(answer, 405, "wrong_method")
    assert {"GET", "DELETE"} <= set(answer.header("Allow").replace(" ", "").split(","))


BAD_JSON = {
    "truncated object": '{"a":1', "truncated string": '"abc', "truncated array": "[1,2", "truncated literal": "tru", "truncated number": "1.",
    "truncated exponent": "1e", "truncated escape": '"\\u12"', "truncated envelope": '{"to":"alice","data":{"x":', "only a quote": '"',
    "trailing comma": "[1,]", "missing comma": "[1 2]", "missing colon": '{"a" 1}', "missing value": '{"a":}', "two documents": "{}{}",
    "trailing garbage": "{} x", "single quotes": "{'a':1}", "bare word": "hello", "nan": "NaN", "infinity": "Infinity", "minus infinity": "-Infinity",
    "leading zero": "01", "leading plus": "+1", "leading point": ".5", "hex": "0x10", "comment": "{}//x", "block comment": "/**/{}",
    "lone surrogate": '"\\ud800"', "reversed surrogates": '"\\udc00\\ud800"', "raw nul": '"a\0b"', "nul behind": "{}\0", "only nul": "\0", "raw newline": '"a\nb"',
    "raw control": '"a\x01b"', "wrong escape": '"\\x41"', "only spaces": " \r\n\t", "closing only": "]", "crossed": "[}", "unquoted name": "{a:1}",
    "deep array": "[" * 10_000 + "]" * 10_000, "deep object": '{"a":' * 10_000 + "1" + "}" * 10_000, "deep and open": "[" * 10_000, "too deep by one": "[" * 513 + "]" * 513,
    "deep as it fits": "[" * 131_000 + "]" * 131_000,
}


@pytest.mark.parametrize("text", cases(BAD_JSON))
@pytest.mark.parametrize("place", ["data", "envelope"])
def test_bad_json(stack, user, text, place):
    """a body that is declared JSON and is none, or is too deep, is 400 bad_json"""
    to = user if place == "data" else None
    assert is_error(stack.push_json(text, to=to), 400, "bad_json")
    assert stack.mailbox(user)["queued"] == 0


@pytest.mark.parametrize("text", [b'"\xff"', b'{"\xc3":1}', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'["ok","\x80"]', b'"cut \xe2\x82"'], ids=repr)
@pytest.mark.parametrize("place", ["data", "envelope"])
def test_json_bad_encoding(stack, user, text, place):
    """JSON that is not UTF-8 is not JSON: 400 bad_json"""
    if place == "envelope":
        text = b'{"to":"%s","data":%s}' % (user.encode(), text)
    assert is_error(stack.push_json(text, to=user if place == "data" else None), 400, "bad_json")
    assert stack.mailbox(user)["queued"] == 0


@pytest.mark.parametrize("text", [b"\xff\xfe", b"good \xc3", b"\xed\xa0\x80", b"a\xc0\xafb", b"\xf8\x88\x80\x80\x80", b"\x80", b"\x00\xff"], ids=repr)
def test_text_bad_encoding(stack, user, text):
    """a text that is not UTF-8 is 400 bad_encoding"""
    assert is_error(stack.push(user, text), 400, "bad_encoding")
    assert stack.mailbox(user)["queued"] == 0


@pytest.mark.parametrize("document", ["1", "null", "true", '"text"', '{"to":1}', '{"to":null}', '{"to":{}}', '{"to":[1]}',
                                      '{"to":["alice",null]}', '{"to":[["alice"]]}', '{"to":"alice","type":5}', '{"to":"alice","type":null}',
                                      '{"to":"alice","ttl":"60"}', '{"to":"alice","ttl":null}', '{"to":"alice","ttl":[]}'])
def test_bad_envelope(stack, document):
    """right JSON of a wrong shape is 400 bad_envelope"""
    assert is_error(stack.push_json(document), 400, "bad_envelope")


def test_empty_batch(stack):
    """an empty batch is accepted, and no user gets anything"""
    answer = stack.push_json("[]")
    assert answer.status == 202 and answer.json == {"results": []}


def test_bad_envelope_in_batch(stack, user):
    """envelopes of a wrong shape in a batch are errors of their own, and the others arrive"""
    answer = stack.push_json('[{"to":5},{"to":"%s","data":1},7,{"to":[]},{"to":"%s","type":""},{"to":"%s","ttl":0}]' % (user, user, user))
    assert answer.status == 400
    codes = [result.get("error", {}).get("code") for result in answer.json["results"]]
    assert codes == ["bad_envelope", None, "bad_envelope", "missing_to", "bad_type", "bad_ttl"]
    assert data(stack.look(user, after=0)) == [1]


@pytest.mark.parametrize("size", [256 * 1024 + 1, 1_000_000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_too_large(stack, user, size, chunked):
    """a body larger than allowed is 413 too_large, whether its size was announced or not"""
    with stack.connect() as connection:
        if chunked:
            request = request_bytes("POST", target("/push", to=user), [("Transfer-Encoding", "chunked")])
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)
        else:
            request, body = request_bytes("POST", target("/push", to=user), [("Content-Length", size)]), b"x" * size
        connection.send(request, "POST")
        try:
            connection.socket.sendall(body)
        except ConnectionError:
            pass  # nginx need not read all of what it refuses
        try:
            answer = connection.receive()
        except (ConnectionError, Closed):
            answer = None  # and may close before the test has read its answer
    if answer:
        assert is_error(answer, 413, "too_large")
    assert stack.mailbox(user)["queued"] == 0


def test_configured_size(tight_stack, user):
    """the body allowed is configurable, and the error says how much it is"""
    assert is_accepted(tight_stack.push(user, "x" * 1000))
    answer = tight_stack.push(user, "x" * 1001)
    assert is_error(answer, 413, "too_large") and "1000" in answer.json["error"]["message"]


def test_configured_timeout(tight_stack, user):
    """the longest wait is configurable, and the error says how much it is"""
    for timeout in ("5.1", "50"):
        answer = tight_stack.get("/poll", user=user, timeout=timeout)
        assert is_error(answer, 400, "bad_timeout") and "from 0 to 5," in answer.json["error"]["message"]


def test_too_large_is_told(stack, user):
    """a client that asks before it sends a body too large gets 413 too_large and no invitation"""
    for size in (256 * 1024 + 1, 10**9, 10**18):
        with stack.connect() as connection:
            connection.send(request_bytes("POST", target("/push", to=user), [("Content-Length", size)]), "POST")
            assert is_error(connection.receive(), 413, "too_large")


def test_large_number(stack, user):
    """a number of a megabyte is too large a body"""
    with stack.connect() as connection:
        connection.send(request_bytes("POST", target("/push", to=user), JSON + [("Content-Length", 1 << 20)]), "POST")
        assert is_error(connection.receive(), 413, "too_large")


def test_megabyte_number(new_stack, user):
    """if a megabyte is allowed a number of a megabyte is taken and given back digit for digit"""
    stack = new_stack(body_max=1 << 20)
    stack.change_nginx("pass-push.conf", r"(?<=client_max_body_size) +256k;", " 1m;")
    stack.reload_nginx()
    number = "7" * (1 << 20)
    assert is_accepted(stack.push_json(number, to=user))
    assert b'"data":%s' % number.encode() in stack.get("/poll", user=user, timeout=0, after=0).body


@pytest.mark.parametrize("number", ["9" * 262_000, "-0." + "1" * 262_000, "1e" + "9" * 262_000, "1" + "0" * 100 + "e-" + "9" * 1000], ids=lambda number: number[:8])
def test_long_numbers(stack, user, number):
    """a number of any length that fits the body is taken and given back digit for digit"""
    assert is_accepted(stack.push_json(number, to=user))
    assert b'"data":%s' % number.encode() in stack.get("/poll", user=user, timeout=0, after=0).body


def test_many_commas(stack, user):
    """empty names among the recipients are 400 bad_user"""
    for to in (f"{user},", f",{user}", f"{user},,{user}x"):
        answer = stack.push(to, "hello")
        assert answer.status == 400, answer


def test_half_body(stack, user):
    """a client that goes away in the middle of its body has pushed nothing"""
    for cut in ("close", "reset"):
        connection = stack.connect()
        connection.send(request_bytes("POST", target("/push", to=user), [("Content-Length", 1000)]) + b"x" * 500, "POST")
        getattr(connection, cut)()
    assert stack.mailbox(user)["queued"] == 0


# --- what is wrong about HTTP itself, which nginx sees first

@pytest.mark.parametrize("raw", [
    b"GET /poll?user=a\0b&timeout=0 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /poll?user=alice&timeout=0 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: a\0b\r\n\r\n",
    b"GET /poll?user=alice&timeout=0&after=a\rb HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /poll?user=alice HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    b"POST /push?to=alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
], ids=repr)
def test_broken_http(stack, raw):
    """a request that is not HTTP is refused with a 4xx, or 505"""
    with stack.connect() as connection:
        connection.send(raw)
        answer = connection.receive()
    assert 400 <= answer.status < 500 or answer.status == 505, answer
    assert not answer.body or answer.body.lstrip()[:1] in (b"{", b"<"), answer


@pytest.mark.parametrize("where", ["/poll?user=" + "x" * 7000, "/push?to=" + "x," * 3000])
def test_long_query(stack, where):
    """a query of several thousand bytes gets its documented error"""
    answer = stack.request("GET" if where.startswith("/poll") else "POST", where, body=None if where.startswith("/poll") else b"x")
    code = "bad_user" if where.startswith("/poll") else "too_many_recipients"
    if where.startswith("/poll"):
        assert is_error(answer, 400, code)
    else:
        assert answer.status == 400 and answer.json


def test_header_injection(stack, user):
    """CR and LF in a value make no header of the answer"""
    evil = "x\r\nX-Evil: 1\r\n\r\n{}"
    for answer in (stack.get("/poll", user=evil), stack.get("/poll", user=user, client=evil, timeout=0), stack.get("/poll", user=user, timeout=evil),
                   stack.get("/poll", user=user, timeout=0, limit=evil), stack.get("/poll", user=user, timeout=0, after=evil),
                   stack.push(evil, "hello"), stack.push(user, "hello", type=evil), stack.push(user, "hello", ttl=evil), stack.get("/mailbox", user=evil)):
        assert answer.header("X-Evil") is None
        assert answer.json, "the body is one JSON document"


def test_errors_quote_no_control_characters(stack, user):
    """an error that quotes its input is still one JSON document in UTF-8, however odd the input"""
    for value in ("\0" * 50, '"}', "\u2028é\U0001f4ec" * 20, "\x1b[2J", "x" * 5000):
        answer = stack.get("/poll", user=user, timeout=value)
        assert is_error(answer, 400, "bad_timeout")


def test_pipelined_after_an_error(stack, user):
    """an error on a kept connection spoils no request after it"""
    stack.pushed(user, "hello")
    with stack.connect() as connection:
        connection.request("GET", target("/poll", user=user, timeout="abc"))
        connection.request("POST", target("/poll", user=user), body=b"x" * 1000)
        connection.request("POST", target("/push", to="no spaces"), body=b"x" * 1000)
        connection.request("GET", target("/poll", user=user, timeout=0, after=0))
        assert [connection.receive().status for _ in range(3)] == [400, 405, 400]
        assert data(connection.receive().json) == ["hello"]


@pytest.mark.parametrize("after", ["%FF", "%ZZ", "%", "%C3"])
def test_after_bad_encoding(stack, user, after):
    """a cursor in a broken encoding is foreign like any other malformed one, or a bad_encoding, and never worse"""
    stack.pushed(user, "hello")
    answer = stack.request("GET", f"/poll?user={user}&timeout=0&after={after}")
    if answer.status == 200:
        assert answer.json["reset"] is True and data(answer.json) == ["hello"]
    else:
        assert is_error(answer, 400, "bad_encoding")
