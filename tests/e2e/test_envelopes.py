# SPDX-License-Identifier: MIT
"""Envelopes, batches and several recipients: which user gets which message, and what the answer says of each."""

import json

import pytest

from expect import data, is_accepted, is_error
from waits import eventually


def test_envelope(stack, user):
    """an envelope carries to, type and data, and is answered like a push to one"""
    answer = stack.push_json(json.dumps({"to": user, "type": "mail", "data": {"from": "bob"}}))
    assert is_accepted(answer) and set(answer.json) == {"id", "queued", "waiting"}
    message = stack.look(user, after=0)["messages"][0]
    assert (message["id"], message["type"], message["data"]) == (answer.json["id"], "mail", {"from": "bob"})


def test_envelope_defaults(stack, user):
    """an envelope needs only to: its type is message and its data null"""
    assert is_accepted(stack.push_json(json.dumps({"to": user})))
    message = stack.look(user, after=0)["messages"][0]
    assert message["type"] == "message" and message["data"] is None


def test_envelope_ttl(stack, user):
    """an envelope's ttl is that of its message"""
    stack.push_json(json.dumps([{"to": user, "data": "short", "ttl": 0.2}, {"to": user, "data": "long", "ttl": 600}]))
    eventually(lambda: data(stack.look(user, after=0)) == ["long"], "the short one has expired")


def test_query_defaults(stack, user):
    """type and ttl of the query are for envelopes that give none of their own"""
    answer = stack.push_json(json.dumps([{"to": user, "data": 1}, {"to": user, "type": "chat", "ttl": 600, "data": 2}]), type="mail", ttl=0.2)
    assert is_accepted_list(answer, 2)
    assert [message["type"] for message in stack.look(user, after=0)["messages"][-1:]] == ["chat"]
    eventually(lambda: data(stack.look(user, after=0)) == [2], "the one without a ttl of its own has expired")
    assert is_accepted(stack.push_json(json.dumps({"to": user, "data": 3}), type="mail"))
    assert stack.look(user, after=0)["messages"][-1]["type"] == "mail"
    assert is_error(stack.push_json(json.dumps({"to": user}), ttl=0), 400, "bad_ttl")


def is_accepted_list(answer, count):
    assert answer.status in (201, 202) and len(answer.json["results"]) == count, answer
    return True


def test_envelope_unknown_members(stack, user):
    """unknown members of an envelope are ignored"""
    assert is_accepted(stack.push_json(json.dumps({"to": user, "data": 1, "colour": "blue", "user": {"a": []}})))
    assert data(stack.look(user, after=0)) == [1]


def test_envelope_numbers(stack, user):
    """numbers inside an envelope's data arrive digit for digit"""
    number = "123456789012345678901234567890.1234567890123456789e+5"
    stack.push_json('{"data":[%s],"to":"%s"}' % (number, user))
    assert number.encode() in stack.get("/poll", user=user, timeout=0, after=0).body


def test_json_with_to_in_query(stack, user):
    """with to in the query an envelope is data like any other JSON"""
    document = {"to": "nobody", "data": 1}
    assert is_accepted(stack.push_json(json.dumps(document), to=user))
    assert data(stack.look(user, after=0)) == [document]


def each_gets(stack, names, text):
    for name in names:
        assert data(stack.look(name, after=0)) == [text], name


@pytest.mark.parametrize("spelling", ["repeated", "commas", "both"])
def test_recipients_in_query(stack, users, spelling):
    """several to in the query, repeated or separated by commas, each get the message, and are answered in the order given"""
    names = users(4)
    to = {"repeated": names, "commas": ",".join(names), "both": [names[0], ",".join(names[1:])]}[spelling]
    answer = stack.push(to, "hello")
    assert is_results(answer, names)
    each_gets(stack, names, "hello")


def is_results(answer, names):
    assert set(answer.json) == {"results"}, answer
    assert [result["to"] for result in answer.json["results"]] == names
    for result in answer.json["results"]:
        assert set(result) == {"to", "id", "queued", "waiting"} or set(result) == {"to", "error"}, result
    return True


def test_recipients_in_envelope(stack, users):
    """an envelope's to may be an array, and the answer lists each"""
    names = users(3)
    answer = stack.push_json(json.dumps({"to": names, "data": "hello"}))
    assert answer.status == 202 and is_results(answer, names)
    each_gets(stack, names, "hello")


def test_one_recipient_in_array(stack, user):
    """an array of one recipient is still answered as results"""
    assert is_results(stack.push_json(json.dumps({"to": [user], "data": "hello"})), [user])
    each_gets(stack, [user], "hello")


@pytest.mark.parametrize("envelope", [True, False])
def test_double_recipients(stack, users, envelope):
    """a user who is named twice gets the message once"""
    first, second = users(2)
    names = [first, second, first, first]
    answer = stack.push_json(json.dumps({"to": names, "data": "hello"})) if envelope else stack.push(names, "hello")
    assert is_results(answer, [first, second])
    each_gets(stack, [first, second], "hello")


