# SPDX-License-Identifier: MIT
"""What the programs say of themselves: /healthz, /readyz and /metrics."""

import re
import signal
from contextlib import contextmanager

import pytest

import exposition
import fcgi_peer
from expect import data, is_accepted, is_error
from fcgi_peer import Peer
from stack import ROOT, VERSION, Stack
from waits import eventually, moment

# The path of each face's health, readiness and metrics.
SUFFIX = {"push": "", "poll": "/poll"}
both = pytest.mark.parametrize("part", SUFFIX)
each_program = pytest.mark.parametrize("apart, part", [(0, "poll"), (1, "poll"), (1, "push")])


def ask(stack, what, part):
    return stack.get(f"/{what}{SUFFIX[part]}")


def metrics(stack, part):
    answer = ask(stack, "metrics", part)
    assert answer.status == 200, answer
    return exposition.read(answer.body.decode())


def figure(stack, part, name, **labels):
    return metrics(stack, part)[name].value(**labels)


def program_name(stack, part):
    """The program that serves a face."""
    return f"letterbox-{stack.serving(part)}"


def is_healthy(stack, part):
    answer = ask(stack, "healthz", part)
    assert answer.status == 200 and answer.json == {"status": "ok", "program": program_name(stack, part)}, answer
    return True


def is_ready(stack, part):
    answer = ask(stack, "readyz", part)
    assert answer.status == 200 and answer.json == {"status": "ready", "program": program_name(stack, part)}, answer
    return True


def is_not_ready(answer, reason):
    """503 not_ready, with the reason in the message and the seconds to wait."""
    assert is_error(answer, 503, "not_ready")
    assert int(answer.header("Retry-After")) >= 1
    assert re.search(reason, answer.json["error"]["message"]), answer
    return True


@contextmanager
def grows(stack, part, name, by=1, or_more=False, **labels):
    """The block makes a counter grow by that amount, or by more if it depends on the clock."""
    before = figure(stack, part, name, **labels)
    yield

    def it_has():
        now = figure(stack, part, name, **labels)
        assert now == before + by or or_more and now > before + by, f"{name}{labels} was {before}, is {now}"
        return True

    eventually(it_has, f"{name}{labels} has grown by {by}")


@pytest.fixture(scope="module", params=[0, 1], ids=["one program", "two programs"])
def watched_stack(request):
    """A stack of this module's own, so that no other test is counted."""
    stack = Stack(shared=True, workers=3, apart=request.param).start()
    yield stack
    stack.stop()


# --- /metrics

@both
def test_format(watched_stack, user, part):
    """/metrics is text as Prometheus reads it, and what counts only grows"""
    answer = ask(watched_stack, "metrics", part)
    assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.header("Cache-Control") == "no-store"
    before = exposition.read(answer.body.decode())
    watched_stack.get("/nowhere")
    watched_stack.get("/push/nowhere")
    watched_stack.pushed(user, "hello")
    watched_stack.look(user, after=0)
    after = metrics(watched_stack, part)
    assert exposition.only_grew(before, after)
    assert list(after) == list(before)


def test_reader_is_strict():
    """the tests' reader of the format takes correct text and nothing else"""
    good = '# HELP a_total x \\\\ \\n.\n# TYPE a_total counter\na_total{b="\\"\\\\\\n"} 1\na_total{b=""} 0\n'
    assert exposition.read(good)["a_total"].value(b='"\\\n') == 1
    for old, new in [("\na_total{b=\"\"} 0\n", "\na_total{b=\"\"} 0"), ("} 0\n", "} 0\n\n"), ("# HELP a_total x", "# HELP b_total x"),
                     ("# TYPE a_total counter\n", ""), ("counter", "count"), ('{b=""} 0', '{b=""} -1'), ('{b=""} 0', '{b=""} 1e-05x'),
                     ('{b=""} 0', '{b=""}  0'), ('{b=""} 0', '{b="\\t"} 0'), ('{b=""} 0', '{b=""'), ('{b=""} 0', '{b="\\"\\\\\\n"} 2'),
                     ('{b=""} 0', '{1b=""} 0'), ('a_total{b=""}', 'c_total{b=""}'), ("a_total", "a")]:
        assert old in good
        with pytest.raises(AssertionError):
            exposition.read(good.replace(old, new))
    histogram = '# HELP h x\n# TYPE h histogram\nh_bucket{le="0.1"} 1\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 2.5\nh_count 3\n'
    assert exposition.read(histogram)["h"].samples["h_count", ()] == 3
    for old, new in [('le="0.1"} 1', 'le="0.1"} 3'), ("h_count 3", "h_count 2"), ('le="+Inf"', 'le="2"'), ("h_sum 2.5\n", ""), ('le="0.1"', 'le="2"')]:
        with pytest.raises(AssertionError):
            exposition.read(histogram.replace(old, new))


