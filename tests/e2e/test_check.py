# SPDX-License-Identifier: MIT
"""letterbox-poll --check and scripts/check: each fault of Redis, nginx and the way to the browser is found, and named once with its remedy."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from expect import data, is_accepted
from ports import spare_port
from redis_group import Server
from signer import KeyPair, Secret
from stack import BUILD, ROOT, SCRIPTS, Stack, environment, new_directory
from streams import Stream
from test_programs import PROGRAMS, run
from test_tokens import bearer, issued, post
from waits import eventually
from web import DEADLINE

PASSWORD = "secret"
WELL = {"appendonly": "yes", "maxmemory": "100mb", "maxmemory-policy": "noeviction", "save": ""}
FEW = ("--max-parked", 100, "--lanes", 10, "--workers", 2)


def level_of(line):
    return line.partition(":")[0]


def bad(lines):
    """The findings that are not ok."""
    assert all(level_of(line) in ("ok", "warning", "error") for line in lines), lines
    return [line for line in lines if level_of(line) != "ok"]


def check(program, *arguments, **settings):
    """(exit status, findings) of --check."""
    status, out, err = run(program, "--check", *arguments, **settings)
    assert err == "", err
    return status, out.splitlines()


@pytest.fixture
def own_redis():
    """Starts a Redis that is set up well except for the given changes."""
    directory, servers = new_directory(), []

    def start(**changes):
        settings = WELL | {name.replace("_", "-"): value for name, value in changes.items()}
        server = Server(directory, spare_port(), *[word for name, value in settings.items() for word in (f"--{name}", value)])
        servers.append(server)
        server.start()
        server.address = f"127.0.0.1:{server.port}"
        return server

    yield start
    for server in servers:
        server.kill()
    shutil.rmtree(directory)


# --- Redis ------------------------------------------------------------------------------------------------------------


@PROGRAMS
def test_well(program, own_redis):
    """if all is well --check says only ok, exits 0, and leaves nothing in Redis"""
    server = own_redis()
    status, lines = check(program, "--redis", server.address, *(FEW if program == "poll" else ()))
    assert (status, bad(lines)) == (0, [])
    assert server.client.keys("*") == []


@pytest.mark.parametrize("changes, level, words", [
    ({"appendonly": "no"}, "warning", "appendonly yes"),
    ({"maxmemory": 0}, "warning", "maxmemory"),
    ({"maxmemory-policy": "allkeys-lru"}, "error", "allkeys-lru"),
    ({"maxmemory": "700kb"}, "error", "is full"),
    ({"maxclients": 16}, "warning", "maxclients"),
], ids=["no append-only file", "no bound of memory", "eviction", "full", "few connections"])
def test_redis_set_up_wrongly(own_redis, changes, level, words):
    """a wrong setting of Redis is found, once, and nothing else"""
    server = own_redis(**changes)
    status, lines = check("poll", "--redis", server.address, *FEW)
    [finding] = bad(lines)
    assert level_of(finding) == level and words in finding
    assert status == (1 if level == "error" else 0)


def test_replicas(own_redis):
    """fewer replicas than --redis-replicas is an error"""
    status, lines = check("push", "--redis", own_redis().address, "--redis-replicas", 1)
    [finding] = bad(lines)
    assert status == 1 and "--redis-replicas" in finding


def test_open(own_redis):
    """--open is a warning"""
    status, lines = check("poll", "--redis", own_redis().address, *FEW, "--open")
    [finding] = bad(lines)
    assert (status, level_of(finding)) == (0, "warning") and "--open" in finding


def test_few_descriptors(own_redis):
    """fewer file descriptors than --max-parked needs is a warning that says how many, and that number is enough"""
    address = own_redis().address

    def check_with(descriptors):
        ended = subprocess.run([BUILD / "letterbox-poll", "--check", "--redis", address, "--max-parked", "1000", "--lanes", "10"], env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, timeout=30,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
        return bad(ended.stdout.splitlines())

    [finding] = check_with(500)
    assert level_of(finding) == "warning"
    assert check_with(int(re.search(r"LimitNOFILE=(\d+)", finding)[1])) == []


def test_redis_away():
    """a Redis that can't be reached is an error, and everything that needs no Redis is still looked at"""
    status, lines = check("poll", "--redis", f"127.0.0.1:{spare_port()}", "--open")
    assert status == 1
    assert [level_of(line) for line in bad(lines) if "Redis" in line] == ["error"]
    assert [level_of(line) for line in bad(lines) if "--open" in line] == ["warning"]


