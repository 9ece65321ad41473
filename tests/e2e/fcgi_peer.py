# SPDX-License-Identifier: MIT
"""A FastCGI web server's side of one connection, for input that nginx would never send: half a request, wrong lengths, silence.

The record layouts are those of the FastCGI specification 1.0.
"""

import socket
import struct
import time

from web import DEADLINE, Answer, Closed

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7
RESPONDER, KEEP_CONNECTION = 1, 1


def record(kind, content=b"", request_id=1, padding=0):
    assert len(content) <= 0xFFFF
    return struct.pack(">BBHHBB", 1, kind, request_id, len(content), padding, 0) + content + bytes(padding)


def length(size):
    return bytes([size]) if size < 128 else struct.pack(">I", size | 0x80000000)


def params(pairs):
    """The body of a PARAMS record. Values are str or bytes."""
    encoded = b""
    for name, value in pairs.items():
        name = name.encode()
        value = value.encode() if isinstance(value, str) else value
        encoded += length(len(name)) + length(len(value)) + name + value
    return encoded


def begin(keep=True, request_id=1, role=RESPONDER):
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, KEEP_CONNECTION if keep else 0), request_id)


def request(method, path_info, query="", body=b"", keep=True, **extra):
    """One whole request as nginx would send it."""
    pairs = {"REQUEST_METHOD": method, "PATH_INFO": path_info, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1",
             "CONTENT_TYPE": "", "CONTENT_LENGTH": str(len(body)) if body else ""}
    pairs.update(extra)
    stdin = b"".join(record(STDIN, body[at:at + 0x8000]) for at in range(0, len(body), 0x8000))
    return begin(keep) + record(PARAMS, params(pairs)) + record(PARAMS) + stdin + record(STDIN)


class Peer:
    """One connection to a program's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def exchange(self, *args, **kwargs):
        return self.send(request(*args, **kwargs)).receive()

    def receive(self, deadline=DEADLINE):
        """The answer to one request: the bytes of STDOUT up to END_REQUEST, read as CGI."""
        end = time.monotonic() + deadline
        out = b""
        while True:
            _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", self._exactly(8, end))
            content = self._exactly(size + padding, end)[:size]
            if kind == STDOUT:
                out += content
            elif kind == END_REQUEST:
                break
        head, _, body = out.partition(b"\r\n\r\n")
        headers = [(name.strip().lower(), value.strip()) for name, _, value in
                   (line.partition(":") for line in head.decode("latin-1").split("\r\n"))]
        status = int(dict(headers).get("status", "200").split(" ")[0])
        return Answer(status, headers, body)

    def told_to_close(self, deadline=DEADLINE):
        """True if the program's next record, or the one that follows its answer, has the peer close the connection: an empty one of STDERR."""
        return self._exactly(8, time.monotonic() + deadline) == record(STDERR)

    def ended(self, deadline=DEADLINE):
        """True once the program has closed the connection, whatever it sent before."""
        end = time.monotonic() + deadline
        try:
            while True:
                self.buffer = b""
                self._exactly(1, end)
        except (Closed, ConnectionError):
            return True
        except TimeoutError:
            return False

    def _exactly(self, size, end):
        while len(self.buffer) < size:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no whole FastCGI answer in time, so far {self.buffer[:300]!r}")
            self.socket.settimeout(left)
            data = self.socket.recv(1 << 18)
            if not data:
                raise Closed(f"closed after {self.buffer[:300]!r}")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data