@both
def test_documented(watched_stack, part):
    """PROTOCOL.md lists every metric that a program has, by the faces that it serves, with its type and labels, and no other"""
    text = (ROOT / "fcgi" / "PROTOCOL.md").read_text()
    rows = re.findall(r"(?m)^\| `(\w+)` \| (counter|gauge|histogram) \| (both|poll|push) \| ([^|]*) \| ([^|]+) \|$", text)
    documented = {name: (kind, re.findall(r"`(\w+)`", labels), what) for name, kind, face, labels, what in rows
                  if face == "both" or watched_stack.serving(face) == watched_stack.serving(part)}
    found = metrics(watched_stack, part)
    assert {name: (metric.kind, metric.help) for name, metric in found.items()} == {name: (kind, what) for name, (kind, _, what) in documented.items()}
    for name, metric in found.items():
        labels = {label for _, pairs in metric.samples for label, _ in pairs}
        assert labels <= set(documented[name][1]), f"{name} has {labels}"


@both
def test_build_and_process(watched_stack, part):
    """metrics name the program and its version, and tell what the process uses"""
    found = metrics(watched_stack, part)
    (_, labels), = found["letterbox_build_info"].samples
    assert dict(labels)["program"] == program_name(watched_stack, part) and dict(labels)["version"] == VERSION
    assert found["letterbox_workers"].value() == 3
    pid = watched_stack.pid(part)
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    resident = int(status["VmRSS"].split()[0]) * 1024
    assert 0.5 < found["process_resident_memory_bytes"].value() / resident < 2
    assert found["process_cpu_seconds_total"].value() > 0
    assert 5 < found["process_open_fds"].value() < found["process_max_fds"].value()
    started = (watched_stack.dir / "run" / f"{watched_stack.serving(part)}.pid").stat().st_mtime
    assert abs(found["process_start_time_seconds"].value() - started) < 60


def test_figures_of_both_faces(watched_stack, user):
    """one program's metrics are the same on either face, a route of both counted as one; two programs have metrics of their own"""
    alone = len(watched_stack.programs) == 2
    routes = ("GET", "/poll", "200"), ("POST", "/push", "202"), ("other", "other", "404"), ("GET", "/healthz", "200")

    def counts(part):
        found = metrics(watched_stack, part)["letterbox_requests_total"]
        return [found.value(method=method, route=route, code=code) for method, route, code in routes]

    before = {part: counts(part) for part in SUFFIX}
    watched_stack.pushed(user, "hello")
    watched_stack.look(user, after=0)
    for part in SUFFIX:
        with Peer(watched_stack.socket(part)) as peer:
            assert peer.exchange("GET", "/nowhere").status == 404
            assert peer.exchange("GET", "/healthz").status == 200
    grown = {"poll": [1, 0, 1, 1], "push": [0, 1, 1, 1]} if alone else {part: [1, 1, 2, 2] for part in SUFFIX}

    def told(part):
        now = [after - first for after, first in zip(counts(part), before[part])]
        assert now == grown[part], now
        return True

    for part in SUFFIX:
        eventually(lambda: told(part), "it is counted")
    begun = {part: figure(watched_stack, part, "process_start_time_seconds") for part in SUFFIX}
    assert (begun["poll"] == begun["push"]) == (not alone)


