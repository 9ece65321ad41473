# SPDX-License-Identifier: MIT
"""--webhook: what no client acknowledges in time is posted to a receiver, signed, until it is taken; and never in a push's way."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

import contract
from expect import data, is_accepted
from keys import key, shared_key
from ports import spare_port
from stack import Program
from test_health import figure
from test_programs import is_refusal, run
from waits import eventually
from web import DEADLINE

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
AFTER = 1  # seconds


class Receiver:
    """An HTTP server that keeps what is posted, and answers with what the test says next; else with 204."""

    def __init__(self, port=None):
        self.posts = []  # (path, headers, body, time)
        self.answers = []  # statuses; None: no answer until the end
        self.ends = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 204
                headers = {name.lower(): value for name, value in self.headers.items()}
                contract.hold_post(headers, body)
                receiver.posts.append((self.path, headers, body, time.time()))
                if status is None:
                    receiver.ends.wait()
                    return
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.port = port or spare_port()
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?key=value"

    def of(self, user):
        """The posts of a user's messages so far. Each must be signed as Standard Webhooks have it."""
        found = []
        for path, headers, body, _ in list(self.posts):
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            wanted = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
            assert wanted in headers["webhook-signature"].split(" "), headers
            assert path == "/hook?key=value"
            event = json.loads(body)
            if event["data"]["user"] == user:
                found.append((headers, event))
        return found

    def gets(self, user, count=1, deadline=DEADLINE):
        """Returns the posts of a user's messages when there are `count`."""
        eventually(lambda: len(self.of(user)) >= count, f"{count} posts for {user}", deadline)
        return self.of(user)

    def close(self):
        self.ends.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def hooked(new_stack, receiver, secret):
    """A stack whose webhook is the receiver."""
    return new_stack(webhook=receiver.url, webhook_secret_file=secret, webhook_after=AFTER)


def entries(stack):
    """What waits to be posted: entry -> when it is due (KEYS.md, letterbox:unheard)."""
    return {entry.decode(errors="replace"): due for key in stack.keys("letterbox:unheard*") for entry, due in stack.redis.zscan_iter(key)}


def all_are_due(stack):
    for entry in entries(stack):
        stack.redis.zadd(shared_key("unheard", entry.split()[0]), {entry: 0})


def settled(stack, user):
    """Returns when nothing waits to be posted of this user's messages."""
    eventually(lambda: not any(entry.startswith(f"{user} ") for entry in entries(stack)), f"nothing of {user} waits")


