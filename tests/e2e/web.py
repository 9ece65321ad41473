# SPDX-License-Identifier: MIT
"""An HTTP/1.1 client that can misbehave.

The tests need what ordinary clients forbid: raw bytes, half requests, a request that is sent now and whose answer
is read much later, a connection that is cut at a chosen moment. `Connection` is one socket and blocks with a
deadline; `AsyncConnection` is the same on asyncio, for the tests with hundreds of clients.
"""

import asyncio
import json
import select
import socket
import struct
import time
from urllib.parse import quote, urlencode

import contract

DEADLINE = 15.0  # seconds any single answer may take on a busy machine


class Closed(Exception):
    """The peer closed the connection before the answer was whole."""


class Answer:
    """Status, headers and body of one HTTP answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # [(name in lower case, value)], in the order they came
        self.body = body

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"header {name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def json(self):
        """The body, which must be exactly one JSON document in UTF-8."""
        return json.loads(self.body.decode("utf-8"))

    def __repr__(self):
        return f"<Answer {self.status} {self.headers} {self.body[:600]!r}>"


def held(method, where, answer):
    """The answer, which is held against openapi.yaml."""
    contract.hold(method, where, answer)
    return answer


def target(path, **query):
    """path?query, with every value percent-encoded; None leaves a parameter out, a list repeats it, bytes stay raw octets."""
    pairs = [(name, value) for name, value in query.items() if value is not None]
    if not pairs:
        return path
    return path + "?" + urlencode(pairs, doseq=True, quote_via=quote, safe="")


def request_bytes(method, where, headers=(), body=None):
    """One request as it goes over the wire. headers: (name, value) pairs, which may replace Host."""
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {where} HTTP/1.1"]
    if "host" not in names:
        lines.append("Host: letterbox.test")
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def parse_head(head):
    """(status, headers) of an answer's head without its empty line."""
    first, *rest = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    assert version in ("HTTP/1.0", "HTTP/1.1"), f"not an HTTP answer: {first!r}"
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        assert colon, f"not a header: {line!r}"
        headers.append((name.lower(), value.strip()))
    return int(status), headers


def body_plan(method, status, headers):
    """How the body is delimited: a length, "chunked" or "close"."""
    if method == "HEAD" or status in (204, 304) or 100 <= status < 200:
        return 0
    fields = dict(headers)
    if "chunked" in fields.get("transfer-encoding", ""):
        return "chunked"
    if "content-length" in fields:
        return int(fields["content-length"])
    return "close"


def asked(data, method):
    """(method, path and query) of a request as it was sent; no path if that is not how it begins."""
    words = data.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return (words[0], words[1]) if len(words) == 3 and words[1][:1] == "/" else (method, None)


class Connection:
    """One client connection. Not for use by two threads."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.asked = []  # (method, path and query) of the requests whose answers have not been read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data, method="GET"):
        """Raw bytes, said to be (part of) a request; each call is one expected answer."""
        self.asked.append(asked(data, method))
        self.socket.sendall(data)
        return self

    def request(self, method, where, headers=(), body=None):
        """Sends a request and returns at once; receive() reads its answer."""
        return self.send(request_bytes(method, where, headers, body), method)

    def exchange(self, method, where, headers=(), body=None, deadline=DEADLINE):
        return self.request(method, where, headers, body).receive(deadline)

    def quiet(self):
        """True while no answer (and no end of file) has arrived."""
        return not self.buffer and not select.select([self.socket], [], [], 0)[0]

    def receive(self, deadline=DEADLINE):
        """The next answer, whole. Raises TimeoutError after deadline seconds, Closed at a premature end."""
        end = time.monotonic() + deadline
        method, where = self.asked.pop(0) if self.asked else ("GET", None)
        status, headers = parse_head(self._until(b"\r\n\r\n", end))
        plan = body_plan(method, status, headers)
        if plan == "chunked":
            body = self._chunks(end)
        elif plan == "close":
            body = self._rest(end)
        else:
            body = self._exactly(plan, end)
        return held(method, where, Answer(status, headers, body))

    def close(self):
        """Closes as a client that leaves does."""
        self.socket.close()

    def reset(self):
        """Closes with a TCP reset: what a crashed client, or one behind a dying router, looks like."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _more(self, end):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole answer in time, so far {self.buffer[:300]!r}")
        self.socket.settimeout(left)
        data = self.socket.recv(1 << 18)
        if not data:
            raise Closed(f"closed after {self.buffer[:300]!r}")
        self.buffer += data

    def _until(self, mark, end):
        while mark not in self.buffer:
            self._more(end)
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def _exactly(self, size, end):
        while len(self.buffer) < size:
            self._more(end)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _chunks(self, end):
        body = b""
        while True:
            size = int(self._until(b"\r\n", end).split(b";")[0], 16)
            body += self._exactly(size, end)
            assert self._exactly(2, end) == b"\r\n"
            if size == 0:
                return body

    def _rest(self, end):
        try:
            while True:
                self._more(end)
        except Closed:
            body, self.buffer = self.buffer, b""
            return body


class AsyncConnection:
    """One client connection on asyncio, kept alive from request to request."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.asked = []  # (method, path and query) of the requests whose answers have not been read

    @classmethod
    async def open(cls, port, host="127.0.0.1"):
        return cls(*await asyncio.open_connection(host, port, limit=1 << 22))

    async def exchange(self, method, where, headers=(), body=None):
        self.send(method, where, headers, body)
        return await self.receive()

    def send(self, method, where, headers=(), body=None):
        self.asked.append((method, where))
        self.writer.write(request_bytes(method, where, headers, body))

    async def receive(self):
        method, where = self.asked.pop(0)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, headers = parse_head(head[:-4])
        plan = body_plan(method, status, headers)
        if plan == "chunked":
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        elif plan == "close":
            body = await self.reader.read()
        else:
            body = await self.reader.readexactly(plan)
        return held(method, where, Answer(status, headers, body))

    def close(self):
        self.writer.close()