def test_parked(watched_stack, users):
    """parked polls, their mailboxes, lanes and connections are shown while they last"""
    polls = [watched_stack.park(name, after=0) for name in users(6)]
    found = metrics(watched_stack, "poll")
    assert found["letterbox_polls_parked"].value() == 6
    assert found["letterbox_mailboxes_watched"].value() >= 6
    assert found["letterbox_requests_in_flight"].value() >= 6
    assert found["letterbox_fastcgi_connections"].value() >= 6
    assert found["letterbox_lanes"].value() >= 1
    assert found["letterbox_redis_connections"].value(use="commands") == 3
    eventually(lambda: figure(watched_stack, "poll", "letterbox_redis_connections", use="lane") >= 1, "the lane is logged in")
    assert figure(watched_stack, "poll", "letterbox_redis_connections", use="address") == 1
    with grows(watched_stack, "poll", "letterbox_polls_ended_total", 6, reason="gone"):
        for poll in polls:
            poll.leave()
    assert figure(watched_stack, "poll", "letterbox_polls_parked") == 0


def test_ended_by_messages(watched_stack, user):
    """a poll that is answered by a message counts as such, with the message and its bytes"""
    parked = watched_stack.park(user, after=0)
    before = figure(watched_stack, "poll", "letterbox_delivered_bytes_total")
    with grows(watched_stack, "poll", "letterbox_polls_ended_total", reason="messages"), \
            grows(watched_stack, "poll", "letterbox_delivered_messages_total"), \
            grows(watched_stack, "push", "letterbox_pushed_messages_total"):
        watched_stack.pushed(user, "x" * 1000)
        assert data(parked.answer()) == ["x" * 1000]
    assert 1000 < figure(watched_stack, "poll", "letterbox_delivered_bytes_total") - before < 1200


def test_ended_by_timeout(watched_stack, user):
    """a poll without a message counts as timed out"""
    with grows(watched_stack, "poll", "letterbox_polls_ended_total", reason="timeout"):
        assert watched_stack.poll(user, after=0, timeout=0.1)["reason"] == "timeout"


def test_ended_by_a_newer_one(watched_stack, user):
    """a poll whose place a newer one takes counts as superseded"""
    older = watched_stack.park(user, after=0, client="tab")
    with grows(watched_stack, "poll", "letterbox_polls_ended_total", reason="superseded"):
        newer = watched_stack.send_poll(user, after=0, client="tab")
        assert older.answer()["reason"] == "superseded"
    newer.leave()


def test_clients_that_leave(watched_stack, users):
    """a client that leaves before its answer counts as 499, and not as an error of the server"""
    polls = [watched_stack.park(name, after=0) for name in users(3)]
    route = {"method": "GET", "route": "/poll"}
    errors = figure(watched_stack, "poll", "letterbox_requests_total", code="500", **route)
    with grows(watched_stack, "poll", "letterbox_requests_total", by=3, code="499", **route):
        for poll in polls:
            poll.leave()
    assert figure(watched_stack, "poll", "letterbox_requests_total", code="500", **route) == errors


def test_ended_by_error(new_stack, user):
    """a poll that finds no place counts as ended by an error, and its status is counted"""
    stack = new_stack(clients_max=1)
    waiting = stack.park(user, client="a", after=0)  # kept: Python closes a connection that no variable holds
    with grows(stack, "poll", "letterbox_polls_ended_total", reason="error"), \
            grows(stack, "poll", "letterbox_requests_total", method="GET", route="/poll", code="429"):
        assert is_error(stack.get("/poll", user=user, client="b", after=0, timeout=1), 429, "too_many_clients")
    assert waiting.waits()


def test_refused_at_the_door(private_stack, user):
    """a poll that is refused since Redis is away, and can't admit it, is counted by its status"""
    private_stack.end("redis")
    with grows(private_stack, "poll", "letterbox_requests_total", method="GET", route="/poll", code="503"):
        assert is_error(private_stack.get("/poll", user=user, after=0, timeout=1), 503, "store_unavailable")


def test_missed(tight_stack, user):
    """messages that a client is told it missed are counted"""
    first = tight_stack.pushed(user, "0")
    for number in range(1, 15):
        tight_stack.pushed(user, str(number))
    with grows(tight_stack, "poll", "letterbox_missed_messages_total", by=4):
        assert tight_stack.look(user, after=first)["missed"] == 4


def test_collapsed(tight_stack, user):
    """messages that were retracted before a client got them are counted"""
    first, slip = tight_stack.pushed(user, "first"), tight_stack.pushed(user, "slip")
    assert tight_stack.request("DELETE", f"/mailbox?user={user}&id={slip}").json == {"retracted": True}
    with grows(tight_stack, "poll", "letterbox_collapsed_messages_total"):
        assert tight_stack.look(user, after=first)["collapsed"] == 1


