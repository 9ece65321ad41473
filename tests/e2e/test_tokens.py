# SPDX-License-Identifier: MIT
"""Tokens that a back end has issued, and tokens that it signs itself: a client with one polls as its user, and no other does."""

import base64
import json
import re
import time

import pytest

from expect import data, is_error
from signer import KeyPair, Secret, claims, part
from stack import Stack
from waits import eventually


@pytest.fixture(scope="module")
def closed():
    """A stack in which only a token gives an identity."""
    stack = Stack(shared=True, open=0, workers=2, tokens_max=5).start()
    yield stack
    stack.stop()


def post(stack, path, **document):
    return stack.request("POST", path, [("Content-Type", "application/json")], json.dumps(document).encode())


def issued(stack, user, **more):
    """A new token, as POST /tokens answers it."""
    answer = post(stack, "/tokens", user=user, **more)
    assert answer.status == 201, answer
    return answer.json


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def get(stack, path, token, **query):
    return stack.get(path, bearer(token), **query)


def listed(stack, user):
    answer = stack.get("/tokens", user=user)
    assert answer.status == 200, answer
    return answer.json["tokens"]


def commands(stack):
    """How often each command was given to Redis."""
    return {name: each["calls"] for name, each in stack.redis.info("commandstats").items()}


# --- issued -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["header", "cookie", "query"])
def test_token_names_its_user(closed, user, how):
    """a client with a token polls as its user: by Authorization, by cookie, by the query"""
    token = issued(closed, user)["token"]
    closed.pushed(user, "hello")
    headers = {"header": bearer(token), "cookie": [("Cookie", f"a=b; letterbox_token={token}; c=d")], "query": []}[how]
    query = {"token": token} if how == "query" else {}
    assert data(closed.get("/poll", headers, timeout=0, **query).json) == ["hello"]


def test_what_is_answered(closed, user):
    """POST /tokens answers 201 with the token, its id, its user and its end; never the same token twice"""
    before = time.time() * 1000
    one, two = (issued(closed, user, ttl=60) for _ in range(2))
    assert set(one) == {"token", "id", "user", "expires"}
    assert one["user"] == user and before + 59_999 <= one["expires"] <= time.time() * 1000 + 60_001
    assert one["token"] != two["token"] and one["id"] != two["id"]
    secret = re.fullmatch(r"lb_[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{43})", one["token"])[1]
    assert len(base64.urlsafe_b64decode(secret + "=")) * 8 == 256


def test_redis_has_no_secret(closed, user):
    """Redis has a hash of each token, and nothing from which the token could be had"""
    token = issued(closed, user)["token"]
    assert get(closed, "/poll", token, timeout=0).status == 200
    everything = b"".join(closed.redis.dump(key) or b"" for key in closed.keys("*"))
    assert token.encode() not in everything and token.split(".")[1].encode() not in everything


def test_listed_without_secrets(closed, user):
    """GET /tokens lists a user's tokens, when and from where they were used, and no secret"""
    one, two = issued(closed, user, client="phone", data={"name": "Alice"}), issued(closed, user)
    assert get(closed, "/poll", one["token"], timeout=0).status == 200
    tokens = {token["id"]: token for token in listed(closed, user)}
    assert set(tokens) == {one["id"], two["id"]}
    used, unused = tokens[one["id"]], tokens[two["id"]]
    assert used["client"] == "phone" and used["data"] == {"name": "Alice"} and used["address"] == "127.0.0.1"
    assert used["created"] <= used["used"] <= used["expires"] == one["expires"]
    assert unused["used"] is unused["address"] is unused["client"] is unused["data"] is None
    assert one["token"].split(".")[1] not in json.dumps(tokens)


def test_client_of_a_token(closed, user):
    """a token for one client polls as that client, named or not, and as no other"""
    token = issued(closed, user, client="phone")["token"]
    assert get(closed, "/poll", token, timeout=0, after=0).status == 200
    assert get(closed, "/poll", token, timeout=0, after=0, client="phone").status == 200
    assert is_error(get(closed, "/poll", token, timeout=0, client="tab"), 403, "other_client")
    assert is_error(get(closed, "/alive", token, client="tab"), 403, "other_client")
    assert [client["client"] for client in closed.mailbox(user)["clients"]] == ["phone"]


def test_end_of_life(closed, user):
    """the end of a token's life ends its parked poll with "kicked", and the next request is 401 bad_token"""
    closed.pushed(user, "first")
    token = issued(closed, user, ttl=4)["token"]
    first = get(closed, "/poll", token, timeout=0, after=0).json
    last = get(closed, "/poll", token, timeout=40, after=first["cursor"]).json
    assert (last["count"], last["reason"], last["cursor"]) == (0, "kicked", first["cursor"])
    assert is_error(get(closed, "/poll", token, timeout=0), 401, "bad_token")
    assert is_error(get(closed, "/alive", token), 401, "bad_token")
    assert listed(closed, user) == []


