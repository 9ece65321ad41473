# SPDX-License-Identifier: MIT
"""Holds every answer that a test gets against fcgi/openapi.yaml.

web.py hands each answer to `hold`, streams.py each event to `hold_event`, test_webhook.py each post to `hold_post`. What the contract does not allow is added to
`broken`, and the test that got it fails in the end (conftest.py), whatever it asserts itself.

The check is stricter than the contract is for a client: an answer may have no field and no header that openapi.yaml
does not know, and its fields stand in the order of openapi.yaml. Requests are not checked: tests make wrong ones.
"""

import functools
import json
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

import fastjsonschema
import yaml

FILE = Path(__file__).resolve().parents[2] / "fcgi" / "openapi.yaml"
# What HTTP itself has, or what a server that nginx stands for may add.
ANY_HEADER = {"server", "date", "content-type", "content-length", "connection", "transfer-encoding", "strict-transport-security"}
# What a post has in addition to the headers that openapi.yaml names.
ANY_HEADER_OF_A_POST = {"host", "user-agent", "accept", "content-type", "content-length"}
ALL = "*"

broken = []


def load():
    with FILE.open() as file:
        return yaml.load(file, yaml.CSafeLoader)


class Contract:
    """openapi.yaml, ready to be asked. Schemas are compiled when they are first needed."""

    def __init__(self, document):
        self.document = document
        self.paths = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations) for path, operations in document["paths"].items()]
        self.operation = functools.lru_cache(None)(self._operation)
        self.answer = functools.lru_cache(None)(self._answer)
        self.event = functools.lru_cache(None)(self._event)

    def problem(self, method, path, answer):
        """What is wrong with an answer, or None. path: None if the request was none."""
        operation = self.operation(method, path)
        if operation is None and kind_of(answer) not in ("application/json", "text/event-stream"):
            return None  # a page, or what nginx itself says in a server of others
        if operation is None and answer.status < 400:
            return f"openapi.yaml has no {method} {path}"
        # A server may have one face alone.
        known = operation and answer.status != 404
        found = self.answer(method if known else ALL, path if known else ALL, str(answer.status))
        return found(answer, method == "HEAD") if found else f"openapi.yaml has no {answer.status} for {method} {path}"

    def resolve(self, node):
        """What a reference stands for, with its own members in place of those that it refers to."""
        if "$ref" not in node:
            return node
        target = self.document
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return {**self.resolve(target), **{name: value for name, value in node.items() if name != "$ref"}}

    def check_of(self, schema):
        """A function that returns what is wrong with a JSON value, or None."""
        schema = self._closed(schema)
        orders = [list(kind["properties"]) for kind in schema.get("oneOf", [schema]) if "properties" in kind]
        validate = fastjsonschema.compile(schema)

        def check(value):
            try:
                validate(value)
            except fastjsonschema.JsonSchemaValueException as error:
                return error.message
            if orders and not any([name for name in order if name in value] == list(value) for order in orders):
                return f"its fields are in another order: {list(value)}"
            return None
        return check

    def _closed(self, schema):
        """The schema without references, and with no fields but those that it names."""
        schema = self.resolve(schema)
        closed = {name: self._closed(value) if isinstance(value, dict) and name == "items" else
                  {key: self._closed(each) for key, each in value.items()} if name == "properties" else
                  [self._closed(each) for each in value] if name in ("oneOf", "anyOf") else value
                  for name, value in schema.items() if name not in ("default", "description")}
        if "properties" in closed:
            closed["additionalProperties"] = False
        return closed

    def _operation(self, method, path):
        for pattern, operations in self.paths if path else []:
            if pattern.fullmatch(path):
                operation = operations.get(method.lower())
                # Each GET takes HEAD as well; the two that refuse it say so in /poll and /events.
                if operation is None and method == "HEAD" and path not in ("/poll", "/events"):
                    operation = operations.get("get")
                if operation:
                    return operation
        return None

    def _answer(self, method, path, status):
        """A function that returns what is wrong with an answer of this status, or None if there is no such answer."""
        answers = self.document["x-everywhere"] if method == ALL else self.operation(method, path)["responses"]
        if status not in answers:
            return None
        response = self.resolve(answers[status])
        headers = {name.lower(): self.resolve(header) for name, header in response["headers"].items()}
        values = {name: self.check_of(header["schema"]) for name, header in headers.items()}
        needed = {name for name, header in headers.items() if header.get("required")}
        bodies = {kind: self.check_of(content["schema"]) for kind, content in response.get("content", {}).items()}
        codes = codes_of(response)

        def check(answer, head):
            return check_headers(answer) or (None if head else check_body(answer))

        def check_headers(answer):
            there = dict(answer.headers)
            if len(there) < len(answer.headers):
                return f"a header comes twice: {answer.headers}"
            if there.keys() - headers.keys() - ANY_HEADER or needed - there.keys():
                return f"headers unknown: {there.keys() - headers.keys() - ANY_HEADER}, missing: {needed - there.keys()}"
            return next((f"{name}: {wrong}" for name, value in there.items() if name in values and (wrong := values[name](value))), None)

        def check_body(answer):
            if not bodies:
                return "there is a body" if answer.body else None
            kind = kind_of(answer)
            if kind not in bodies:
                return f"it is {kind}, not {list(bodies)}"
            value = answer.body.decode("utf-8")
            if kind == "text/event-stream":
                return next((wrong for block in value.split("\n\n") if (wrong := self.wrong_event(False, block))), None)
            if kind != "application/json":
                return bodies[kind](value)
            value = read(value)
            if wrong := bodies[kind](value):
                return wrong
            if "error" in value and value["error"]["code"] not in codes:
                return f"openapi.yaml lists for {status}: {codes}"
            return None if answer.body.endswith(b"\n") else "no line feed at its end"
        return check

    def wrong_event(self, raw, block):
        """What is wrong with an event of a stream, as it was written, or None. raw: it was asked for by format=raw."""
        lines = [line.partition(": ") for line in block.split("\n")]
        fields = {name: value for name, _, value in lines}
        data = "\n".join(value for name, _, value in lines if name == "data")
        kind = fields.get("event", "message")
        if fields.keys() - {"id", "event", "data", "retry", "", ":"}:
            return f"fields: {list(fields)}"
        if "data" not in fields or raw and not kind.startswith("letterbox."):
            return None
        check = self.event(kind if kind.startswith("letterbox.") else ALL)
        return check(read(data)) if check else f"openapi.yaml has no event {kind}"

    def wrong_post(self, headers, body):
        """What is wrong with a post to the webhook, or None. headers: {name in small letters: value}"""
        checks, of_body = self.post
        there = headers.keys() - ANY_HEADER_OF_A_POST
        if there != checks.keys():
            return f"headers: {sorted(there)}"
        if headers.get("content-type") != "application/json":
            return f"it is {headers.get('content-type')}"
        return next((f"{name}: {wrong}" for name, check in checks.items() if (wrong := check(headers[name]))), None) or of_body(read(body.decode("utf-8")))

    @functools.cached_property
    def post(self):
        """The checks of a post's own headers, by name, and that of its body."""
        post = self.document["webhooks"]["unheard"]["post"]
        headers = {parameter["name"]: self.check_of(parameter["schema"]) for parameter in post["parameters"]}
        return headers, self.check_of(post["requestBody"]["content"]["application/json"]["schema"])

    def _event(self, kind):
        events = self.document["paths"]["/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
        return self.check_of(events[kind]) if kind in events else None


def kind_of(answer):
    return dict(answer.headers).get("content-type", "").split(";")[0]


def read(text):
    """JSON, in which a number may have any length."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))


def codes_of(response):
    """The error codes that the description of an answer lists."""
    return re.findall(r"`([a-z_]+)`", response["description"])


@functools.lru_cache(None)
def contract():
    return Contract(load())


@functools.lru_cache(1000)
def read_as_nginx_does(where):
    """The path of a request, without escapes, `..` and double slashes; None if there is no path."""
    if not where:
        return None
    path = unquote(where.partition("?")[0])
    return posixpath.normpath(path).replace("//", "/") + ("/" if path.endswith("/") and path.strip("/") else "")


def note(what, ask, *arguments):
    """Adds to `broken` what is wrong, if anything is."""
    try:
        wrong = ask(*arguments)
    except ValueError as error:
        wrong = f"no JSON in UTF-8: {error}"
    if wrong:
        broken.append(f"{what} brought what fcgi/openapi.yaml does not allow: {wrong}\n{arguments[-1]}")


def hold(method, where, answer):
    """Notes what is wrong with the answer to a request. where: None if the request was none."""
    note(f"{method} {where}", contract().problem, method, read_as_nginx_does(where), answer)


def hold_event(where, block):
    """Notes what is wrong with an event of a stream."""
    note(f"the stream {where}", contract().wrong_event, "format=raw" in where, block)


def hold_post(headers, body):
    """Notes what is wrong with a post to the webhook."""
    note(f"The post {headers}", contract().wrong_post, headers, body)