def test_unheard(hooked, receiver, users):
    """a message that nobody acknowledges is posted once, no sooner than it is due, with all that a client would get"""
    user, other = "ann.smith@example.com", users(1)[0]
    before = time.time()
    answer = hooked.push_json('{"from":"bob","n":12345678901234567890}', user, type="mail")
    assert is_accepted(answer)
    [(headers, event)] = receiver.gets(user)
    assert time.time() - before >= AFTER
    sent = event["data"]["time"]
    assert event == {"type": "message.unheard", "timestamp": event["timestamp"],
                     "data": {"user": user, "id": answer.json["id"], "type": "mail", "data": {"from": "bob", "n": 12345678901234567890}, "time": sent}}
    assert event["timestamp"] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((sent + 1000 * AFTER) // 1000)) + f".{sent % 1000:03}Z"
    assert headers["webhook-id"] == f"ann~smith@example~com/{answer.json['id']}" and headers["user-agent"].startswith("letterbox/")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < DEADLINE
    settled(hooked, user)
    hooked.pushed(other, "later")
    receiver.gets(other)
    assert len(receiver.of(user)) == 1
    # It is still in the mailbox.
    assert hooked.look(user, after=0)["count"] == 1


def test_heard_in_time(hooked, receiver, users):
    """a message that any client acknowledges in time is never posted, nor one that was removed or has expired"""
    reads, streams, removed, expires, last = users(5)
    for client in ("a", "b"):  # the second one never acknowledges
        hooked.look(reads, client=client, after=0)
    hooked.pushed(reads, "hello")
    answer = hooked.look(reads, client="a", after=0)
    assert data(answer) == ["hello"]
    hooked.look(reads, client="a", after=answer["cursor"])
    parked = hooked.park(streams, after=0)
    hooked.pushed(streams, "hello")
    parked = hooked.send_poll(streams, after=parked.answer()["cursor"])
    hooked.pushed(removed, "hello")
    assert hooked.request("DELETE", f"/mailbox?user={removed}").status == 200
    hooked.pushed(expires, "hello", ttl=1)
    hooked.pushed(last, "hello")
    receiver.gets(last)
    for user in (reads, streams, removed, expires):
        settled(hooked, user)
        assert receiver.of(user) == []
    assert figure(hooked, "push", "letterbox_webhook_not_posted_total", reason="heard") >= 4
    parked.leave()


def test_taken_back(new_stack, receiver, secret, users):
    """a message that was replaced or retracted, or whose user was erased, before it is due is never posted; one behind it is"""
    stack = new_stack(webhook=receiver.url, webhook_secret_file=secret, webhook_after=600)
    replaced, retracted, erased = everybody = users(3)
    stack.pushed(replaced, "taken back", collapse="quota")
    id = stack.pushed(retracted, "taken back")
    assert stack.request("DELETE", f"/mailbox?user={retracted}&id={id}").json == {"retracted": True}
    stack.pushed(erased, "taken back")
    assert stack.request("DELETE", f"/users/{erased}").json["messages"] == 1
    for user in everybody:
        stack.pushed(user, "behind it", collapse="quota")
    assert len(entries(stack)) == 6
    all_are_due(stack)
    eventually(lambda: entries(stack) == {}, "nothing waits")
    for user in everybody:
        assert [event["data"]["data"] for _, event in receiver.of(user)] == ["behind it"]
    assert figure(stack, "push", "letterbox_webhook_not_posted_total", reason="heard") == 3


def test_read_and_not_acknowledged(hooked, receiver, user):
    """a message that a client was given and did not acknowledge is posted"""
    hooked.pushed(user, "hello")
    assert data(hooked.look(user, after=0)) == ["hello"]
    receiver.gets(user)


def test_again(hooked, receiver, user):
    """a post that fails comes again with the same id and body, and no more once it is taken; a redirect is a failure, and not followed"""
    receiver.answers = [302]
    hooked.pushed(user, "hello")
    (first, event), (second, again) = receiver.gets(user, count=2)
    assert first["webhook-id"] == second["webhook-id"] and event == again
    assert int(second["webhook-timestamp"]) >= int(first["webhook-timestamp"]) + 4
    settled(hooked, user)
    assert len(receiver.of(user)) == 2
    assert figure(hooked, "push", "letterbox_webhook_posts_total", result="failed") == 1
    assert figure(hooked, "push", "letterbox_webhook_posts_total", result="taken") == 1


def test_waits_longer_each_time(hooked, receiver, user):
    """after the second failure a message waits for five minutes, after the sixth it is given up"""
    receiver.answers = [500] * 6
    hooked.pushed(user, "hello")
    for number in range(1, 7):
        receiver.gets(user, count=number)
        if number == 6:
            break

        def put_off():
            [(entry, due)] = entries(hooked).items()
            wait = due / 1000 - time.time()
            # (While it is leased, for half a minute, it has not been put off yet.)
            return entry.endswith(f" {number}") and (wait <= 5.5 if number == 1 else wait > 200) and wait
        wait = eventually(put_off, "it waits")
        assert wait <= (5.5, 330, 1980, 7920, 19800)[number - 1]
        all_are_due(hooked)
    settled(hooked, user)
    assert len(receiver.of(user)) == 6
    assert figure(hooked, "push", "letterbox_webhook_not_posted_total", reason="given_up") == 1


def test_broken_mailbox(hooked, receiver, user):
    """a message whose mailbox can't be read is put off, and is posted once it can be read"""
    hooked.pushed(user, "hello")
    record = key("base", user)
    base = hooked.redis.get(record)
    hooked.redis.set(record, "broken")
    eventually(lambda: [entry for entry in entries(hooked) if entry.endswith(" 1")] and figure(hooked, "push", "letterbox_webhook_under_way") == 0, "it was looked at, and put off")
    assert receiver.of(user) == []
    hooked.redis.set(record, base)
    all_are_due(hooked)
    receiver.gets(user)
    settled(hooked, user)


def test_acknowledged_between(hooked, receiver, user):
    """a message that is acknowledged after a failed post is not posted again"""
    receiver.answers = [500]
    hooked.pushed(user, "hello")
    receiver.gets(user)
    hooked.look(user, after=hooked.look(user, after=0)["cursor"])
    settled(hooked, user)
    assert len(receiver.of(user)) == 1


def test_gone(hooked, receiver, users):
    """410 ends the posts of that message, and of no other"""
    user, other = users(2)
    receiver.answers = [410]
    hooked.pushed(user, "hello")
    receiver.gets(user)
    settled(hooked, user)
    hooked.pushed(other, "hello")
    receiver.gets(other)
    assert len(receiver.of(user)) == 1


def test_receiver_away(new_stack, secret, user):
    """a receiver that is away gets the message when it is there again"""
    port = spare_port()
    stack = new_stack(webhook=f"http://127.0.0.1:{port}/hook?key=value", webhook_secret_file=secret, webhook_after=AFTER)
    stack.pushed(user, "hello")
    eventually(lambda: figure(stack, "push", "letterbox_webhook_posts_total", result="failed") >= 1, "a post has failed")
    receiver = Receiver(port)
    receiver.gets(user)
    receiver.close()


def test_slow_receiver(hooked, receiver, users):
    """a receiver that does not answer holds up no push, no poll and no end of the program"""
    receiver.answers = [None] * 16
    slow = users(20)
    for user in slow:
        hooked.pushed(user, "hello")
    eventually(lambda: len(receiver.posts) == 16, "sixteen posts are under way")
    assert figure(hooked, "push", "letterbox_webhook_under_way") == 16
    user = users(1)[0]
    parked = hooked.park(user, after=0)
    assert hooked.push(user, "hello").status == 201
    assert data(parked.answer()) == ["hello"]
    before = time.monotonic()
    hooked.end("poll")
    assert time.monotonic() - before < DEADLINE / 2
    assert len(receiver.posts) == 16


def test_killed_program(hooked, receiver, user):
    """a message whose post a killed program had begun is posted again by the next one when its lease ends, with the same id"""
    receiver.answers = [None]
    hooked.pushed(user, "hello")
    receiver.gets(user)
    hooked.crash("poll")
    [(entry, due)] = entries(hooked).items()
    assert entry.endswith(" 1") and due > 1000 * time.time()
    all_are_due(hooked)
    (first, event), (second, again) = receiver.gets(user, count=2)
    assert first["webhook-id"] == second["webhook-id"] and event == again
    settled(hooked, user)


def test_two_programs(hooked, receiver, secret, users):
    """of two programs with a webhook each message is posted by one"""
    path = hooked.dir / "run" / "push-2.sock"
    second = Program("push", "--listen", path, "--redis", f"unix:{hooked.socket('redis')}", "--webhook", receiver.url, "--webhook-secret-file", secret,
                     "--webhook-after", AFTER).listens(path)
    everybody = users(60)
    for user in everybody:
        hooked.pushed(user, "hello")
    for user in everybody:
        receiver.gets(user)
    for user in everybody:
        settled(hooked, user)
        assert len(receiver.of(user)) == 1
    assert second.end() == 0


def test_too_many(hooked, receiver, user):
    """if more than 100,000 messages wait the oldest are dropped, and counted"""
    soon = 1000 * (time.time() + 600)
    hooked.redis.zadd(shared_key("unheard", user), {f"{user} 5-{number}": soon + number for number in range(1, 100_101)})
    eventually(lambda: figure(hooked, "push", "letterbox_webhook_not_posted_total", reason="dropped") == 100, "a hundred are dropped")
    assert hooked.redis.zcard(shared_key("unheard", user)) == 100_000 and hooked.redis.zscore(shared_key("unheard", user), f"{user} 5-100") is None
    assert hooked.redis.zscore(shared_key("unheard", user), f"{user} 5-101") is not None
    assert hooked.redis.pttl(shared_key("unheard", user)) > 0


def test_what_was_put_there_by_hand(hooked, receiver, user):
    """what is no entry, or names no message, goes and does no harm"""
    hooked.redis.zadd(shared_key("unheard", user), {b"": 0, b"\xff": 0, b"a b c": 0, b"{x} 5-1": 0, b"alice 99999999999999999-1": 0, b"alice 5-1 9": 0, b"alice 5-1": 0})
    eventually(lambda: entries(hooked) == {}, "all of it goes")
    hooked.pushed(user, "hello")
    receiver.gets(user)


def test_two_secrets(new_stack, receiver, tmp_path, user):
    """with a second secret in its file each post is signed with both"""
    path = tmp_path / "two"
    other = bytes(24)
    path.write_text(f"whsec_{base64.b64encode(other).decode()}\n{SECRET}\n")
    stack = new_stack(webhook=receiver.url, webhook_secret_file=path, webhook_after=AFTER)
    stack.pushed(user, "hello")
    [(headers, _)] = receiver.gets(user)
    assert len(headers["webhook-signature"].split(" ")) == 2


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "file:///etc/passwd", "https://", "http://a b/", "https://user:s3cret@host/", "https://host:99999/", "x" * 3000])
def test_bad_url(secret, url):
    """a URL that can't be posted to stops the start, and is not repeated: it may hold a secret"""
    ended = run("push", "--webhook", url, "--webhook-secret-file", secret)
    assert is_refusal(ended, "--webhook") and "s3cret" not in ended[2]


