# SPDX-License-Identifier: MIT
"""The back ends in scripts/clients/examples, run as their first lines say, and the request that the README shows in PHP and Python."""

import re
import subprocess
import sys
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest

from letterbox import Letterbox
from ports import spare_port
from stack import ROOT, Face, environment
from waits import eventually

pytestmark = pytest.mark.others_answer

EXAMPLES = ROOT / "scripts" / "clients" / "examples"
# By language: the command, without its last argument for PHP's server.
COMMANDS = {
    "php": lambda port: ["php", "-S", f"127.0.0.1:{port}", EXAMPLES / "php" / "index.php"],
    "python": lambda port: [EXAMPLES / "python" / "notes.py", str(port)],
    "node": lambda port: ["node", EXAMPLES / "node" / "server.mjs", str(port)],
}


class Site(Face):
    """A back end as a browser sees it, with a cookie."""

    cookie = None

    def form(self, path, **fields):
        headers = [("Content-Type", "application/x-www-form-urlencoded"), *([("Cookie", self.cookie)] if self.cookie else [])]
        answer = self.request("POST", path, headers, urlencode(fields).encode())
        set_cookie = [value for name, value in answer.headers if name == "set-cookie"]
        if set_cookie:
            self.cookie = set_cookie[-1].partition(";")[0]
            assert "httponly" in set_cookie[-1].lower() and "samesite=strict" in set_cookie[-1].lower()
            assert len(SimpleCookie(self.cookie)) == 1
        return answer


@pytest.fixture(params=COMMANDS)
def site(request, stack, tmp_path):
    port = spare_port()
    process = subprocess.Popen(COMMANDS[request.param](port), cwd=tmp_path, env=environment({"url": stack.url}), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def listens():
            assert process.poll() is None
            try:
                Face(port).connect().close()
            except OSError:
                return False
            return True
        eventually(listens, "it listens")
        yield lambda: Site(port)
    finally:
        process.kill()
        process.wait()


def test_example(stack, site, users):
    """a login hands out a token, by which a page listens; a form pushes, and who it is from says the login"""
    alice, bob = users(2)
    pages = {name: site() for name in (alice, bob)}
    for name, page in pages.items():
        assert b"new Letterbox(" in page.get("/").body and page.get("/letterbox.js").header("Content-Type").startswith("text/javascript")
        answer = page.form("/login", name=name)
        assert answer.status == 303 and answer.header("Location") == "/"
    token = pages[alice].form("/token").json
    assert token["user"] == alice and token["url"] == stack.url
    text = "it's <b>\"half\" past & 100% ünï</b>"
    assert pages[bob].form("/push", to=alice, text=text, **{"from": "another"}).status == 303
    with Letterbox(stack.url) as client:
        message = next(client.poll(token=token["token"], wait=15))
    assert (message.type, message.data) == ("note", {"from": bob, "text": text})


def test_example_refuses(stack, site, user):
    """without a login there is no token and no push; a note goes to one user, not to a group or to all"""
    page = site()
    assert page.form("/token").json["user"] is None and "token" not in page.form("/token").json
    assert page.form("/push", to=user, text="x").status == 401 and page.form("/nothing").status == 404
    assert page.form("/login", name="no name").status == 400
    assert page.form("/login", name=user).status == 303
    for to in ("*", "group:all", f"{user},b", "", "a\n"):
        assert page.form("/push", to=to, text="x").status == 400, to
    assert stack.mailbox(user)["queued"] == 0


def blocks(language):
    """The blocks of code in the README that are in this language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize("language, run", [("php", lambda code: ["php", "-r", code + "echo $token;"]), ("python", lambda code: [sys.executable, "-W", "error", "-c", "import json, urllib.parse, urllib.request\n" + code + "print(token)"])], ids=["php", "python"])
def test_readme(stack, language, run):
    """what the README shows for a back end gets a token, and pushes"""
    code, = blocks(language)
    with Letterbox(stack.url) as client:
        client.delete("alice")
        ended = subprocess.run(run(code.replace("http://127.0.0.1:8080", stack.url)), capture_output=True, text=True, timeout=60)
        assert ended.stderr == "" and ended.returncode == 0, ended
        message, = client.poll(token=ended.stdout.strip(), wait=0)
        assert (message.type, message.data) == ("mail", {"from": "bob", "subject": "Lunch?"})


def test_client_readme(stack, user):
    """what scripts/clients/README.md shows for a push does it in both languages"""
    text = (ROOT / "scripts" / "clients" / "README.md").read_text().replace("http://127.0.0.1:8080", stack.url).replace("alice", user)
    python, php = (re.findall(rf"```{language}\n(.*?)```", text, re.S)[0] for language in ("python", "php"))
    folder = ROOT / "scripts" / "clients"
    for command in ([sys.executable, "-B", "-c", "from letterbox import Letterbox\n" + python], ["php", "-r", f"require '{folder}/php/Letterbox.php'; use Letterbox\\Letterbox; {php}"]):
        ended = subprocess.run(command, cwd=folder / "python", capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert [message["data"] for message in stack.look(user, after=0)["messages"]] == [{"total": 3}] * 2