def test_settings(tmp_path):
    """--settings prints the settings in effect, and of a secret only its file"""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    status, out, _ = run("poll", "--settings", "--push-listen", "fd:3", "--key-file", key, "--poll-timeout-max", 70, redis_db=3)
    assert status == 0 and "0123456789abcdef" not in out
    settings = dict(line.split("=", 1) for line in out.splitlines())
    assert settings["LETTERBOX_POLL_TIMEOUT_MAX"] == "70" and settings["LETTERBOX_REDIS_DB"] == "3"
    assert settings["LETTERBOX_KEY_FILE"] == str(key) and settings["LETTERBOX_OPEN"] == "0" and settings["LETTERBOX_STREAM_PING"] == "15"


def test_secrets_that_everybody_may_read(own_redis, tmp_path):
    """a secret's file that everybody may read is found, with its option and the remedy; a public key's is not"""
    key, secret, public = tmp_path / "key", Secret(tmp_path, "secret").file, KeyPair(tmp_path, "public", "EdDSA").file
    key.write_text("0123456789abcdef\n")
    arguments = ("--redis", own_redis().address, "--push-listen", "fd:3", "--key-file", key, "--jwt-key", secret, "--jwt-key-2", public, *FEW)
    public.chmod(0o644)
    for mode, found in ((0o644, [f"{key} (--key-file)", f"{secret} (--jwt-key)"]), (0o604, [f"{key} (--key-file)", f"{secret} (--jwt-key)"]), (0o640, [])):
        for file in (key, secret):
            file.chmod(mode)
        status, lines = check("poll", *arguments)
        assert status == 0 and len(bad(lines)) == len(found)
        for finding, file in zip(bad(lines), found):
            assert level_of(finding) == "warning" and file in finding and "chmod o=" in finding


# --- rights in Redis --------------------------------------------------------------------------------------------------


def acl_line():
    status, out, _ = run("poll", "--acl")
    assert status == 0 and len(out.splitlines()) == 1
    return out.strip().replace("PASSWORD", PASSWORD)


def rights():
    return re.findall(r" \+(\S+)", acl_line())


def patterns():
    return re.findall(r" ~(\S+)", acl_line())


CONTAINERS = ["CLIENT", "CLUSTER"]


def test_rights_of_the_code():
    """the access list has the commands that the Lua and the C++ call, and no others"""
    called = set()
    for path in (ROOT / "lib" / "mailbox").glob("**/*.lua"):
        called |= set(re.findall(r"\bp?call\('([A-Z]+)'", path.read_text()))
    for path in (ROOT / "lib").glob("**/*.cpp"):
        text = path.read_text()
        called |= {"|".join(filter(None, words)) for words in re.findall(r'(?:command\(|words|co_await|\n *)\{"(CLIENT|CLUSTER|[A-Z]{3,})"(?:, "([A-Z]+)")?', text) if words[0] in CONTAINERS}
        called |= set(re.findall(r'(?:command\(|words|\n *)\{"([A-Z]{3,})"', text)) | set(re.findall(r'words\.emplace_back\("([A-Z]+)"\)', text))
        called |= set(re.findall(r'(?:kByHash = |append_word\(text, )"([A-Z]+)"', text))
    assert len(called) > 50
    called.add("CLUSTER|INFO")  # --check asks it
    called -= {*CONTAINERS, "SENTINEL", "AUTH"}  # of some the subcommand counts; SENTINEL is asked of sentinels; AUTH is always allowed
    called = {re.sub(r"^(?!CLIENT|CLUSTER).*", lambda match: match[0].split("|")[0], name).lower() for name in called}
    assert called == set(rights())


@pytest.fixture
def guarded_redis(own_redis):
    """A Redis whose user `letterbox` has what --acl prints; the default user has everything. It is there again after a restart."""
    directory = new_directory()
    acl = directory / "users.acl"
    acl.write_text("user default on nopass ~* &* +@all\n")
    server = own_redis(aclfile=acl)
    server.client.execute_command(acl_line())
    server.client.execute_command("ACL SAVE")
    password = directory / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    server.login = ("--redis", server.address, "--redis-user", "letterbox", "--redis-password-file", password)
    yield server
    shutil.rmtree(directory)