def test_pushes(watched_stack, users):
    """pushes are counted by status, and those that Redis took by recipients and bytes"""
    absent, waiting, third = users(3)
    parked = watched_stack.park(waiting, after=0)
    route = {"method": "POST", "route": "/push"}
    before = figure(watched_stack, "push", "letterbox_pushed_bytes_total")
    with grows(watched_stack, "push", "letterbox_requests_total", by=2, code="202", **route), \
            grows(watched_stack, "push", "letterbox_requests_total", code="201", **route), \
            grows(watched_stack, "push", "letterbox_requests_total", code="400", **route), \
            grows(watched_stack, "push", "letterbox_requests_total", method="other", route="other", code="405"), \
            grows(watched_stack, "push", "letterbox_pushed_messages_total", by=4):
        assert watched_stack.push(absent, "x" * 500).status == 202
        assert watched_stack.push([absent, third], "x" * 500).status == 202
        assert watched_stack.push(waiting, "x").status == 201
        assert watched_stack.push("no spaces", "x").status == 400
        assert watched_stack.get("/push").status == 405
    parked.answer()
    assert 1500 < figure(watched_stack, "push", "letterbox_pushed_bytes_total") - before < 2000


def test_latency(watched_stack, user):
    """commands to Redis are counted by how long they took"""
    name = "letterbox_redis_command_duration_seconds"
    watched_stack.pushed(user, "the first brings the script along")
    before = metrics(watched_stack, "push")[name].samples
    for _ in range(20):
        watched_stack.pushed(user, "hello")
    after = metrics(watched_stack, "push")[name].samples
    # (And a PING a second of each connection that has nothing to ask.)
    grew = {sample: after[sample] - before[sample] for sample in after}
    counted = grew[name + "_count", ()]
    assert 20 <= counted < 1000 and grew[name + "_sum", ()] > 0
    assert grew[name + "_bucket", (("le", "+Inf"),)] == counted
    assert grew[name + "_bucket", (("le", "0.25"),)] >= 10, "most of them are quick"


def slow_commands(stack, part, seconds):
    """How many commands took Redis longer than that."""
    name = "letterbox_redis_command_duration_seconds"
    samples = metrics(stack, part)[name].samples
    return samples[name + "_count", ()] - samples[name + "_bucket", (("le", seconds),)]


def test_slow_latency(new_stack, user):
    """a command that Redis took long for is counted among the long ones"""
    stack = new_stack(redis_timeout=30)  # also if the machine is busy
    before, in_flight = slow_commands(stack, "push", "0.5"), figure(stack, "push", "letterbox_requests_in_flight")
    stack.redis.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    with stack.connect() as connection:
        connection.request("POST", f"/push?to={user}", body=b"late")
        eventually(lambda: figure(stack, "push", "letterbox_requests_in_flight") > in_flight, "it waits for Redis")
        moment(1)
        assert connection.quiet()
        stack.redis.execute_command("CLIENT", "UNPAUSE")
        assert is_accepted(connection.receive())
    assert slow_commands(stack, "push", "0.5") > before


def test_waiting_is_no_latency(watched_stack, user):
    """a lane that waits for a message is not taken for a slow Redis"""
    # Longer than any command may take: then the connection counts as dead, and its commands are not counted.
    before = slow_commands(watched_stack, "poll", "2.5")
    parked = watched_stack.park(user, after=0)
    assert parked.stays(2.7)
    watched_stack.pushed(user, "hello")
    parked.answer()
    assert slow_commands(watched_stack, "poll", "2.5") == before


def test_reconnects(private_stack, user):
    """connections to Redis that are cut and come back are counted, by their use"""
    parked = private_stack.park(user, after=0)
    eventually(lambda: figure(private_stack, "poll", "letterbox_redis_connections", use="lane") == 1, "the lane is logged in")
    workers = {part: figure(private_stack, part, "letterbox_workers") for part in SUFFIX}
    for part in SUFFIX:
        assert figure(private_stack, part, "letterbox_redis_connections", use="commands") == workers[part]
    with grows(private_stack, "push", "letterbox_redis_reconnects_total", by=workers["push"], or_more=True, use="commands"), \
            grows(private_stack, "poll", "letterbox_redis_reconnects_total", by=workers["poll"], or_more=True, use="commands"), \
            grows(private_stack, "poll", "letterbox_redis_reconnects_total", by=1, or_more=True, use="lane"):
        private_stack.redis.client_kill_filter(_type="normal", skipme=True)
    for part in SUFFIX:
        eventually(lambda: figure(private_stack, part, "letterbox_redis_connections", use="commands") == workers[part], "all are back")
    parked.leave()


