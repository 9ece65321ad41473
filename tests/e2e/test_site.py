# SPDX-License-Identifier: MIT
"""Letterbox on a site that is there already: the site's server includes letterbox-public.conf, and letterbox-private.conf
has a server of its own. And proxies in front of that one, which make the whole world seem to come from this machine."""

import re
import subprocess

import pytest

from expect import data, is_accepted, is_error
from own_nginx import OwnNginx
from stack import Stack
from web import target

# Paths that a site may have: those of Letterbox's private face, and some that only begin like the public ones.
SITE = """
    location / { return 200 "the site's page"; }
    location /users { return 200 "the site's users"; }
    location /groups/ { return 200 "the site's groups"; }
    location = /metrics { return 200 "the site's metrics"; }
    location = /healthz { return 200 "the site's health"; }
    location ~ ^/mailbox { return 200 "the site's mailbox"; }
    location /push { return 200 "the site's push"; }
    location /events/ { return 200 "the site's event"; }
    location /poll/ { return 200 "the site's opinion poll"; }
"""
KEPT = {"/": "page", "/users": "users", "/users/alice": "users", "/groups/team": "groups", "/metrics": "metrics", "/metrics/poll": "page", "/healthz": "health",
        "/readyz": "page", "/mailbox?user=alice": "mailbox", "/push": "push", "/push/x": "push", "/tokens": "page", "/events/today": "event", "/poll/7": "opinion poll",
        "/pollx": "page", "/eventsx": "page", "/alive/x": "page", "/acknowledged": "page", "/letterbox": "page"}


def site(public="letterbox-public.conf"):
    return f"""
    include letterbox-upstream.conf;
    server {{
        listen 127.0.0.1:PORT;
        include {public};
        {SITE}
    }}
    """


@pytest.fixture(scope="module")
def own_stack():
    stack = Stack(shared=True).start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def own_site(own_stack):
    with OwnNginx(own_stack, "site", site()) as own:
        yield own


def polls_below(face, stack, user, prefix=""):
    """All routes of the public face work below this prefix."""
    stack.pushed(user, "hello")
    answer = face.get(f"{prefix}/poll", user=user, client="a", after=0)
    assert data(answer.json) == ["hello"]
    assert b'"data":"hello"' in face.get(f"{prefix}/events", user=user, client="b", after=0, timeout=1).body
    assert face.request("POST", target(f"{prefix}/ack", user=user, client="a", after=answer.json["cursor"])).json == {"acknowledged": answer.json["cursor"]}
    assert face.get(f"{prefix}/alive", user=user).json["user"] == user


@pytest.mark.others_answer
@pytest.mark.parametrize("where", KEPT)
def test_site_keeps_its_paths(own_site, where):
    """a site that includes the public routes keeps each of its own paths, /users and /metrics among them"""
    for method in ("GET", "POST"):
        answer = own_site.request(method, where, body=b"x" if method == "POST" else None)
        assert (answer.status, answer.body.decode()) == (200, f"the site's {KEPT[where]}")


def test_public_routes_in_a_site(own_site, own_stack, user):
    """next to them the site's visitors poll, listen, acknowledge and send heartbeats"""
    polls_below(own_site, own_stack, user)


@pytest.mark.others_answer
def test_prefix(own_stack, user):
    """with the line that letterbox-public.conf suggests all its routes are below a prefix, and the site keeps its own"""
    folder = own_stack.dir / "nginx"
    line = re.search(r"(?m)^#     (sed .*) \\\n#         >(\S+)$", (folder / "letterbox-public.conf").read_text())
    command = line[1].replace("/usr/local/share/letterbox/nginx/", f"{folder}/")
    (folder / "prefixed.conf").write_bytes(subprocess.run(["sh", "-c", command], check=True, capture_output=True).stdout)
    with OwnNginx(own_stack, "below", site("prefixed.conf")) as below:
        polls_below(below, own_stack, user, "/letterbox")
        for where in ("/poll", "/events", "/ack", "/alive", "/letterbox", "/letterbox/", "/letterbox/pollx", "/letterbox/push", "/letterbox/poll/x"):
            assert below.get(where).body == b"the site's page"


PRIVATE = """
    include letterbox-upstream.conf;
    server {
        listen 127.0.0.1:PORT;
        listen unix:run/private.sock;
        include letterbox-private.conf;
        include server.conf;
    }
"""


@pytest.fixture(scope="module")
def private_server(own_stack):
    with OwnNginx(own_stack, "private", PRIVATE) as own:
        yield own


def test_private_server(private_server, own_site, own_stack, user):
    """the private face has a server of its own, where back ends push, look and measure"""
    assert is_accepted(private_server.push(user, "hello"))
    assert data(own_site.get("/poll", user=user, after=0).json) == ["hello"]
    assert private_server.mailbox(user)["queued"] == 1
    for where in ("/metrics", "/metrics/poll", "/healthz", "/healthz/poll", "/readyz", "/readyz/poll", "/users", "/groups", "/groups/team", f"/scheduled?user={user}", f"/tokens?user={user}"):
        assert private_server.get(where).status == 200