def denied(server):
    return server.client.execute_command("ACL LOG")


@PROGRAMS
def test_acl_is_enough_to_check(program, guarded_redis):
    """for a user with the rights that --acl prints --check finds nothing, and does nothing that is denied"""
    status, lines = check(program, *guarded_redis.login, *(FEW if program == "poll" else ()))
    assert (status, bad(lines), denied(guarded_redis)) == (0, [], [])


def test_each_right_is_missed(guarded_redis):
    """if any one command is denied --check names it, and nothing else"""
    for right in rights():
        if right.startswith("cluster|"):
            continue  # only a cluster is asked
        guarded_redis.client.execute_command(f"ACL SETUSER letterbox -{right}")
        status, lines = check("poll", *guarded_redis.login, *FEW, "--redis-timeout", 5)
        guarded_redis.client.execute_command(f"ACL SETUSER letterbox +{right}")
        assert len(bad(lines)) == 1, (right, lines)
        [finding] = bad(lines)
        assert re.search(rf"\b{re.escape(right)}\b", finding, re.I), (right, lines)
        assert "--acl" in finding or "--redis-user" in finding, finding
        assert status == (1 if level_of(finding) == "error" else 0)


def test_transaction_is_refused(guarded_redis):
    """for a user that may not begin a transaction --check carries nothing out"""
    guarded_redis.client.execute_command("ACL SETUSER letterbox -multi")
    guarded_redis.client.set("letterbox:check", "kept")
    check("poll", *guarded_redis.login, *FEW)
    assert guarded_redis.client.keys("*") == ["letterbox:check"] and guarded_redis.client.get("letterbox:check") == "kept"


def test_each_pattern_is_missed(guarded_redis):
    """if any one pattern of keys is denied --check names it, and blames no command"""
    for pattern in patterns():
        others = " ".join(f"~{other}" for other in patterns() if other != pattern)
        guarded_redis.client.execute_command(f"ACL SETUSER letterbox resetkeys {others}")
        _, lines = check("poll", *guarded_redis.login, *FEW)
        [finding] = bad(lines)
        assert level_of(finding) == "error" and pattern in finding and "call" not in finding


