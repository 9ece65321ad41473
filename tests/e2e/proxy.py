#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A proxy before Letterbox that does to requests what networks and servers do: it loses answers, and says no.

usage: proxy.py PORT_OF_LETTERBOX PATH WORD...    prints its own port, and goes on until its standard input ends

Each request whose path begins with PATH takes the next WORD; all others, and those after the last one, pass:
  pass   it passes
  lose   Letterbox carries it out, and its answer is lost: the connection is closed
  half   the same, after half of the answer
  late   the same, and the connection stays open: there is no answer
  502    Letterbox carries it out, and the answer is a 502 in HTML
  429, 503, …   the request does not reach Letterbox; the answer is a temporary error of this status
"""

import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WISH_MS = 300  # how long a client should wait, by retry_after_ms


class Proxy:
    """Runs in threads of its own. `seen` has (method, path, headers, body) of the requests that took a word, and `times` when."""

    def __init__(self, port, path="/push", words=()):
        self.target = port
        self.path = path
        self.words = list(words)
        self.seen = []
        self.over = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def pass_on(self):
                proxy.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def handle(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        word = "pass"
        if request.path.startswith(self.path):
            self.seen.append((request.command, request.path, dict(request.headers), body))
            if self.words:
                word = self.words.pop(0)
        if word.isdigit() and word != "502":
            error = {"code": "tried", "message": "not now", "terminal": False, "retry_after_ms": WISH_MS}
            self.say(request, int(word), "application/json", json.dumps({"error": error}).encode())
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            upstream.request(request.command, request.path, body or None, {name: value for name, value in request.headers.items() if name.lower() != "connection"})
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if word == "pass":
            self.say(request, answer.status, answer.headers["Content-Type"], content)
        elif word == "502":
            self.say(request, 502, "text/html", b"<h1>502 Bad Gateway</h1>")
        else:
            if word == "half":
                request.send_response(answer.status)
                request.send_header("Content-Length", str(len(content)))
                request.end_headers()
                request.wfile.write(content[:len(content) // 2])
                request.wfile.flush()
            elif word == "late":
                self.over.wait(60)
            request.close_connection = True

    @staticmethod
    def say(request, status, kind, content):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


if __name__ == "__main__":
    with Proxy(int(sys.argv[1]), sys.argv[2], sys.argv[3:]) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()
