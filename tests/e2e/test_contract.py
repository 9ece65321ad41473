# SPDX-License-Identifier: MIT
"""fcgi/openapi.yaml beside the code and PROTOCOL.md: the same routes, parameters, errors and examples, and none missing.

That answers are as it says is checked with each answer that any test gets: contract.py. That it is OpenAPI, and that its
examples fit its schemas, is checked by tests/browser/published.
"""

import copy
import json
import re

import pytest

import contract
from contract import Contract, codes_of
from stack import ROOT, VERSION
from web import Answer, target

PROTOCOL = (ROOT / "fcgi" / "PROTOCOL.md").read_text()
DOCUMENT = contract.load()
NGINX_STATUSES = [500, 502, 503, 504]  # what nginx' table of errors calls `default`


def code(pattern, *folders):
    """What a pattern finds in the sources."""
    return [found for folder in folders for path in sorted((ROOT / folder).glob("*.cpp")) for found in re.findall(pattern, path.read_text())]


def operations(document):
    """{(method, path): operation}, with `*` for a name in the path."""
    return {(method.upper(), re.sub(r"{\w+}", "*", path)): operation | {"parameters": [*item.get("parameters", []), *operation.get("parameters", [])]}
            for path, item in document["paths"].items() for method, operation in item.items() if method != "parameters"}


def errors(document):
    """{(status, code)} of all answers."""
    described = Contract(document)
    return {(int(status), found) for answers in [document["x-everywhere"], *(operation["responses"] for operation in operations(document).values())]
            for status, answer in answers.items() if int(status) >= 400 for found in codes_of(described.resolve(answer))}


def terminal(document):
    """{code: whether the same request fails again}"""
    schemas = document["components"]["schemas"]
    return {name: schemas[kind]["properties"]["terminal"]["const"] for kind in ("TerminalError", "TemporaryError") for name in schemas[kind]["properties"]["code"]["enum"]}


def parameters(document, *places):
    """{(method, path): the names of its parameters in these places}. An identity in the query, a security scheme in openapi.yaml, is one as well."""
    described, schemes = Contract(document), document["components"]["securitySchemes"]
    return {route: {found["name"] for found in map(described.resolve, operation["parameters"]) if found["in"] in places} |
            {schemes[name]["name"] for need in operation.get("security", []) for name in need if schemes[name].get("in") == "query"}
            for route, operation in operations(document).items()}


# --- what the code says

def routes_of_the_code():
    """By Router::add, and by nginx, which has the public face's health at paths of its own."""
    routes = set(code(r'router\.add\(\s*"(\w+)", "([^"]+)"', "fcgi"))
    methods = re.search(r"for \(const auto method : \{(.*)\}\) \{\s*\S+router\.add\(\s*method, \"([^\"]+)\"", (ROOT / "fcgi" / "poll_face.cpp").read_text())
    routes |= {(method, methods[2]) for method in re.findall(r"\w+", methods[1])}
    names, below = re.search(r"\^\(\?<letterbox_path>/\(\?:([a-z|]+)\)\)(/\w+)\\z", (ROOT / "nginx" / "letterbox-private.conf").read_text()).groups()
    return routes | {("GET", f"/{name}{below}") for name in names.split("|")}


def errors_of_the_code():
    """{(status, code): terminal} of lib/model/error.cpp and of nginx' table."""
    found = {(int(status), name): yes == "true" for name, status, yes in code(r'CodeInfo\{"(\w+)", (\d+), (true|false)\}', "lib/model")}
    table = (ROOT / "nginx" / "letterbox-upstream.conf").read_text()
    for status, name, yes in re.findall(r"""(?m)^ +(\d+|default) +'\{"error":\{"code":"(\w+)".*"terminal":(true|false)""", table):
        found |= {(number, name): yes == "true" for number in (NGINX_STATUSES[1:] if status == "default" else [int(status)])}
    return found


