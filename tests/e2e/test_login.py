# SPDX-License-Identifier: MIT
"""The back end of the page /login, as a part of the stack: which cookies it believes, and what it does for a user. The page is tested in a browser, in tests/browser/pages."""

import json
import os
import re
import runpy
import signal
import time

import pytest

from stack import PARTS, ROOT, Stack, alive
from test_scripts import Run, processes_in
from waits import eventually

PATIENCE = 60

pytestmark = pytest.mark.others_answer


@pytest.fixture
def demo(new_stack):
    return new_stack(demo=1, open=0)


@pytest.fixture(scope="module")
def shared_demo():
    stack = Stack(shared=True, demo=1, open=0).start()
    yield stack
    stack.stop()


def ask(stack, what, data=None, headers=()):
    body = data if isinstance(data, bytes) else json.dumps({} if data is None else data).encode()
    return stack.request("POST", f"/login/{what}", [("Content-Type", "application/json"), *headers], body)


def log_in(stack, name):
    """The header by which a browser shows that it is logged in."""
    answer = ask(stack, "in", {"name": name})
    assert answer.status == 200, answer
    return ("Cookie", answer.header("Set-Cookie").partition(";")[0])


def test_log_in(shared_demo, user):
    """a login sets a cookie that no script and no other site can use; the token that it is good for polls, without --open"""
    answer = ask(shared_demo, "in", {"name": user})
    assert answer.status == 200 and answer.json == {"user": user}
    cookie, *flags = answer.header("Set-Cookie").split("; ")
    assert re.fullmatch(rf"login={user}:\d+:[0-9a-f]{{64}}", cookie)
    assert flags == ["Path=/login/", "Max-Age=28800", "HttpOnly", "SameSite=Strict"]
    assert answer.header("Cache-Control") == "no-store" and answer.header("X-Content-Type-Options") == "nosniff"
    token = ask(shared_demo, "token", headers=[("Cookie", cookie)]).json
    assert token["user"] == user
    assert shared_demo.get("/poll", user=user, timeout=0).status == 401
    assert shared_demo.get("/poll", [("Authorization", f"Bearer {token['token']}")], timeout=0).status == 200


def test_log_out(shared_demo, user):
    """a logout has the browser drop the cookie"""
    answer = ask(shared_demo, "out", headers=[log_in(shared_demo, user)])
    assert answer.status == 200 and answer.header("Set-Cookie").startswith("login=; Path=/login/; Max-Age=0;")


@pytest.mark.parametrize("change", [lambda name, until, sign: f"login=admin:{until}:{sign}", lambda name, until, sign: f"login={name}:{int(until) + 1}:{sign}",
                                    lambda name, until, sign: f"login={name}:{until}:{sign[:-1]}", lambda name, until, sign: f"login={name}:{until}:", lambda name, until, sign: f"login={name}",
                                    lambda name, until, sign: f"login={name}:{until}:{'0' * 64}", lambda name, until, sign: f"xlogin={name}:{until}:{sign}",
                                    lambda name, until, sign: "login=", lambda name, until, sign: "login=\xff:1:\xff", lambda name, until, sign: f"login={name}:{'9' * 6000}:{sign}"],
                         ids=["another name", "a later end", "a shorter signature", "no signature", "a name alone", "zeros", "another cookie", "empty", "no ASCII", "huge"])
def test_forged(shared_demo, user, change):
    """a cookie that differs in any letter from the one that a login set is worthless: no token, and no push"""
    _, cookie = log_in(shared_demo, user)
    forged = ("Cookie", change(*cookie.removeprefix("login=").split(":")))
    assert ask(shared_demo, "token", headers=[forged]).json == {"user": None}
    assert ask(shared_demo, "push", {"to": user, "text": "x"}, [forged]).status == 401
    assert shared_demo.mailbox(user)["queued"] == 0


def test_too_old(monkeypatch):
    """a cookie ends by itself, even though its signature is good"""
    monkeypatch.setattr("sys.argv", ["login.py", "socket"])
    back_end = runpy.run_path(str(ROOT / "nginx" / "www" / "login.py"))
    now = int(time.time())
    users = [back_end["user_of"]("login=" + back_end["signed"](f"alice:{until}")) for until in (now - 1, now + 1000)]
    assert users == [None, "alice"]


def test_push(shared_demo, users):
    """a note goes to one user, and names the user who is logged in, whatever the page says"""
    sender, recipient = users(2)
    answer = ask(shared_demo, "push", {"to": recipient, "text": "hello", "from": "another"}, [log_in(shared_demo, sender)])
    assert answer.status == 200 and answer.json["queued"] == 1
    token = ask(shared_demo, "token", headers=[log_in(shared_demo, recipient)]).json["token"]
    messages = shared_demo.get("/poll", [("Authorization", f"Bearer {token}")], after=0, timeout=0).json["messages"]
    assert [(message["type"], message["data"]) for message in messages] == [("note", {"from": sender, "text": "hello"})]


