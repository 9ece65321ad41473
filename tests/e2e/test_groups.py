# SPDX-License-Identifier: MIT
"""Groups: their members are managed over HTTP, and a push to it reaches each member once."""

import itertools
import json
import time

import pytest

from expect import data, is_accepted, is_error
from keys import shared_key
from waits import eventually
from web import target

numbers = itertools.count(1)


@pytest.fixture
def group():
    """A group no other test knows."""
    return f"group{next(numbers)}"


def changed(stack, method, *parts):
    answer = stack.request(method, "/groups/" + "/".join(parts))
    assert answer.status == 200, answer
    return answer.json


def join(stack, group, *names):
    for name in names:
        assert changed(stack, "PUT", group, name)["added"] is True


def members(stack, group, **query):
    answer = stack.get(f"/groups/{group}", **query)
    assert answer.status == 200, answer
    return answer.json


@pytest.mark.one_redis
def test_pages_with_foreign_members(stack, group):
    """pages go through all of a group, also if it holds names that no user can have"""
    names = sorted([b"alice", b"a b", b"\xff\xfe", "Jürgen".encode(), b"=x", b"bob", b"zoe"])
    stack.redis.zadd(f"group:{{{group}}}", {name: 0 for name in names})
    for limit in (1, 2, 3):
        seen, after = [], None
        for _ in names:
            page = members(stack, group, limit=limit, after=after)
            seen += [member["user"] for member in page["members"]]
            after = page["next"]
            if after is None:
                break
        assert seen == [name.decode(errors="replace") for name in names]


def test_members(stack, group):
    """members are added and removed, and each answer says whether it changed anything"""
    assert changed(stack, "PUT", group, "bob") == {"group": group, "user": "bob", "added": True}
    assert changed(stack, "PUT", group, "bob") == {"group": group, "user": "bob", "added": False}
    join(stack, group, "alice")
    assert members(stack, group) == {"group": group, "size": 2, "next": None, "members": [
        {"user": "alice", "online": False}, {"user": "bob", "online": False}]}
    assert changed(stack, "DELETE", group, "bob") == {"group": group, "user": "bob", "removed": True}
    assert changed(stack, "DELETE", group, "bob") == {"group": group, "user": "bob", "removed": False}
    assert changed(stack, "DELETE", group) == {"group": group, "removed": True}
    assert changed(stack, "DELETE", group) == {"group": group, "removed": False}
    assert members(stack, group) == {"group": group, "size": 0, "next": None, "members": []}


def test_pages(stack, group, users):
    """a group is shown page by page, in the order of names, none left out and none twice"""
    names = sorted(users(25))
    join(stack, group, *names)
    shown, after = [], None
    while True:
        page = members(stack, group, limit=10, after=after)
        assert page["size"] == 25 and len(page["members"]) <= 10
        shown += [member["user"] for member in page["members"]]
        after = page["next"]
        if after is None:
            break
        assert after == shown[-1]
    assert shown == names


def test_online_members(stack, group, users):
    """each member is shown with whether it is online"""
    here, gone, never = sorted(users(3))
    join(stack, group, here, gone, never)
    now = time.time() * 1000
    for name, until in ((here, now + 60_000), (gone, now - 1)):
        stack.redis.zadd(shared_key("online", name), {name: until})
    try:
        assert [member["online"] for member in members(stack, group)["members"]] == [True, False, False]
    finally:
        for name in (here, gone):
            stack.redis.zrem(shared_key("online", name), name)


def test_names(stack, group):
    """names of members are those of users, however they are escaped in the path"""
    for path, name in (("a%40b.c", "a@b.c"), ("a+b", "a+b"), ("a%2Bb:1", "a+b:1"), ("x" * 128, "x" * 128)):
        assert changed(stack, "PUT", group, path)["user"] == name
    longest = "g" * 64
    join(stack, longest, "alice")
    assert changed(stack, "DELETE", longest)["removed"] is True


@pytest.mark.parametrize("path, code", [
    ("a%20b/alice", "bad_group"), ("g" * 65 + "/alice", "bad_group"), ("*/alice", "bad_group"), ("%C3%A9/alice", "bad_group"),
    ("team/a%20b", "bad_user"), ("team/" + "u" * 129, "bad_user"), ("team/*", "bad_user"), ("team/group:x", "bad_user"),
    ("team/%0A", "bad_user")])