def parameters_of_the_code():
    return set(code(r'query\.(?:single|all|has)\("(\w+)"\)|\(query, "(\w+)"[,)]', "lib/handlers", "lib/requests"))


# --- what PROTOCOL.md says

def errors_of_protocol():
    return {(int(status), name) for row in re.findall(r"(?m)^\| ([\d, ]+) \| `(\w+)` \|", PROTOCOL) for status in row[0].split(", ") for name in [row[1]]}


def parameters_of_protocol():
    """{(method, path): names}, from headings such as `## DELETE /tokens?user=alice`, and from tables of parameters below headings."""
    found = {}
    for title, text in re.findall(r"(?ms)^## (.*?)$(.*?)(?=^## |\Z)", PROTOCOL):
        named = re.findall(r"([A-Z]+) (/[\w/]+)(?:\?([\w=&\[\]]+))?", title) or [("GET", "/groups/*", "")] * (title == "Groups")
        rows = re.findall(r"(?m)^\| ([^|]*`[^|]*) \|", text.partition("| parameter |")[2].partition("\n\n")[0])
        names = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
        for method, path, query in named:
            found.setdefault((method, path.replace("/NAME", "/*")), set()).update(re.findall(r"(\w+)=", query), names)
    return {route: names for route, names in found.items() if names}