@pytest.mark.parametrize("all_of_them", [False, True])
def test_revoked(closed, user, all_of_them):
    """a revoked token's parked poll is answered at once, the next request is 401, and other tokens stay as they were"""
    token, other = issued(closed, user), issued(closed, user)
    polls = [park(closed, user, token["token"], client, beside) for beside, client in enumerate(("a", "b"))]
    stays = park(closed, user, other["token"], "c", 2)
    gone = closed.request("DELETE", f"/tokens?user={user}" if all_of_them else f"/tokens?id={token['id']}")
    assert gone.status == 200 and gone.json == {"revoked": 2 if all_of_them else 1}
    assert [poll.answer()["reason"] for poll in polls] == ["kicked"] * 2
    assert is_error(get(closed, "/poll", token["token"], timeout=0), 401, "bad_token")
    if all_of_them:
        assert stays.answer()["reason"] == "kicked"
        assert is_error(get(closed, "/poll", other["token"], timeout=0), 401, "bad_token")
    else:
        assert stays.waits()
        closed.pushed(user, "hello")
        assert data(stays.answer()) == ["hello"]


def park(stack, user, token, client, beside):
    parked = stack.send_poll(None, bearer(token), client=client, after=0)
    stack.has_polls(user, beside + 1)
    return parked


def test_too_many(closed, user):
    """a token above the limit revokes the user's oldest one, and ends its parked poll"""
    tokens = [issued(closed, user)["token"]]
    made = listed(closed, user)[0]["created"]
    eventually(lambda: time.time() * 1000 > made + 1, "the others are younger")
    tokens += [issued(closed, user)["token"] for _ in range(4)]
    oldest = park(closed, user, tokens[0], "a", 0)
    issued(closed, user)
    assert oldest.answer()["reason"] == "kicked"
    assert len(listed(closed, user)) == 5
    assert is_error(get(closed, "/poll", tokens[0], timeout=0), 401, "bad_token")
    assert get(closed, "/poll", tokens[1], timeout=0).status == 200


def test_no_round_trip(closed, user):
    """in the ordinary case a token costs Redis nothing: it is not asked again about a cached admission"""
    token = issued(closed, user)["token"]
    cursor = get(closed, "/poll", token, timeout=0, after=0).json["cursor"]
    before = commands(closed)
    with closed.connect() as connection:
        for number in range(50):
            closed.pushed(user, str(number))
            answer = connection.exchange("GET", f"/poll?after={cursor}", bearer(token)).json
            assert data(answer) == [str(number)]
            cursor = answer["cursor"]
    after = commands(closed)
    assert after.get("cmdstat_hmget", 0) - before.get("cmdstat_hmget", 0) == 0, "admit.lua was run"
    assert after.get("cmdstat_hget", 0) - before.get("cmdstat_hget", 0) <= 50  # note.lua's


@pytest.mark.parametrize("document, code", [
    ("{}", "missing_user"), ("[]", "bad_request"), ("x", "bad_json"), ("", "bad_json"), ('{"user":"a b"}', "bad_user"),
    ('{"user":7}', "bad_request"), ('{"user":"a","user":"b"}', "bad_request"), ('{"user":"a","ttl":0}', "bad_request"),
    ('{"user":"a","ttl":-1}', "bad_request"), ('{"user":"a","ttl":"1"}', "bad_request"), ('{"user":"a","ttl":1e99}', "bad_request"),
    ('{"user":"a","sliding":1}', "bad_request"), ('{"user":"a","sliding":"true"}', "bad_request"), ('{"user":"a","sliding":null}', "bad_request"),
    ('{"user":"a","client":"a b"}', "bad_client"), ('{"user":"a","client":""}', "bad_client"),
    (json.dumps({"user": "a", "data": "x" * 5000}), "bad_request"),
])
def test_bad_requests(closed, document, code):
    """a faulty request for a token is refused with a code that says why"""
    assert is_error(closed.request("POST", "/tokens", body=document.encode()), 400, code)


def test_bad_selections(closed):
    """the token to revoke must be named in one way"""
    assert is_error(closed.request("DELETE", "/tokens"), 400, "missing_user")
    assert is_error(closed.request("DELETE", "/tokens?user=a&id=a.b"), 400, "bad_request")
    for not_an_id in ("x", "", ".", "a%20b.1"):
        assert is_error(closed.request("DELETE", f"/tokens?id={not_an_id}"), 400, "bad_request")
    assert closed.request("DELETE", "/tokens?id=nobody.0123456789abcdef").json == {"revoked": 0}
    assert is_error(closed.request("GET", "/tokens"), 400, "missing_user")