@both
def test_attempts(private_stack, part):
    """while Redis is away no connection counts as logged in, and attempts to connect are counted"""
    private_stack.end("redis")
    eventually(lambda: figure(private_stack, part, "letterbox_redis_connections", use="commands") == 0, "all are lost")
    before = figure(private_stack, part, "letterbox_redis_connect_failures_total", use="commands")
    eventually(lambda: figure(private_stack, part, "letterbox_redis_connect_failures_total", use="commands") > before + 2, "they try again")


def test_slow_requests(narrow_stack):
    """requests that come in pieces are counted until they are whole, or the program gives up on them"""
    half = fcgi_peer.begin() + fcgi_peer.record(fcgi_peer.PARAMS, fcgi_peer.params({"REQUEST_METHOD": "GET"}))
    with Peer(narrow_stack.socket("poll")) as one, Peer(narrow_stack.socket("poll")) as other:
        one.send(half)
        other.send(half)
        eventually(lambda: figure(narrow_stack, "poll", "letterbox_slow_requests") == 2, "both are counted")
    eventually(lambda: figure(narrow_stack, "poll", "letterbox_slow_requests") == 0, "neither is any more")


# --- /healthz and /readyz

@both
def test_well(watched_stack, part):
    """a program is healthy and ready, and has left the time of its write in Redis"""
    key = f"letterbox:ready:{program_name(watched_stack, part)}"
    watched_stack.redis.delete(key)
    assert is_healthy(watched_stack, part)
    eventually(lambda: is_ready(watched_stack, part) and watched_stack.redis.get(key), "it has written")


@both
def test_hangs(private_stack, part):
    """while Redis hangs a program is not ready, says so before nginx' timeout, and stays healthy"""
    why = "has not answered within a second|is away: no answer in time"
    private_stack.kill("redis", signal.SIGSTOP)
    try:
        # (The result of the probe at the stack's start is good for a moment.)
        eventually(lambda: is_not_ready(ask(private_stack, "readyz", part), why), "it is not ready")
        for _ in range(3):
            assert is_not_ready(ask(private_stack, "readyz", part), why)
            assert is_healthy(private_stack, part)
    finally:
        private_stack.kill("redis", signal.SIGCONT)
    eventually(lambda: is_ready(private_stack, part), "it is ready again")


@both
def test_gone(private_stack, part):
    """while Redis is down a program is not ready, and stays healthy"""
    private_stack.end("redis", signal.SIGKILL)
    eventually(lambda: is_not_ready(ask(private_stack, "readyz", part), "is away: (Connection refused|No such file)"), "it is not ready")
    assert is_healthy(private_stack, part)
    assert private_stack.service("start").returncode == 0
    eventually(lambda: is_ready(private_stack, part), "it is ready again")


@both
@pytest.mark.parametrize("break_it, mend_it, reason", [
    (lambda redis: redis.replicaof("127.0.0.1", "1"), lambda redis: redis.replicaof("NO", "ONE"), "READONLY |it is a replica"),
    (lambda redis: redis.config_set("maxmemory", "1"), lambda redis: redis.config_set("maxmemory", "0"), "takes no write: OOM "),
    (lambda redis: redis.config_set("min-replicas-to-write", "1"), lambda redis: redis.config_set("min-replicas-to-write", "0"), "takes no write: NOREPLICAS "),
    (lambda redis: redis.execute_command("ACL SETUSER default -set"), lambda redis: redis.execute_command("ACL SETUSER default +set"), "takes no write: NOPERM "),
], ids=["replica", "full", "too few replicas", "not allowed"])
def test_takes_no_writes(private_stack, part, break_it, mend_it, reason):
    """while Redis answers but takes no writes a program is not ready and says why, and stays healthy"""
    redis = private_stack.redis
    assert is_ready(private_stack, part)
    break_it(redis)
    eventually(lambda: is_not_ready(ask(private_stack, "readyz", part), reason), "it is not ready")
    assert is_healthy(private_stack, part)
    mend_it(redis)
    eventually(lambda: is_ready(private_stack, part), "it is ready again")