def test_recipients_status(stack, users):
    """several recipients are answered with the worst of their outcomes: 202 if no client waits for one of them"""
    waiting, away = users(2)
    parked = stack.park(waiting)
    answer = stack.push([waiting, away], "hello")
    assert answer.status == 202
    assert [result["waiting"] for result in answer.json["results"]] == [True, False]
    assert data(parked.answer()) == ["hello"]


def test_recipients_all_waiting(stack, users):
    """several recipients are answered with 201 if a client waits for each"""
    names = users(3)
    parked = [stack.park(name) for name in names]
    answer = stack.push(",".join(names), "hello")
    assert answer.status == 201 and all(result["waiting"] for result in answer.json["results"])
    assert [data(poll.answer()) for poll in parked] == [["hello"]] * 3


def test_recipients_and_a_bad_name(stack, users):
    """a bad name among several recipients is an error of its own, and the others get the message"""
    good, other = users(2)
    for answer in (stack.push([good, "no spaces", other], "hello"),
                   stack.push_json(json.dumps({"to": [good, "no spaces", other], "data": "hello"}))):
        assert answer.status == 400 and is_results(answer, [good, "no spaces", other])
        assert [result.get("error", {}).get("code") for result in answer.json["results"]] == [None, "bad_user", None]
    assert data(stack.look(good, after=0)) == data(stack.look(other, after=0)) == ["hello", "hello"]


def test_batch(stack, users):
    """a batch of envelopes is answered in the order given, and each arrives"""
    first, second = users(2)
    batch = [{"to": first, "data": 1}, {"to": second, "data": 2}, {"to": first, "data": 3, "type": "mail"}]
    answer = stack.push_json(json.dumps(batch))
    assert answer.status == 202 and is_results(answer, [first, second, first])
    messages = stack.look(first, after=0)["messages"]
    assert [(message["data"], message["type"]) for message in messages] == [(1, "message"), (3, "mail")]
    assert [message["id"] for message in messages] == [answer.json["results"][0]["id"], answer.json["results"][2]["id"]]
    assert data(stack.look(second, after=0)) == [2]


def test_batch_of_one(stack, user):
    """a batch of one is still answered as results"""
    assert is_results(stack.push_json(json.dumps([{"to": user, "data": 1}])), [user])


def test_batch_of_many_to_many(stack, users):
    """a batch's envelopes may have several recipients each"""
    a, b, c = users(3)
    answer = stack.push_json(json.dumps([{"to": [a, b], "data": 1}, {"to": [b, c], "data": 2}]))
    assert is_results(answer, [a, b, b, c])
    assert [data(stack.look(name, after=0)) for name in (a, b, c)] == [[1], [1, 2], [2]]


def test_batch_wakes(stack, users):
    """a batch wakes every poll that waits for one of its recipients"""
    names = users(5)
    parked = [stack.park(name) for name in names]
    answer = stack.push_json(json.dumps([{"to": name, "data": name} for name in names]))
    assert answer.status == 201
    assert [data(poll.answer()) for poll in parked] == [[name] for name in names]


def test_batch_with_a_bad_name(stack, users):
    """a batch reports each outcome, and its status is the worst: one bad name makes it 400, the rest arrive"""
    good, other = users(2)
    answer = stack.push_json(json.dumps([{"to": good, "data": 1}, {"to": "no/slash", "data": 2}, {"to": other, "data": 3}]))
    assert answer.status == 400
    results = answer.json["results"]
    assert [result["to"] for result in results] == [good, "no/slash", other]
    assert "id" in results[0] and "id" in results[2]
    error = results[1]["error"]
    assert error["code"] == "bad_user" and error["terminal"] is True and error["message"]
    assert data(stack.look(good, after=0)) == [1] and data(stack.look(other, after=0)) == [3]


def test_thousand_recipients(stack, user):
    """a push may have 1,000 recipients"""
    names = [f"{user}.{number}" for number in range(1000)]
    answer = stack.push_json(json.dumps({"to": names, "data": "hello"}))
    assert answer.status == 202 and is_results(answer, names)
    each_gets(stack, [names[0], names[499], names[999]], "hello")


def test_too_many_recipients(stack, user):
    """a push with more than 1,000 recipients is refused, and none of them gets it"""
    names = [f"{user}.{number}" for number in range(1001)]
    batch = [{"to": name, "data": "hello"} for name in names]
    for document in ({"to": names, "data": "hello"}, batch, [{"to": names[:600]}, {"to": names[600:]}]):
        assert is_error(stack.push_json(json.dumps(document)), 400, "too_many_recipients")
    assert data(stack.look(names[0], after=0)) == []


def test_recipients_limit_is_configured(tight_stack, users):
    """the number of recipients allowed is configurable"""
    names = users(6)
    assert is_results(tight_stack.push(names[:5], "hello"), names[:5])
    assert is_error(tight_stack.push(names, "hello"), 400, "too_many_recipients")
    assert is_error(tight_stack.push(",".join(names), "hello"), 400, "too_many_recipients")