def test_acl_is_enough_to_serve(private_stack, guarded_redis, users):
    """the rights that --acl prints are enough for everything, through an outage and a restart of Redis"""
    stack, server = private_stack, guarded_redis
    program = stack.replace("poll", *server.login, "--redis-db", 0, open=1, events_to="watcher", lanes=3, client_life=2)
    alice, bob, carol, dave = users(4)

    parked = stack.park(alice, after=0)
    stack.pushed(alice, "one")
    answer = parked.answer()
    assert data(answer) == ["one"]
    stack.look(alice, after=answer["cursor"])
    stream = Stream(stack, bob, after=0)
    stack.pushed(bob, "two")
    assert stream.messages(1) == ["two"]
    stack.request("POST", f"/ack?user={bob}&after={stream.position}")
    for client in ("a", "b"):
        stack.look(carol, client=client, after=0)
    for number in range(20):
        stack.pushed(carol, f"text {number}", ttl=1 + number)
    assert stack.look(carol, client="a")["count"] == 20
    assert stack.look(carol)["count"] == 20
    by_hand = stack.park(dave, after=0)
    server.client.rpush(f"mailbox:{{{dave}}}", "raw")
    assert data(by_hand.answer()) == ["raw"]
    server.client.rpush(f"mailbox:{{{dave}}}", "raw again")
    eventually(lambda: "raw again" in data(stack.look(dave, client="late", after=0)), "what was pushed by hand is adopted")

    for user in (alice, bob):
        assert stack.request("PUT", f"/groups/team/{user}").status == 200
    assert stack.get("/groups/team").json["size"] == 2
    assert stack.push("group:team", "to the team").json["accepted"] == 2
    assert stack.push("*", "to all").status in (201, 202)
    assert stack.request("DELETE", f"/groups/team/{bob}").status == 200
    assert stack.request("DELETE", "/groups/team").status == 200

    later = stack.push(dave, "never", delay=3600).json["scheduled"]
    assert stack.push(dave, "later", delay="0.05").status == 202
    assert later in [entry["id"] for entry in stack.get("/scheduled", user=dave).json["scheduled"]]
    assert stack.request("DELETE", f"/scheduled?id={later}").json == {"cancelled": True}
    eventually(lambda: "later" in data(stack.look(dave, client="later", after=0)), "what was scheduled comes")

    token = issued(stack, alice, ttl=60)
    assert stack.get("/poll", bearer(token["token"]), timeout=0, after=0).status == 200
    assert stack.get("/alive", bearer(token["token"])).status == 200
    assert len(stack.get("/tokens", user=alice).json["tokens"]) == 1
    assert stack.request("DELETE", f"/tokens?id={token['id']}").status == 200
    issued(stack, alice)
    assert stack.request("DELETE", f"/tokens?user={alice}").status == 200
    assert post(stack, "/users/kick", user=alice, **{"for": 0.1}).status == 200
    for verb in ("lock", "unlock"):
        assert post(stack, f"/users/{verb}", user=alice).status == 200
    assert stack.get("/users").status == 200 and stack.get("/users", user=bob).status == 200
    assert stack.mailbox(carol)["user"] == carol
    assert stack.request("DELETE", f"/mailbox?user={carol}").status == 200
    assert stack.get("/readyz").status == 200 and stack.get("/readyz/poll").status == 200
    eventually(lambda: stack.look("watcher", after=0)["count"] > 0, "who comes online is told")
    assert denied(server) == []

    waits = stack.park(bob, beside=1, client="other", after=stack.look(bob, client="other", after=0)["cursor"])
    server.client.client_kill_filter(_type="normal", skipme=True)
    eventually(lambda: is_accepted(stack.push(bob, "after the cut")), "the push is accepted")
    assert "after the cut" in data(waits.answer())
    server.kill()
    assert stack.push(bob, "lost").status == 503
    server.start()
    eventually(lambda: is_accepted(stack.push(bob, "after the restart")), "the push is accepted")
    eventually(lambda: "after the restart" in data(stack.look(bob, client="third", after=0)), "it is delivered")
    server.client.script_flush()
    assert is_accepted(stack.push(bob, "without scripts"))
    assert denied(server) == [] and "NOPERM" not in program.said()
    stream.close()


# --- scripts/check: nginx ---------------------------------------------------------------------------------------------


def check_all(*arguments, **settings):
    """(exit status, findings, the last line) of scripts/check."""
    ended = subprocess.run([SCRIPTS / "check", *map(str, arguments)], env=environment(settings), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.stderr == "", ended.stderr
    *lines, last = ended.stdout.splitlines()
    return ended.returncode, lines, last


NGINX = """
pid nginx.pid; error_log stderr;
worker_processes 1; worker_rlimit_nofile 1000;
events { worker_connections 1000; }
http {
    access_log off;
    client_body_temp_path tmp; fastcgi_temp_path tmp; proxy_temp_path tmp; scgi_temp_path tmp; uwsgi_temp_path tmp;
    upstream letterbox_poll { server unix:SOCKETS/poll.sock; }
    upstream letterbox_push { server unix:SOCKETS/push.sock; }
    server {
        listen 127.0.0.1:1 ;  # public
        location = /poll { fastcgi_pass letterbox_poll; fastcgi_param PATH_INFO /poll; fastcgi_read_timeout 60s; }
        location = /events { fastcgi_pass letterbox_poll; fastcgi_param PATH_INFO /events; fastcgi_buffering off; }
    }
    server {
        listen unix:private.sock;  # private
        location ~ ^/(push|users|metrics) { fastcgi_pass letterbox_push; include push.con[f]; }
    }
}
"""
LISTEN_PRIVATE, LISTEN_PUBLIC = "listen unix:private.sock;", "listen 127.0.0.1:1 ;"


@pytest.fixture
def sockets():
    """A directory with the sockets of the programs, which any nginx may open."""
    directory = new_directory()
    for name in ("poll", "push"):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(directory / f"{name}.sock"))
        (directory / f"{name}.sock").chmod(0o666)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def check_nginx(tmp_path, own_redis, sockets):
    """Runs scripts/check over the configuration above, some places of which are replaced."""
    address = own_redis().address

    def look(*replaced, program=(), included=""):
        text = NGINX.replace("SOCKETS", str(sockets))
        for old, new in replaced:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / "nginx.conf").write_text(text)
        (tmp_path / "push.conf").write_text(included)
        return check_all("--nginx-config", tmp_path / "nginx.conf", "--nginx-prefix", tmp_path, "--", BUILD / "letterbox-poll", "--redis", address, *FEW, *program)

    return look


