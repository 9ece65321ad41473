#!/usr/bin/python3
# SPDX-License-Identifier: MIT
#
# LETTERBOX_ORIGIN=http://127.0.0.1:8000 scripts/run
# scripts/clients/examples/python/notes.py 8000                        and then http://127.0.0.1:8000 in a browser

import json, os, re, secrets, sys
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "../../python"))
from letterbox import Letterbox

letterbox = Letterbox()
users = {}  # by session; a restart logs everybody out


def site(environ, start):
    form = parse_qs(environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 65536)).decode(errors="replace"))
    to, name, text = (form.get(field, [""])[0] for field in ("to", "name", "text"))
    user = users.get(getattr(SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session"), "value", None))
    status, kind, body, more = "303 See Other", "text/plain", b"", [("Location", "/")]
    route = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    if route == "POST /login" and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):  # and here your site checks the password
        session = secrets.token_urlsafe()
        users[session] = name
        more.append(("Set-Cookie", f"session={session}; HttpOnly; SameSite=Strict"))
    elif route == "POST /token":
        token = letterbox.issue_token(user, ttl=3600) if user else {"user": None}
        status, kind, body = "200 OK", "application/json", json.dumps({**token, "url": os.environ.get("LETTERBOX_URL", "http://127.0.0.1:8080")}).encode()
    elif route == "POST /push" and user and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", to):  # to one user, from the one who is logged in
        letterbox.push(to, {"from": user, "text": text}, type="note")
    elif route == "GET /letterbox.js":
        status, kind, body = "200 OK", "text/javascript", (HERE / "../../../../nginx/www/letterbox.js").read_bytes()
    elif route == "GET /":
        status, kind, body = "200 OK", "text/html; charset=utf-8", (HERE / "../page.html").read_bytes()
    else:
        status = {"POST /push": "400 Bad Request" if user else "401 Unauthorized", "POST /login": "400 Bad Request"}.get(route, "404 Not Found")
    start(status, [("Content-Type", kind), *(more if status.startswith("303") else [])])
    return [body]


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), site).serve_forever()