@pytest.mark.parametrize("where", ["/poll?user=alice&timeout=0", "/events?user=alice", "/alive?user=alice", "/", "/nowhere"])
def test_nothing_else_in_the_private_server(private_server, where):
    """there are no polls there, and an unknown route is told by the contract's JSON error"""
    assert is_error(private_server.get(where), 404, "unknown_route")


def test_private_server_errors(private_server):
    """a request that nginx itself refuses there gets the contract's JSON error, too"""
    assert is_error(private_server.request("POST", "/push?to=alice", body=b"x" * 300_000), 413, "too_large")
    assert is_error(private_server.request("TRACE", "/push"), 405, "wrong_method")


# --- proxies in front of it

FORWARDED = {
    "nginx as it is": "",
    "X-Forwarded-For": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "X-Forwarded-Host": "proxy_set_header X-Forwarded-Host $host;",
    "X-Forwarded-Proto": "proxy_set_header X-Forwarded-Proto $scheme;",
    "X-Real-IP": "proxy_set_header X-Real-IP $remote_addr;",
    "Forwarded": "proxy_set_header Forwarded for=$remote_addr;",
    "Via": 'proxy_set_header Via "1.1 proxy";',
    "a CDN's loop": "proxy_set_header CDN-Loop cloudflare;",
    "a CDN's agent": "proxy_set_header CF-Connecting-IP $remote_addr;",
    "another CDN": "proxy_set_header True-Client-IP $remote_addr;",
}


class Proxy(OwnNginx):
    """A second nginx, which forwards every request to the private server."""

    def __init__(self, stack, to, adds):
        modern = 'proxy_http_version 1.1; proxy_set_header Connection "";' if adds else ""
        super().__init__(stack, "proxy", f"server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass {to}; {modern} {adds} }} }}")


PRIVATE_ROUTES = [("POST", "/push?to=alice"), ("GET", "/mailbox?user=alice"), ("DELETE", "/mailbox?user=alice"), ("GET", "/scheduled?user=alice"), ("DELETE", "/scheduled?id=alice.0123456789abcdef"), ("POST", "/tokens"), ("GET", "/users"), ("POST", "/users/lock"),
                  ("DELETE", "/users/alice"), ("GET", "/groups"), ("PUT", "/groups/team"), ("GET", "/groups/team"), ("PUT", "/groups/team/alice"), ("GET", "/metrics"), ("GET", "/push"), ("GET", "/users/nowhere")]


@pytest.mark.parametrize("adds", FORWARDED)
def test_behind_a_proxy(own_stack, private_server, user, adds):
    """behind a proxy on the same machine no outside client passes for loopback: without a key the whole private face is refused"""
    with Proxy(own_stack, private_server.url, FORWARDED[adds]) as proxy:
        for method, where in PRIVATE_ROUTES:
            for claims in ([], [("X-Forwarded-For", ""), ("Via", "")], [("Authorization", "Bearer guess-0123456789ab")], [("Letterbox-Forwarded", "")]):
                assert is_error(proxy.request(method, where, claims, b"x" if method == "POST" else None), 403, "forwarded")
        assert is_error(proxy.get("/metrics/poll"), 403, "forbidden")
        assert is_accepted(private_server.push(user, "hello"))
    assert own_stack.mailbox("alice")["queued"] == 0


def test_behind_a_proxy_on_a_unix_socket(own_stack, private_server):
    """so it is if the proxy reaches that server by its unix socket"""
    with Proxy(own_stack, "http://unix:run/private.sock:", "") as proxy:
        assert is_error(proxy.push("alice", "hello"), 403, "forwarded")
        assert is_error(proxy.get("/metrics/poll"), 403, "forbidden")


def test_health_behind_a_proxy(own_stack, private_server):
    """health and readiness may be asked through a proxy, such as one that checks the programs"""
    with Proxy(own_stack, private_server.url, "") as proxy:
        for where in ("/healthz", "/readyz", "/healthz/poll", "/readyz/poll"):
            assert proxy.get(where).status == 200


def test_key_behind_a_proxy(new_stack, tmp_path, user):
    """with a key a proxy may forward to the private face: a request with the key comes in, and no other"""
    key = "key-of-back-ends-0123"
    (tmp_path / "key").write_text(key)
    stack = new_stack(key_file=tmp_path / "key")
    with OwnNginx(stack, "private", PRIVATE) as private, Proxy(stack, private.url, FORWARDED["X-Forwarded-For"]) as proxy:
        assert is_accepted(proxy.push(user, "hello", [("Authorization", f"Bearer {key}")]))
        assert is_error(proxy.push(user, "hello"), 401, "bad_key")
        assert is_error(proxy.get("/metrics/poll", [("Authorization", f"Bearer {key}")]), 403, "forbidden")