def test_nginx_is_well(check_nginx):
    """about an nginx that is set up well scripts/check says only ok"""
    status, lines, last = check_nginx()
    assert (status, bad(lines), last) == (0, [], "0 errors, 0 warnings")
    assert any(line.startswith("ok: nginx") for line in lines)


@pytest.mark.parametrize("replaced, level, words", [
    (("fastcgi_read_timeout 60s", "fastcgi_read_timeout 50s"), "error", "fastcgi_read_timeout 60s"),
    (("fastcgi_buffering off;", "fastcgi_read_timeout 30s;"), "error", "--stream-ping"),
    (("fastcgi_buffering off;", "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;"), "warning", "fastcgi_buffering off"),
    (("fastcgi_buffering off;", "fastcgi_buffering off; gzip on; gzip_types text/event-stream;"), "error", "gzip off"),
    (("fastcgi_read_timeout 60s;", "fastcgi_ignore_client_abort on;"), "error", "fastcgi_ignore_client_abort"),
    (("worker_connections 1000", "worker_connections 200"), "warning", "worker_connections 221"),
    (("worker_rlimit_nofile 1000", "worker_rlimit_nofile 500"), "warning", "worker_rlimit_nofile 1000"),
    ((LISTEN_PRIVATE, "listen 127.0.0.1:2; listen 0.0.0.0:3;"), "error", "deny all"),
    ((LISTEN_PRIVATE, "listen 0.0.0.0:3; allow 10.0.0.0/8; allow all;"), "error", "deny all"),
    (("location = /poll { fastcgi_pass letterbox_poll;", "location = /poll { return 404;"), "error", "no /poll"),
], ids=["a poll is cut", "a stream is cut", "buffering", "gzip", "gone clients", "few connections", "few descriptors", "open to the world", "open by allow all", "no poll"])
def test_nginx_set_up_wrongly(check_nginx, replaced, level, words):
    """a wrong setting of nginx is found, once, and nothing else"""
    status, lines, _ = check_nginx(replaced)
    [finding] = bad(lines)
    assert level_of(finding) == level and words in finding
    assert status == (1 if level == "error" else 0)


def test_nginx_finds_no_socket(check_nginx, sockets):
    """a socket that is not there is an error that names it"""
    (sockets / "push.sock").unlink()
    status, lines, _ = check_nginx()
    [finding] = bad(lines)
    assert (status, level_of(finding)) == (1, "error") and str(sockets / "push.sock") in finding


def test_nginx_may_not_open_the_socket(check_nginx, sockets):
    """a socket that nginx' user may not open is an error that says how to let it"""
    (sockets / "poll.sock").chmod(0o600)
    status, lines, _ = check_nginx(("pid nginx.pid;", "pid nginx.pid; user www-data;"))
    [finding] = bad(lines)
    assert (status, level_of(finding)) == (1, "error") and "chmod 660" in finding


@pytest.mark.parametrize("rules", ["deny all;", "allow 10.0.0.0/8; deny all;"])
def test_nginx_denies(check_nginx, rules):
    """private routes on a public address are ok if all other addresses are denied, also by an included file"""
    status, lines, _ = check_nginx((LISTEN_PRIVATE, "listen 0.0.0.0:3;"), included=rules)
    assert (status, bad(lines)) == (0, [])


def test_nginx_one_server(check_nginx, tmp_path):
    """public and private routes in one server on loopback are a warning, unless there is a key"""
    one = (("    }\n    server {\n        listen unix:private.sock;  # private\n", ""),)
    _, lines, _ = check_nginx(*one)
    [finding] = bad(lines)
    assert level_of(finding) == "warning" and "behind a proxy" in finding
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    _, lines, _ = check_nginx(*one, program=("--push-listen", "fd:3", "--key-file", key))
    assert bad(lines) == []