def test_bad_names(stack, path, code):
    """an invalid name is refused"""
    assert is_error(stack.request("PUT", f"/groups/{path}"), 400, code)
    assert is_error(stack.request("DELETE", f"/groups/{path}"), 400, code)


def test_bad_paths(stack, group):
    """a path that is no route is 404, a method that a route does not take 405"""
    for path in ("/groups/", f"/groups/{group}/alice/x", f"/groups/{group}/a%2Fb/x"):
        assert is_error(stack.get(path), 404, "unknown_route")
    answer = stack.request("POST", f"/groups/{group}")
    assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "PUT, GET, HEAD, DELETE"
    answer = stack.request("PUT", "/groups")
    assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "GET, HEAD"
    answer = stack.get(f"/groups/{group}/alice")
    assert is_error(answer, 405, "wrong_method") and answer.header("Allow") == "PUT, DELETE"
    for query, code in (({"limit": 0}, "bad_limit"), ({"limit": "x"}, "bad_limit"), ({"limit": 1001}, "bad_limit"),
                        ({"after": "a b"}, "bad_user"), ({"after": ["a", "b"]}, "repeated_parameter")):
        assert is_error(stack.get(f"/groups/{group}", **query), 400, code)


@pytest.mark.one_redis
def test_group_max(new_stack):
    """beyond --group-max a group takes no new member until one leaves"""
    stack = new_stack(group_max=2)
    join(stack, "team", "alice", "bob")
    assert is_error(stack.request("PUT", "/groups/team/carol"), 409, "group_full")
    assert changed(stack, "PUT", "team", "bob")["added"] is False
    changed(stack, "DELETE", "team", "bob")
    join(stack, "team", "carol")


def put(stack, group, users, **query):
    body = users if isinstance(users, bytes) else json.dumps(users).encode()
    return stack.request("PUT", target(f"/groups/{group}", **query), [("Content-Type", "application/json")], body)


def changes(stack, group, users, **query):
    answer = put(stack, group, users, **query)
    assert answer.status == 200 and answer.json["group"] == group, answer
    return answer.json["added"], answer.json["removed"], answer.json["size"]


def groups_of(stack, user):
    answer = stack.get("/users", user=user)
    assert answer.status == 200 and list(answer.json)[-1] == "groups", answer
    return answer.json["groups"]


def test_list_of_members(stack, group, users):
    """a list of users is added to a group, or with replace=1 becomes all of it, and a push reaches exactly these"""
    first, second, third = users(3)
    assert changes(stack, group, [second, first, first]) == (2, 0, 2)
    assert changes(stack, group, [second, third]) == (1, 0, 3)
    assert changes(stack, group, [third], replace=1) == (0, 2, 1)
    assert stack.push(f"group:{group}", "hello").json["count"] == 1
    assert data(stack.look(third, after=0)) == ["hello"] and stack.look(first, after=0)["count"] == 0
    assert changes(stack, group, [], replace=0) == (0, 0, 1)
    assert changes(stack, group, [], replace=1) == (0, 1, 0)


def test_long_list_of_members(stack, group):
    """a list of thousands of users is what the group then is"""
    names = [f"{group}.{number}" for number in range(5000)]
    assert changes(stack, group, names) == (5000, 0, 5000)
    assert changes(stack, group, names[2500:] + ["x"], replace=1) == (1, 2500, 2501)
    assert members(stack, group, limit=1, after=names[2499])["members"][0]["user"] not in names[:2500]
    assert groups_of(stack, names[0]) == [] and groups_of(stack, names[-1]) == [group]
    changed(stack, "DELETE", group)
    assert groups_of(stack, names[-1]) == []


@pytest.mark.parametrize("body, code", [
    (b"", "bad_json"), (b"[", "bad_json"), (b"alice", "bad_json"), (b"{}", "bad_request"), (b'"alice"', "bad_request"), (b"[1]", "bad_request"),
    (b'[["alice"]]', "bad_request"), (b'["alice",null]', "bad_request"), (b'["a b"]', "bad_user"), (b'["alice","*"]', "bad_user"),
    (b'["group:x"]', "bad_user"), (b'[""]', "bad_user"), (b'["' + b"u" * 129 + b'"]', "bad_user"), (b'["\xff"]', "bad_json")])