def json_of_protocol():
    """Each JSON document that PROTOCOL.md shows."""
    found, decoder, at = [], json.JSONDecoder(), 0
    while (at := PROTOCOL.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(PROTOCOL, at)
            found.append(value)
        except ValueError:
            at += 1
    return found


def difference(ours, theirs):
    """What is in one and not in the other, as a text; empty if they are the same."""
    return ", ".join([f"openapi.yaml has no {each}" for each in sorted(set(theirs) - set(ours))] + [f"only openapi.yaml has {each}" for each in sorted(set(ours) - set(theirs))])


def wrong_routes(document):
    return difference({route for route in operations(document) if route[0] != "OPTIONS"}, routes_of_the_code())


def wrong_errors(document):
    return difference(errors(document), errors_of_the_code()) + difference(errors(document), errors_of_protocol())


def wrong_terminal(document):
    return difference(terminal(document).items(), {(name, yes) for (_, name), yes in errors_of_the_code().items()})


def wrong_parameters(document):
    ours = parameters(document, "query", "header")
    theirs = parameters_of_protocol()
    unknown = difference({name for names in parameters(document, "query").values() for name in names}, {name for pair in parameters_of_the_code() for name in pair if name})
    # What PROTOCOL.md does not say of a route in a heading or a table it says in the text: the code is asked, below.
    return unknown + ", ".join(f"{route} has no {names - ours[route]}" for route, names in theirs.items() if names - ours[route])


def test_routes():
    """openapi.yaml has each route of both faces, by its method, and no other"""
    assert not wrong_routes(DOCUMENT)
    assert len(routes_of_the_code()) >= 25


def test_errors():
    """openapi.yaml has each error code with its statuses, as the programs, nginx and PROTOCOL.md have it, and no other"""
    assert not wrong_errors(DOCUMENT)
    assert len(errors_of_the_code()) >= 40


def test_terminal():
    """openapi.yaml says of each error whether the same request will fail again, as the programs and nginx do"""
    assert not wrong_terminal(DOCUMENT)


def test_parameters():
    """openapi.yaml has each parameter that the programs read, and each that PROTOCOL.md has for its route"""
    assert not wrong_parameters(DOCUMENT)
    assert len(parameters_of_protocol()) >= 9


ONCE = [(*route, name) for route, names in parameters(DOCUMENT, "query").items() for name in sorted(names)
        if not any(each.get("name") == name and each["schema"].get("type") == "array" for each in operations(DOCUMENT)[route]["parameters"])]


@pytest.mark.parametrize("method, path, name", ONCE, ids=lambda part: part)
def test_parameter_is_read(stack, user, method, path, name):
    """a parameter that openapi.yaml has for a route is read there: given twice it is 400 repeated_parameter"""
    of_a_user = path != "/users" and "user" in parameters(DOCUMENT, "query")[method, path]
    needed = {"user": user} if of_a_user and name not in ("user", "token") else {}
    needed |= {"to": user} if path == "/push" else {}
    answer = stack.request(method, target(path.replace("*", "team"), **needed, **{name: ["1", "1"]}), body=b"x" if method == "POST" else None)
    assert answer.status == 400 and answer.json["error"]["code"] == "repeated_parameter", answer


def test_examples():
    """each answer and each post that openapi.yaml shows stands in PROTOCOL.md"""
    described, shown = Contract(DOCUMENT), json_of_protocol()
    count = 0
    for route, operation in operations(DOCUMENT).items():
        for status, answer in operation["responses"].items():
            content = described.resolve(answer).get("content", {}).get("application/json", {})
            for example in [*([content["example"]] if "example" in content else []), *(each["value"] for each in content.get("examples", {}).values())]:
                assert example in shown, (route, status, example)
                count += 1
    assert DOCUMENT["webhooks"]["unheard"]["post"]["requestBody"]["content"]["application/json"]["example"] in shown
    assert count >= 40


def test_version():
    """openapi.yaml has the version of the Makefile"""
    assert DOCUMENT["info"]["version"] == VERSION


# --- that these checks notice

def without(*way):
    """openapi.yaml without what is at the end of a way."""
    document = copy.deepcopy(DOCUMENT)
    place = document
    for name in way[:-1]:
        place = place[name]
    del place[way[-1]]
    return document


def test_missing_is_noticed():
    """a route, a method, a parameter or an error code that openapi.yaml lacks is noticed"""
    poll = DOCUMENT["paths"]["/poll"]["get"]
    at = next(number for number, parameter in enumerate(poll["parameters"]) if parameter.get("name") == "timeout")
    assert "no ('POST', '/ack')" in wrong_routes(without("paths", "/ack"))
    assert "no ('DELETE', '/tokens')" in wrong_routes(without("paths", "/tokens", "delete"))
    assert "timeout" in wrong_parameters(without("paths", "/poll", "get", "parameters", at))
    assert "user" in wrong_parameters(without("paths", "/poll", "get", "security"))
    assert "no (429, 'too_many_clients')" in wrong_errors(without("paths", "/poll", "get", "responses", "429"))
    assert "no (405, 'wrong_method')" in wrong_errors(without("x-everywhere", "405") | {"paths": {}})
    codes = DOCUMENT["components"]["schemas"]["TerminalError"]["properties"]["code"]["enum"]
    assert "no ('kicked', True)" in wrong_terminal(without("components", "schemas", "TerminalError", "properties", "code", "enum", codes.index("kicked")))


GOOD = b'{"group":"team","size":1,"members":[{"user":"alice","online":true}],"next":null}\n'
TEAM = "/groups/team"


@pytest.mark.parametrize("method, where, status, body", [
    ("GET", TEAM, 200, b'{"group":"team","size":1,"members":[]}\n'),
    ("GET", TEAM, 200, b'{"group":"team","size":1,"members":[],"next":null,"more":1}\n'),
    ("GET", TEAM, 200, b'{"size":1,"group":"team","members":[],"next":null}\n'),
    ("GET", TEAM, 200, b'{"group":"team","size":-1,"members":[],"next":null}\n'),
    ("GET", TEAM, 200, b'{"group":"team","size":1,"members":[{"user":"alice"}],"next":null}\n'),
    ("GET", TEAM, 200, GOOD.strip()), ("GET", TEAM, 200, b""), ("GET", TEAM, 200, b"{}{}\n"),
    ("GET", TEAM, 201, GOOD), ("GET", "/group/team", 200, GOOD), ("PATCH", TEAM, 200, GOOD),
    ("GET", TEAM, 400, b'{"error":{"code":"bad_ttl","message":"x","terminal":true,"retry_after_ms":0}}\n'),
    ("GET", TEAM, 400, b'{"error":{"code":"bad_luck","message":"x","terminal":true,"retry_after_ms":0}}\n'),
    ("GET", TEAM, 400, b'{"error":{"code":"bad_user","message":"x","terminal":false,"retry_after_ms":0}}\n'),
    ("GET", "/nowhere", 409, b'{"error":{"code":"broken_data","message":"x","terminal":true,"retry_after_ms":0}}\n'),
], ids=str)
def test_difference_is_noticed(method, where, status, body):
    """an answer that differs from openapi.yaml, in whatever way, is noticed"""
    headers = [("content-type", "application/json"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    contract.hold("GET", TEAM, Answer(200, headers, GOOD))
    assert not contract.broken
    for wrong in (headers + [("x-more", "1")], headers + [("cache-control", "no-store")], headers[:2]):
        contract.hold("GET", TEAM, Answer(200, wrong, GOOD))
        assert contract.broken.pop()
    contract.hold(method, where, Answer(status, headers, body))
    assert contract.broken.pop()


@pytest.mark.parametrize("event", [
    'event: letterbox.end\ndata: {"reason":"bored","retry_after_ms":1}', 'event: letterbox.news\ndata: {}', 'event: letterbox.reset\ndata: {"a":1}',
    'event: mail\ndata: {"id":"1-1","type":"mail","time":1}', 'name: mail\ndata: {"id":"1-1","type":"mail","data":1,"time":1}', "data: hello",
])
def test_wrong_event_is_noticed(event):
    """an event that differs from openapi.yaml is noticed"""
    contract.hold_event("/events", 'id: 1-1\nevent: mail\ndata: {"id":"1-1","type":"mail","data":1,"time":1}')
    contract.hold_event("/events?format=raw", "id: 1-1\ndata: hello")
    contract.hold_event("/events", ": \nretry: 1\nid: 0\nevent: letterbox.position\ndata: {\"cursor\":\"0\"}")
    assert not contract.broken
    contract.hold_event("/events", event)
    assert contract.broken.pop()


GOOD_POST = DOCUMENT["webhooks"]["unheard"]["post"]["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.parametrize("headers, event", [
    ({"webhook-id": "alice.b/1-7"}, {}), ({"webhook-id": "alice/1-0"}, {}), ({"webhook-timestamp": "1.5"}, {}), ({"webhook-signature": "v1,abc="}, {}),
    ({"webhook-signature": f"v1,{'A' * 43}= v1a,{'A' * 43}="}, {}), ({"webhook-more": "1"}, {}), ({"content-type": "text/plain"}, {}), ({}, {"type": "message"}),
    ({}, {"timestamp": "2026-11-21T19:02:00Z"}), ({}, {"data": {**GOOD_POST["data"], "more": 1}}), ({}, {"data": {**GOOD_POST["data"], "id": "7"}}), ({}, {"more": 1}),
], ids=str)
def test_wrong_post_is_noticed(headers, event):
    """a post to the webhook that differs from openapi.yaml is noticed, and one that lacks something"""
    good = {"host": "x", "content-type": "application/json", "webhook-id": "alice/1-7", "webhook-timestamp": "1795287722", "webhook-signature": f"v1,{'A' * 43}="}
    contract.hold_post(good, json.dumps(GOOD_POST).encode())
    assert not contract.broken
    contract.hold_post(good | headers, json.dumps(GOOD_POST | event).encode())
    assert contract.broken.pop()
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        contract.hold_post({other: value for other, value in good.items() if other != name}, json.dumps(GOOD_POST).encode())
        assert contract.broken.pop()
    for name in GOOD_POST:
        contract.hold_post(good, json.dumps({other: value for other, value in GOOD_POST.items() if other != name}).encode())
        assert contract.broken.pop()