# --- sliding ------------------------------------------------------------------------------------------------------------------------------


def test_sliding(closed, user):
    """a sliding token lives as long as its user polls or is alive, and ends its ttl after the last sign"""
    issue = issued(closed, user, ttl=4, sliding=True)
    ordinary = issued(closed, user, ttl=4)
    token, end, cursor = issue["token"], issue["expires"], None
    while time.time() * 1000 < end + 3000:
        answer = get(closed, "/poll", token, timeout=50, after=cursor or 0).json
        assert answer["reason"] == "timeout"
        cursor = answer["cursor"]
    assert is_error(get(closed, "/poll", ordinary["token"], timeout=0), 401, "bad_token")
    eventually(lambda: get(closed, "/alive", token).json["expires"] > end + 3000, "/alive says until when it lives")
    tokens = listed(closed, user)
    assert [each["sliding"] for each in tokens] == [True] and tokens[0]["expires"] > end + 3000
    eventually(lambda: listed(closed, user) == [], "it has ended", deadline=30)
    assert is_error(get(closed, "/alive", token), 401, "bad_token")


def test_sliding_stream(closed, user):
    """a stream by a sliding token ends in good order before the token does, and its client comes back"""
    token = issued(closed, user, ttl=6, sliding=True)["token"]
    stream = closed.get("/events", bearer(token), timeout=300)
    assert stream.status == 200 and b'"reason":"timeout"' in stream.body
    assert get(closed, "/alive", token).status == 200


def test_sliding_is_written_seldom(closed, user):
    """a sliding token costs Redis nothing within a minute of its last use"""
    token = issued(closed, user, ttl=3600, sliding=True)["token"]
    assert get(closed, "/poll", token, timeout=0).status == 200
    expires = listed(closed, user)[0]["expires"]
    for _ in range(20):
        assert get(closed, "/alive", token).json["expires"] == expires
    assert listed(closed, user)[0]["expires"] == expires


def test_sliding_and_locked(closed, user):
    """a locked user's sliding token is not prolonged, and is good again after the lock"""
    issue = issued(closed, user, ttl=3600, sliding=True)
    assert post(closed, "/users/lock", user=user).status == 200
    assert is_error(get(closed, "/poll", issue["token"], timeout=0), 403, "locked")
    assert listed(closed, user)[0]["expires"] == issue["expires"]
    assert post(closed, "/users/unlock", user=user).status == 200
    assert get(closed, "/alive", issue["token"]).json["expires"] >= issue["expires"]


# --- attacks ------------------------------------------------------------------------------------------------------------------------------


def test_forged(closed, user):
    """only the token that was issued is let in, not one cut short, changed, of another user or made up"""
    token = issued(closed, user)["token"]
    name, secret = token.removeprefix("lb_").split(".")
    other = issued(closed, user + "x")["token"].split(".")[0]
    forged = [token[:cut] for cut in range(1, len(token))]
    forged += [f"{other}.{secret}", f"lb_{name}.{'A' * 43}", f"lb_{name}.", f"lb_.{secret}", "lb_.", "lb_", ".", "x", token + "A", token + "=",
               f"lb_{name}.{secret}.{secret}", token.swapcase(), f"LB_{name}.{secret}", "lb_" + "A" * 7000, "%00", "ey.ey.ey"]
    for each in forged:
        assert is_error(get(closed, "/poll", each, timeout=0), 401, "bad_token"), each
    assert get(closed, "/poll", token, timeout=0).status == 200


def test_a_token_is_believed_alone(closed, user, users):
    """user=, another token or a cookie does not make up for a bad token"""
    good = issued(closed, user)["token"]
    other = users(1)[0]
    assert is_error(get(closed, "/poll", "bad", timeout=0, user=user), 401, "bad_token")
    assert is_error(closed.get("/poll", bearer("bad"), timeout=0, token=good), 401, "bad_token")
    assert is_error(closed.get("/poll", bearer("bad") + [("Cookie", f"letterbox_token={good}")], timeout=0), 401, "bad_token")
    assert is_error(closed.get("/poll", [("Cookie", f"letterbox_token=bad; letterbox_token={good}")], timeout=0), 401, "bad_token")
    assert is_error(closed.get("/poll", timeout=0, token=[good, good]), 400, "repeated_parameter")
    for empty in ("Bearer", "Bearer "):
        assert is_error(closed.get("/poll", [("Authorization", empty)], timeout=0, token=good), 401, "bad_token")
    closed.pushed(other, "for another")
    assert get(closed, "/poll", good, timeout=0, user=other, MAILBOX_USER=other).json["count"] == 0