@each_program
def test_wrong_password(new_stack, apart, part):
    """a program whose password Redis refuses, from the start or later, is not ready and says why, and stays healthy"""
    stack = new_stack(apart=apart)
    redis = stack.redis
    redis.config_set("requirepass", "right")
    secret = stack.dir / "secret"
    secret.write_text("right\n")
    stack.replace(part, "--redis-password-file", secret)
    eventually(lambda: is_ready(stack, part), "it is ready")
    redis.config_set("requirepass", "changed")
    assert is_ready(stack, part), "a connection that is logged in stays so"
    redis.client_kill_filter(_type="normal", skipme=True)
    eventually(lambda: is_not_ready(ask(stack, "readyz", part), "is away: WRONGPASS "), "it is not ready")
    assert is_healthy(stack, part)
    redis.config_set("requirepass", "right")
    eventually(lambda: is_ready(stack, part), "it is ready again")
    redis.config_set("requirepass", "")


@each_program
def test_ending(new_stack, apart, part):
    """a program that has been told to end is not ready, for as long as it still answers"""
    stack = new_stack(apart=apart)
    program = stack.replace(part)
    with Peer(stack.socket(part)) as asker, Peer(stack.socket(part)) as dawdler:
        assert asker.exchange("GET", "/readyz").status == 200
        # A request that is still being read keeps the program from ending for a moment.
        before = figure(stack, part, "letterbox_requests_in_flight")
        dawdler.send(fcgi_peer.begin())
        eventually(lambda: figure(stack, part, "letterbox_requests_in_flight") == before + 1, "it is being read")
        program.send_signal(signal.SIGTERM)
        eventually(lambda: is_not_ready(asker.exchange("GET", "/readyz"), "the program is ending"), "it is not ready", deadline=1)
    assert program.wait(5) == 0


@both
@pytest.mark.parametrize("what", ["healthz", "readyz", "metrics"])
def test_wrong_method(watched_stack, what, part):
    """health, readiness and metrics are asked by GET"""
    answer = watched_stack.request("POST", f"/{what}{SUFFIX[part]}", body=b"x")
    assert is_error(answer, 405, "wrong_method")
    assert answer.header("Allow") == "GET, HEAD"


# --- who may ask

@pytest.fixture(scope="module")
def proxied_stack():
    """A stack whose nginx takes a client's address from a header, so that a test can come from anywhere."""
    stack = Stack(shared=True).start()
    stack.know_addresses()
    stack.reload_nginx()
    yield stack
    stack.stop()


@pytest.mark.parametrize("where", ["/healthz", "/readyz", "/metrics", "/healthz/poll", "/readyz/poll", "/metrics/poll", "/mailbox?user=alice",
                                   "/%6detrics/poll", "//metrics/poll", "/poll/../metrics/poll"])
def test_closed_to_the_world(proxied_stack, where):
    """health, readiness and metrics are for loopback alone"""
    assert proxied_stack.request("GET", where, [("X-From", "127.0.0.1")]).status == 200
    for address in ("203.0.113.5", "10.0.0.1", "2001:db8::1"):
        answer = proxied_stack.request("GET", where, [("X-From", address)])
        assert answer.status == 403 and b"letterbox" not in answer.body, answer
    assert proxied_stack.request("GET", "/poll?user=alice&timeout=0", [("X-From", "203.0.113.5")]).status == 200


@pytest.mark.parametrize("where", ["/poll/metrics", "/poll/healthz", "/poll/readyz", "/alive/metrics", "/poll/metrics/poll", "/metrics/poll/", "/metrics/pollx",
                                   "/metrics/poll%0A", "/metrics/push", "/metrics/", "/healthz/poll/metrics"])
def test_no_way_around(proxied_stack, where):
    """no other path leads to them"""
    assert proxied_stack.request("GET", where, [("X-From", "127.0.0.1")]).status == 404
    assert proxied_stack.request("GET", where, [("X-From", "203.0.113.5")]).status in (403, 404)
