# SPDX-License-Identifier: MIT
"""The pages as nginx serves them: types, headers, and which addresses get them. Their behaviour is tested in a browser, in tests/browser/pages."""

import re
import shutil
import subprocess

import pytest

from expect import is_error
from ports import spare_port
from stack import ROOT, Face, Stack, environment, new_directory

WWW = ROOT / "nginx" / "www"
PAGES = {"/": "index.html", "/chat": "chat.html", "/mail": "mail.html", "/work": "work.html", "/login": "login.html", "/admin": "admin.html"}
FILES = [path.relative_to(WWW).as_posix() for path in sorted(WWW.glob("**/*")) if path.is_file() and path.suffix != ".html" and path.name not in ("README.md", "LICENSE", "package.json")]
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".ts": "text/plain; charset=utf-8", ".py": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
         ".svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def addressed_stack():
    """A stack whose nginx is told addresses, and lets those of a back end in."""
    stack = Stack(shared=True).start()
    stack.know_addresses()
    stack.add_nginx("letterbox-push.conf", "allow 203.0.113.0/24;")
    stack.reload_nginx()
    yield stack
    stack.stop()


@pytest.mark.parametrize("where,file", [*PAGES.items(), *((f"/{name}", name) for name in FILES)])
def test_served(stack, where, file):
    """each page and each of its files is served unchanged, with its type, and is asked for again each time"""
    answer = stack.get(where)
    path = WWW / file
    assert answer.status == 200 and answer.body == path.read_bytes()
    assert answer.header("Content-Type") == TYPES[path.suffix]
    assert answer.header("Cache-Control") == "no-cache"
    assert answer.header("Referrer-Policy") == "no-referrer"
    again = stack.get(where, [("If-None-Match", answer.header("ETag"))])
    assert again.status == 304


@pytest.mark.parametrize("where", PAGES)
def test_policy(stack, where):
    """a page's policy lets in this server's own files, nothing inline, and no frames"""
    policy = dict((directive.strip().split(" ", 1) + [""])[:2] for directive in stack.get(where).header("Content-Security-Policy").split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'" and policy["form-action"] == "'none'"
    assert all(policy[name] == "'self'" for name in ("script-src", "style-src", "connect-src", "img-src"))
    assert not any("unsafe" in value or "http" in value or "*" in value for value in policy.values())


@pytest.mark.parametrize("file", PAGES.values())
def test_nothing_inline(file):
    """no page has a script, a style or a handler in it, or asks another server for anything"""
    text = (WWW / file).read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=\"/)", text)
    assert not re.search(r"(?:src|href)=\"(?!/|#)", text)
    assert "<noscript>" in text


def test_one_header():
    """each page has the same header, in which its own link alone is the current one, and the same words for a browser without scripts"""
    def cut(file, begin, end):
        text = (WWW / file).read_text()
        return text[text.index(begin):text.index(end)]

    headers = {where: cut(file, "<a class=\"skip\"", "</noscript>") for where, file in PAGES.items()}
    for where, text in headers.items():
        assert re.findall(r'<a href="([^"]*)" aria-current="page">', text) == [where]
        assert set(re.findall(r'<a href="([^"]*)"', text)) == set(PAGES)
    assert len({text.replace(' aria-current="page"', "") for text in headers.values()}) == 1


def test_no_markup_from_text():
    """no module of the pages can make markup of text"""
    for path in sorted(WWW.glob("pages/*.js")):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|createContextualFragment|\beval\b|new Function", path.read_text()), path.name


@pytest.mark.parametrize("where", ["/chat/", "/chat.html", "/index.html", "/pages/", "/pages", "/pages/../nginx.conf", "/www/chat.html", "/nginx/www/chat.html", "/pages/chat.js/x", "/adminx", "/login/", "/login/other", "/PROTOCOL", "/KEYS.md", "/README.md", "/LICENSE", "/package.json",
                                   "/%2e%2e/nginx.conf", "/pages/%2e%2e/%2e%2e/nginx.conf", "/admin%0a", "/ADMIN"])
def test_nothing_else(stack, where):
    """nothing but the pages and their files is served"""
    answer = stack.request("GET", where)
    assert answer.status == 400 or is_error(answer, 404, "unknown_route")


@pytest.mark.parametrize("where", ["/admin", *(f"/{name}" for name in FILES if name.startswith("pages/admin"))])
def test_admin_is_private(addressed_stack, where):
    """the admin page and its modules are open to the same addresses as /push"""
    assert is_error(addressed_stack.get(where, [("X-From", "198.51.100.1")]), 403, "forbidden")
    for address in ("127.0.0.1", "203.0.113.7"):
        assert addressed_stack.get(where, [("X-From", address)]).status == 200


@pytest.mark.parametrize("where", [where for where in PAGES if where != "/admin"])
def test_others_are_public(addressed_stack, where):
    """the other pages are open to all addresses"""
    assert addressed_stack.get(where, [("X-From", "198.51.100.1")]).status == 200


@pytest.mark.parametrize("name", ["with space", "quote's \"$HOME\" & ; | * [x]", "back\\slash", "grüße"], ids=["space", "signs", "backslash", "accents"])
def test_any_repository(name):
    """the repository may be anywhere, by any name"""
    base = new_directory()
    root = base / name
    for folder in ("scripts", "nginx"):
        shutil.copytree(ROOT / folder, root / folder)
    port = spare_port()

    def service(*arguments):
        return subprocess.run([root / "scripts" / "service", *arguments, "--dir", base / "d"], env=environment({"build": environment().get("LETTERBOX_BUILD") or ROOT / "build"}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)

    try:
        started = service("start", "--port", str(port))
        assert started.returncode == 0, started.stdout
        assert Face(port).get("/chat").body == (WWW / "chat.html").read_bytes()
        assert service("restart").returncode == 0
        assert Face(port).get("/pages/chat.js").body == (WWW / "pages" / "chat.js").read_bytes()
    finally:
        service("stop")
        shutil.rmtree(base)