@pytest.mark.parametrize("to", ["*", "group:all", "a,b", "", " ", "a\n", "a b", "é", "x" * 65, None, 1, ["alice"], {"a": 1}], ids=repr)
def test_push_to_others(shared_demo, user, to):
    """only one user can be the recipient: no group, no list, no star"""
    assert ask(shared_demo, "push", {"to": to, "text": "x"}, [log_in(shared_demo, user)]).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"name":1}', b'{"name":null}', b'{"name":"a\\nSet-Cookie: x=y"}', b"\xff", b"[" * 10000], ids=lambda body: repr(body[:30]))
def test_bad_login(shared_demo, body):
    """a body that names no user logs no user in, and sets no cookie"""
    answer = ask(shared_demo, "in", body)
    assert answer.status == 400 and answer.header("Set-Cookie") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
@pytest.mark.parametrize("what", ["in", "out", "token", "push"])
def test_other_sites(shared_demo, user, what, site):
    """a page of another site, or of another port of this host, can't ask, not even with the cookie"""
    answer = ask(shared_demo, what, {"name": user, "to": user, "text": "x"}, [log_in(shared_demo, user), ("Sec-Fetch-Site", site)])
    assert answer.status == 403 and answer.header("Set-Cookie") is None
    assert ask(shared_demo, what, {"name": user, "to": user, "text": "x"}, [log_in(shared_demo, user), ("Sec-Fetch-Site", "same-origin")]).status == 200


def test_too_long(shared_demo):
    """nginx refuses a body longer than any page sends"""
    assert ask(shared_demo, "in", {"name": "x" * 20000}).status == 413


def test_key(new_stack, tmp_path, user):
    """if Letterbox has a key the back end shows it"""
    key = tmp_path / "key"
    key.write_text("0tUHRt4qk0wWC7W9Ht1sZw\n")
    stack = new_stack(demo=1, open=0, key_file=key)
    assert stack.push(user, "x").status == 401
    assert ask(stack, "push", {"to": user, "text": "x"}, [log_in(stack, user)]).status == 200


def test_kept_running(demo, user):
    """a back end that dies is started again, with its socket; then no user is logged in any more"""
    cookie = log_in(demo, user)
    demo.crash("login")
    eventually(lambda: ask(demo, "token", headers=[cookie]).status == 200, "it answers again", deadline=PATIENCE)
    assert ask(demo, "token", headers=[cookie]).json == {"user": None}
    assert ask(demo, "token", headers=[log_in(demo, user)]).json["user"] == user


def test_status(demo):
    """status has a line for the back end, start starts it if it is missing or has lost its socket, and without it nginx says away"""
    assert re.search(rf"^login: runs, pid {demo.keeper('login')}$", demo.service("status").stdout, re.M)
    before = demo.pids()
    for lose, words in ((lambda: demo.end("login", signal.SIGKILL), "does not run"), (lambda: os.unlink(demo.dir / "run" / "login.sock"), "its socket .* is gone")):
        lose()
        answer = ask(demo, "token")
        assert answer.status == 502 and answer.json["error"]["code"] == "away"
        ended = demo.service("status")
        assert ended.returncode == 3 and re.search(rf"^login: .*{words}", ended.stdout, re.M), ended.stdout
        ended = demo.service("start")
        assert ended.returncode == 0 and re.search(r"^login: started", ended.stdout, re.M), ended.stdout
        assert ask(demo, "token").status == 200 and demo.pids() == before
    assert demo.service("restart").returncode == 0
    assert demo.service("stop").returncode == 0 and processes_in(demo.dir) == []


def test_without(new_stack):
    """there is no back end if polls take identity from nginx or a token, unless it is asked for, nor without a demo"""
    for settings in ({"demo": 0}, {"demo": "", "open": 0}):
        stack = new_stack(**settings)
        assert "login" not in stack.service("status").stdout and stack.keeper("login") is None
        assert stack.get("/login").status == 200 and ask(stack, "token").status == 502


def test_run_goes_on():
    """scripts/run goes on without the back end, and still sees to the worker"""
    with Run(demo=1).ready() as run:
        for part in ("login", "jobs"):
            os.kill(run.pid(part), signal.SIGKILL)
            eventually(lambda part=part: re.search(rf"^{part}: has ended; all else goes on", run.said(), re.M), "it has noticed", deadline=PATIENCE)
        assert run.process.poll() is None and all(alive(run.pid(part)) for part in PARTS)
        assert run.end() == 0
        eventually(lambda: processes_in(run.dir) == [], "nothing is left", deadline=PATIENCE)