def test_bad_list_of_members(stack, group, body, code):
    """a body that is no list of users is refused, and changes nothing"""
    join(stack, group, "alice")
    for query in ({}, {"replace": 1}):
        assert is_error(put(stack, group, body, **query), 400, code)
    assert members(stack, group)["size"] == 1


def test_bad_put(stack, group):
    """a list of users for a bad group, with a bad parameter, or longer than a body may be is refused"""
    assert is_error(put(stack, "a%20b", []), 400, "bad_group")
    for replace in ("", "2", "yes"):
        assert is_error(put(stack, group, [], replace=replace), 400, "bad_request")
    assert is_error(put(stack, group, [], replace=[1, 1]), 400, "repeated_parameter")
    assert is_error(put(stack, group, b"[" + b" " * 300_000 + b"]"), 413, "too_large")


def test_list_of_groups(stack, group, users):
    """groups are listed by name, with their sizes, page by page, and only those that have members"""
    name, other = users(2)
    for suffix in ("c", "a", "b"):
        join(stack, group + suffix, name)
    join(stack, group + "b", other)
    shown, after = [], None
    while True:
        answer = stack.get("/groups", prefix=group, limit=2, after=after)
        assert answer.status == 200 and list(answer.json) == ["groups", "next"], answer
        shown += [(each["group"], each["size"]) for each in answer.json["groups"]]
        after = answer.json["next"]
        if after is None:
            break
    assert shown == [(group + "a", 1), (group + "b", 2), (group + "c", 1)]
    changed(stack, "DELETE", group + "a", name)
    changed(stack, "DELETE", group + "b")
    assert stack.get("/groups", prefix=group).json == {"groups": [{"group": group + "c", "size": 1}], "next": None}
    assert group + "c" in {each["group"] for each in stack.get("/groups", limit=1000).json["groups"]}


@pytest.mark.parametrize("query, code", [
    ({"prefix": "a b"}, "bad_group"), ({"prefix": "g" * 65}, "bad_group"), ({"after": "*"}, "bad_group"), ({"limit": 0}, "bad_limit"),
    ({"limit": 1001}, "bad_limit"), ({"limit": "x"}, "bad_limit"), ({"prefix": ["a", "b"]}, "repeated_parameter"),
    ({"after": ["a", "b"]}, "repeated_parameter")])
def test_bad_list_of_groups(stack, query, code):
    """a question for groups that can't be is refused"""
    assert is_error(stack.get("/groups", **query), 400, code)


def test_groups_of_a_user(stack, group, users):
    """a user's groups are named, by their names, as soon as it joins or leaves"""
    name, = users(1)
    assert groups_of(stack, name) == []
    join(stack, group + "b", name)
    changes(stack, group + "a", [name, "other"])
    assert groups_of(stack, name) == [group + "a", group + "b"]
    changed(stack, "DELETE", group + "b", name)
    assert groups_of(stack, name) == [group + "a"]
    changes(stack, group + "a", ["other"], replace=1)
    assert groups_of(stack, name) == []


@pytest.mark.one_redis
def test_group_filled_by_hand(new_stack):
    """groups that were there before, as an older version left them, are listed, and a user is erased from them"""
    stack = new_stack()
    stack.redis.zadd("group:{old}", {f"user{number}": 0 for number in range(700)})
    assert stack.get("/groups").json["groups"] == [{"group": "old", "size": 700}]
    assert groups_of(stack, "user699") == ["old"]
    stack.redis.zadd("group:{late}", {"alice": 0, "bob": 0})
    stack.redis.zadd("group:{old}", {"alice": 0})
    assert stack.push("group:late", "hello").json["count"] == 2
    eventually(lambda: groups_of(stack, "alice") == ["late"], "the group is known by its first use")
    assert stack.request("DELETE", "/users/alice").json["groups"] == ["late", "old"]
    assert stack.redis.zrange("group:{late}", 0, -1) == [b"bob"]