def test_nginx_not_readable(own_redis, tmp_path):
    """an nginx configuration that nginx refuses is a warning that says why"""
    (tmp_path / "nginx.conf").write_text("nonsense;\n")
    status, lines, _ = check_all("--nginx-config", tmp_path / "nginx.conf", "--", BUILD / "letterbox-poll", "--redis", own_redis().address, *FEW)
    [finding] = bad(lines)
    assert (status, level_of(finding)) == (0, "warning") and "nonsense" in finding


def test_strict(own_redis):
    """a warning alone ends with 0, with --strict with 1"""
    program = ("--nginx-config", "none", "--", BUILD / "letterbox-poll", "--redis", own_redis(appendonly="no").address, *FEW)
    status, lines, last = check_all(*program)
    assert (status, len(bad(lines)), last) == (0, 1, "0 errors, 1 warnings")
    assert check_all("--strict", *program)[0] == 1


def test_env_file(own_redis, tmp_path):
    """settings come from the file that systemd reads, too; a variable that is set wins"""
    settings = tmp_path / "letterbox"
    settings.write_text(f'# of the unit\nLETTERBOX_REDIS="{own_redis().address}"\nLETTERBOX_MAX_PARKED=100\nLETTERBOX_LANES=10\nLETTERBOX_OPEN=1\n')
    _, lines, _ = check_all("--nginx-config", "none", "--env-file", settings)
    [finding] = bad(lines)
    assert "--open" in finding
    _, lines, _ = check_all("--nginx-config", "none", "--env-file", settings, open=0)
    assert bad(lines) == []


def test_wrong_settings(tmp_path):
    """settings that the program refuses are an error in the program's words"""
    status, lines, _ = check_all("--nginx-config", "none", workers="many")
    [finding] = bad(lines)
    assert status == 1 and level_of(finding) == "error" and "LETTERBOX_WORKERS" in finding


@pytest.mark.parametrize("arguments", [["--nonsense"], ["operand"], ["--wait", "x"], ["--env-file", "/nonexistent"], ["--", "/nonexistent/letterbox-poll"]], ids=" ".join)
def test_wrong_usage(arguments):
    """wrong usage is told in one line, and ends with 2"""
    ended = subprocess.run([SCRIPTS / "check", *arguments], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 2 and ended.stdout == "" and len(ended.stderr.splitlines()) == 1


# --- scripts/check: the way to the browser ----------------------------------------------------------------------------


class Collecting:
    """A proxy that passes everything on as it comes, except a stream: after its first bytes it collects 64 KB before it passes them on."""

    def __init__(self, port, passed):
        self.behind, self.passed = port, passed
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.behind))
            for pump in (self.forth, self.back):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def forth(self, client, server):
        with contextlib.suppress(OSError):
            while came := client.recv(65536):
                server.sendall(came)
            server.shutdown(socket.SHUT_WR)

    def back(self, client, server):
        with contextlib.suppress(OSError), client, server:
            held, is_stream, free = b"", False, self.passed
            while came := server.recv(65536):
                head, _, body = came.partition(b"\r\n\r\n")
                if b"text/event-stream" in head:
                    client.sendall(head + b"\r\n\r\n")
                    is_stream, came = True, body
                if is_stream:
                    client.sendall(came[:free])
                    came, free = came[free:], max(free - len(came), 0)
                    held += came
                    came, held = (held, b"") if len(held) >= 65536 else (b"", held)
                client.sendall(came)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module")
def site():
    """A stack whose polls end soon, and that lets clients in only by tokens."""
    stack = Stack(shared=True, open=0, poll_timeout_max=3, poll_timeout=3, stream_ping=1, max_parked=100).start()
    stack.redis.config_set("maxmemory", "100mb")
    yield stack
    stack.stop()