@pytest.mark.parametrize("text", ["", "\n", "c0nfidential\n", "whsec_\n", "whsec_c2hvcnQ=\n", "whsec_" + "A" * 200 + "\n", "whsec_" + "!" * 32 + "\n", 3 * (SECRET + "\n")])
def test_bad_secret(tmp_path, text):
    """a secret that is none stops the start, and is not repeated"""
    path = tmp_path / "bad"
    path.write_text(text)
    ended = run("push", "--webhook", "https://hooks.example.org/", "--webhook-secret-file", path)
    assert is_refusal(ended, "--webhook-secret-file")
    quoted = text.strip().removeprefix("whsec_")
    assert not quoted or quoted not in ended[2]


def test_no_secret():
    """without a secret there is no webhook: a receiver could not know who posts"""
    assert is_refusal(run("push", "--webhook", "https://hooks.example.org/"), "--webhook-secret-file")


def test_credential(tmp_path, secret):
    """the secret may be a credential of the supervisor"""
    (tmp_path / "letterbox_webhook-secret-file").write_text("nonsense")
    program = Program("push", "--webhook", "https://hooks.example.org/", variables={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert program.wait(DEADLINE) > 0 and "--webhook-secret-file" in program.said()


def test_check(private_stack, receiver, secret):
    """--check connects to the receiver and posts nothing; one that is away is an error"""
    access = ("--check", "--redis", f"unix:{private_stack.socket('redis')}", "--webhook-secret-file", secret)
    _, out, _ = run("push", *access, "--webhook", receiver.url)
    assert f"ok: the webhook at http://127.0.0.1:{receiver.port} can be reached" in out and "key=value" not in out
    assert receiver.posts == []
    _, out, _ = run("push", *access, "--webhook", f"http://127.0.0.1:{spare_port()}/hook")
    assert "error: the webhook at http://127.0.0.1:" in out