def test_push(stack, group, users):
    """a push to a group reaches each member, waiting or away, and the answer says the sum"""
    waiting, away, other = users(3)
    join(stack, group, waiting, away)
    parked = stack.park(waiting)
    answer = stack.push(f"group:{group}", "hello")
    assert answer.status == 202
    assert {name: answer.json[name] for name in ("count", "accepted", "waiting", "failed")} == {
        "count": 2, "accepted": 2, "waiting": 1, "failed": 0}
    results = {result["to"]: result for result in answer.json["results"]}
    got = parked.answer()
    assert data(got) == ["hello"] and got["messages"][0]["id"] == results[waiting]["id"]
    assert data(stack.look(away, after=0)) == ["hello"]
    assert stack.look(other, after=0)["count"] == 0


def test_mixed(stack, group, users):
    """groups and names may be mixed, in the query and in envelopes, and a user who is named twice gets the message once"""
    both, first, second, plain = users(4)
    join(stack, group + "a", both, first)
    join(stack, group + "b", both, second)
    to = [f"group:{group}a,{plain}", f"group:{group}b", plain, f"group:{group}a"]
    assert stack.push(to, "one").json["count"] == 4
    envelope = {"to": [plain, f"group:{group}b", both, f"group:{group}a"], "data": "two", "type": "chat"}
    assert stack.push_json(json.dumps(envelope)).json["count"] == 4
    for name in (both, first, second, plain):
        assert data(stack.look(name, after=0)) == ["one", "two"]


def test_batch(stack, group, users):
    """each envelope of a batch may have groups of its own"""
    first, second = users(2)
    join(stack, group, first, second)
    answer = stack.push_json(json.dumps([{"to": f"group:{group}", "data": 1}, {"to": second, "data": 2}]))
    assert (answer.status, answer.json["count"], answer.json["failed"]) == (202, 3, 0)
    assert data(stack.look(first, after=0)) == [1] and data(stack.look(second, after=0)) == [1, 2]


def test_empty_group(stack, group):
    """a push to a group without members is a success that reaches no user"""
    answer = stack.push(f"group:{group}", "hello")
    assert answer.status == 202
    assert answer.json == {"count": 0, "accepted": 0, "waiting": 0, "failed": 0, "results": []}


def test_left(stack, group, users):
    """a user who has left a group gets no more of its messages, and keeps the earlier ones"""
    name, = users(1)
    join(stack, group, name)
    stack.push(f"group:{group}", "before")
    changed(stack, "DELETE", group, name)
    stack.push(f"group:{group}", "after")
    assert data(stack.look(name, after=0)) == ["before"]


def test_bad_group(stack, group, users):
    """a group with an invalid name is refused alone, and fails by itself among others"""
    name, = users(1)
    assert is_error(stack.push("group:a b", "x"), 400, "bad_group")
    assert is_error(stack.push("group:", "x"), 400, "bad_group")
    join(stack, group, name)
    answer = stack.push([f"group:{group}", "group:a b"], "hello")
    assert (answer.status, answer.json["accepted"], answer.json["failed"]) == (400, 1, 1)
    assert answer.json["results"][1]["error"]["code"] == "bad_group"
    assert data(stack.look(name, after=0)) == ["hello"]


@pytest.mark.one_redis
def test_not_a_group(stack, group, users):
    """a key that is no group makes 409 of what needs it, harms nothing else, and goes with the group"""
    name, = users(1)
    stack.redis.set(f"group:{{{group}}}", "no group")
    try:
        for answer in (stack.push([name, f"group:{group}"], "x"), stack.get(f"/groups/{group}"), stack.request("PUT", f"/groups/{group}/{name}"),
                       put(stack, group, [name]), put(stack, group, [name], replace=1), stack.request("DELETE", f"/groups/{group}/{name}")):
            assert is_error(answer, 409, "broken_data") and f"group:{{{group}}}" in answer.json["error"]["message"]
        assert is_accepted(stack.push(name, "y"))
        assert data(stack.look(name, after=0)) == ["y"]
        assert changed(stack, "DELETE", group)["removed"] is True
        join(stack, group, name)
    finally:
        stack.redis.delete(f"group:{{{group}}}")
