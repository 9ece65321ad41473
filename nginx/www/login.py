#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The back end of the page /login: signs people in, gets their page a token, and pushes for them.

usage: login.py SOCKET [URL]    example: login.py run/login.sock http://127.0.0.1:8080

The browser neither says who it is nor pushes. It shows a signed cookie; this program knows by it
who is signed in. nginx passes /login/… to SOCKET; LETTERBOX_KEY_FILE has the key if there is one.
"""

import contextlib, hashlib, hmac, json, os, re, secrets, sys, time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../scripts/clients/python"))
from letterbox import Letterbox, LetterboxError

NAME = r"[A-Za-z0-9._-]{1,64}"
LIFE = 8 * 3600  # seconds until a cookie ends
SECRET = secrets.token_bytes(32)  # signs the cookies: a restart signs everybody out
letterbox = Letterbox(sys.argv[2] if len(sys.argv) > 2 else None, retry_for=5)


def signed(text):
    return f"{text}:{hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()}"


def user_of(cookies):
    """Who is signed in; None if the cookie is missing, forged or too old."""
    found = re.search(rf"(?:^|; )login=(({NAME}):([0-9]+):[0-9a-f]+)(?:;|$)", cookies)
    if found and hmac.compare_digest(found[1], signed(f"{found[2]}:{found[3]}")) and int(found[3]) > time.time():
        return found[2]
    return None


class BackEnd(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = user_of(self.headers["Cookie"] or "")
            if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
                self.answer(403, error="Only the pages of this site may ask.")
            elif self.path == "/login/in":
                name = re.fullmatch(NAME, asked["name"])[0]  # and here your site checks the password
                self.answer(200, signed(f"{name}:{int(time.time()) + LIFE}"), user=name)
            elif self.path == "/login/out":
                self.answer(200, "", user=None)
            elif self.path == "/login/token":
                self.answer(200, **(letterbox.issue_token(user, ttl=600) if user else {"user": None}))
            elif self.path == "/login/push" and user:
                # To one user, not to a group or to all. The cookie says who it is from.
                to, text = re.fullmatch(NAME, asked["to"])[0], str(asked["text"])[:2000]
                self.answer(200, **letterbox.push(to, {"from": user, "text": text}, type="note"))
            else:
                self.answer(401, error="Log in first.")
        except (KeyError, TypeError, ValueError, RecursionError):
            self.answer(400, error="A name has 1 to 64 letters, digits, dots, dashes or underscores.")
        except LetterboxError:
            self.answer(502, error="Letterbox is away, or has refused.")

    def answer(self, status, cookie=None, **fields):
        body = json.dumps(fields).encode()
        self.send_response(status)
        if cookie is not None:  # behind TLS add: Secure
            self.send_header("Set-Cookie", f"login={cookie}; Path=/login/; Max-Age={LIFE if cookie else 0}; HttpOnly; SameSite=Strict")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """nginx logs the requests."""


if __name__ == "__main__":
    with contextlib.suppress(FileNotFoundError):
        os.unlink(sys.argv[1])
    os.umask(0o117)  # the socket is for this user and group: nginx is one of them
    ThreadingUnixStreamServer(sys.argv[1], BackEnd).serve_forever()