@pytest.fixture
def proxy(tmp_path):
    """Starts an nginx of the site's own before it, which proxies by these lines."""
    started = []

    def start(stack, *lines):
        port = spare_port()
        (tmp_path / "proxy.conf").write_text(f"""
            daemon off; pid proxy.pid; error_log error.log; {'user root;' if os.geteuid() == 0 else ''}
            events {{}}
            http {{
                access_log off;
                client_body_temp_path tmp; fastcgi_temp_path tmp; proxy_temp_path tmp; scgi_temp_path tmp; uwsgi_temp_path tmp;
                server {{
                    listen 127.0.0.1:{port};
                    proxy_http_version 1.1;
                    {' '.join(lines)}
                    location / {{ proxy_pass http://127.0.0.1:{stack.port}; }}
                }}
            }}""")
        started.append(subprocess.Popen(["nginx", "-p", tmp_path, "-c", tmp_path / "proxy.conf", "-e", "error.log"], stdin=subprocess.DEVNULL))
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", url]).returncode == 0, "the proxy answers")
        return url

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def check_url(site, url, *more):
    status, lines, _ = check_all("--nginx-config", "none", "--url", url, "--private-url", site.url, *more, "--", BUILD / "letterbox-poll", "--redis", f"unix:{site.socket('redis')}",
                                 "--poll-timeout-max", 3, "--stream-ping", 1, *FEW)
    return status, lines


def test_way_is_well(site, proxy):
    """through a proxy that holds nothing back a stream, a message in it, a poll and the pings come, and nothing is left over"""
    status, lines = check_url(site, proxy(site))
    assert bad(lines) == [] and status == 0
    for words in (r"first byte of a stream .* after \d+ ms", r"in the stream \d+ ms after its push", r"a poll of 3 s came back after", "its pings come"):
        assert [line for line in lines if re.search(words, line)], (words, lines)
    assert site.get("/tokens", user="letterbox-check").json["tokens"] == []
    assert site.mailbox("letterbox-check")["queued"] == 0


def test_way_is_compressed(site, proxy):
    """an nginx in front that compresses streams, with buffering, is found: their first byte does not come"""
    status, lines = check_url(site, proxy(site, "proxy_buffering on;", "proxy_ignore_headers X-Accel-Buffering;", "gzip on;", "gzip_types text/event-stream;", "gzip_proxied any;"))
    [finding] = bad(lines)
    assert status == 1 and "first byte" in finding and "proxy_buffering off" in finding


@pytest.mark.parametrize("passed, words", [(0, "first byte"), (120, "a message was not in the stream")], ids=["from the first byte", "later"])
def test_way_is_held_back(site, passed, words):
    """a proxy that collects 64 KB of a stream before it passes them on is found, also if the first of them comes"""
    with Collecting(site.port, passed) as collecting:
        status, lines = check_url(site, f"http://127.0.0.1:{collecting.port}")
    assert status == 1 and words in bad(lines)[0], bad(lines)


def test_way_is_cut(site, proxy):
    """a proxy with a timeout shorter than Letterbox's is found: it cuts polls and streams"""
    status, lines = check_url(site, proxy(site, "proxy_read_timeout 500ms;"))
    assert status == 1
    assert [line for line in bad(lines) if "a poll of 3 s" in line and "504" in line]
    assert [line for line in bad(lines) if "stream" in line and "was cut" in line]
    assert len(bad(lines)) == 2


def test_way_leads_elsewhere(site):
    """a URL that nothing answers, or something else than Letterbox, is an error that says so"""
    status, lines = check_url(site, f"http://127.0.0.1:{spare_port()}")
    [finding] = bad(lines)
    assert status == 1 and "no answer" in finding
    status, lines = check_url(site, site.url + "/nowhere")
    [finding] = bad(lines)
    assert status == 1 and "not found" in finding


def test_way_without_identity(site, tmp_path):
    """without an identity that is let in it is an error that says what to give; a token's file is enough"""
    status, lines = check_url(site, site.url, "--private-url", f"http://127.0.0.1:{spare_port()}")
    [finding] = bad(lines)
    assert status == 1 and "--token-file" in finding
    token = tmp_path / "token"
    token.write_text(issued(site, "alice")["token"] + "\n")
    status, lines = check_url(site, site.url, "--token-file", token)
    assert (status, bad(lines)) == (0, [])


def test_own_nginx(site):
    """the nginx files as they are, with their includes, have no error, and each route is found"""
    status, lines, _ = check_all("--nginx-config", site.dir / "nginx" / "nginx.conf", "--nginx-prefix", site.dir, "--", BUILD / "letterbox-poll", "--redis", f"unix:{site.socket('redis')}", *FEW)
    assert status == 0, lines
    assert [line for line in lines if "/poll" in line and "60s" in line] and [line for line in lines if "/events" in line and "60s" in line]
    assert [line for line in lines if "private routes" in line]