def test_logs_have_no_token(new_stack, user):
    """no log has a token in it, however it came"""
    stack = new_stack(open=0)
    token = issued(stack, user)["token"]
    for headers, query in ((bearer(token), {}), ([("Cookie", f"letterbox_token={token}")], {}), ([], {"token": token})):
        assert stack.get("/poll", headers, timeout=0, **query).status == 200
        assert stack.get("/alive", headers, **query).status == 200
    access = stack.dir / "log/access.log"
    eventually(lambda: all(access.read_text().count(f'"GET {route}" 200') == 3 for route in ("/poll", "/alive")), "all are in the access log")
    secret = token.split(".")[1].encode()
    assert not [path for path in (stack.dir / "log").iterdir() if secret in path.read_bytes()]


# --- signed -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    """A stack that accepts two keys: their {algorithm: signer}, and the stack."""
    directory = tmp_path_factory.mktemp("keys")
    keys = {"HS256": Secret(directory, "secret"), "EdDSA": KeyPair(directory, "ed25519.pem", "EdDSA"), "RS256": KeyPair(directory, "rsa.pem", "RS256")}
    stacks = [Stack(shared=True, open=0, jwt_key=keys["HS256"].file, jwt_key_2=keys["EdDSA"].file, jwt_audience="letterbox").start(),
              Stack(shared=True, open=0, jwt_key=keys["RS256"].file).start()]
    yield keys, {"HS256": stacks[0], "EdDSA": stacks[0], "RS256": stacks[1]}
    for stack in stacks:
        stack.stop()


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "RS256"])
def test_signed(signing, user, algorithm):
    """a client with a token that the back end has signed polls as its subject, and no token need be asked for"""
    keys, stacks = signing
    stack, token = stacks[algorithm], keys[algorithm].token(claims(user, aud=["letterbox", "x"]))
    stack.pushed(user, "hello")
    assert data(get(stack, "/poll", token, timeout=0).json) == ["hello"]
    assert get(stack, "/alive", token).json["user"] == user


def test_signed_and_not_good(signing, user):
    """a signed token counts only unchanged, by an algorithm of its key, in its time, and for Letterbox's audience"""
    keys, stacks = signing
    secret, pair, stack = keys["HS256"], keys["EdDSA"], stacks["HS256"]
    right = claims(user, aud="letterbox")
    now = int(time.time())
    token = secret.token(right)
    head, body, signature = token.split(".")
    confused = Secret(pair.file.parent, "confused", pair.file.read_bytes())  # HS256, by the public key as its secret
    bad = {
        "none": f"{part({'alg': 'none'})}.{body}.",
        "swapped algorithm": f"{part({'alg': 'EdDSA', 'typ': 'JWT'})}.{body}.{signature}",
        "confused": confused.token(right),
        "another's subject": f"{head}.{part(claims('bob', aud='letterbox'))}.{signature}",
        "expired": secret.token(claims(user, ttl=-60, aud="letterbox")),
        "not yet": secret.token(dict(right, nbf=now + 600)),
        "other audience": secret.token(claims(user, aud="another service")),
        "no audience": secret.token(claims(user)),
        "for ever": secret.token({"sub": user, "aud": "letterbox"}),
        "too long": secret.token(claims(user, ttl=10**9, aud="letterbox")),
        "no subject": secret.token({"exp": now + 600, "aud": "letterbox"}),
        "no user": secret.token(dict(right, sub="no spaces")),
        "unknown key": Secret(pair.file.parent, "other", b"another secret of more than 32 bytes").token(right),
        "cut short": token[:-1],
    }
    for name, each in bad.items():
        assert is_error(get(stack, "/poll", each, timeout=0), 401, "bad_token"), name
    assert get(stack, "/poll", token, timeout=0).status == 200


def test_end_of_a_signed_token(signing, user):
    """the end of a signed token's life ends its parked poll"""
    keys, stacks = signing
    stack = stacks["RS256"]
    token = keys["RS256"].token(claims(user, ttl=-3))  # clocks may differ by five seconds
    answer = get(stack, "/poll", token, timeout=40)
    assert answer.json["reason"] == "kicked"
    assert is_error(get(stack, "/poll", token, timeout=0), 401, "bad_token")


def test_revoking_all_ends_signed_tokens(signing, user):
    """DELETE /tokens?user= also ends tokens that were signed before, and not those signed later"""
    keys, stacks = signing
    stack = stacks["RS256"]
    token = keys["RS256"].token(claims(user))
    parked = stack.send_poll(None, bearer(token), after=0)
    stack.has_polls(user, 1)
    assert stack.request("DELETE", f"/tokens?user={user}").status == 200
    assert parked.answer()["reason"] == "kicked"
    assert is_error(get(stack, "/poll", token, timeout=0), 401, "bad_token")
    second = int(time.time())
    eventually(lambda: int(time.time()) > second, "the next second has begun")  # `iat` counts seconds
    assert get(stack, "/poll", keys["RS256"].token(claims(user)), timeout=0).status == 200
