# SPDX-License-Identifier: MIT
"""What the tests say about answers, in the contract's words."""


def data(answer):
    """The data of a poll's messages, in order."""
    assert answer["count"] == len(answer["messages"]), answer
    return [message["data"] for message in answer["messages"]]


def ids(answer):
    return [message["id"] for message in answer["messages"]]


def epoch(cursor):
    return int(cursor.split("-")[0])


def seq(cursor):
    """The number of a cursor; that of "0", at which every mailbox starts, is 0."""
    return int(cursor.split("-")[1]) if "-" in cursor else 0


def is_error(answer, status, code):
    """The answer is the documented JSON error: status, code, and the fields every error has."""
    assert answer.status == status, f"expected {status} {code}, got {answer}"
    assert answer.header("Content-Type").split(";")[0] == "application/json", answer
    assert set(answer.json) == {"error"}, answer
    error = answer.json["error"]
    assert set(error) == {"code", "message", "terminal", "retry_after_ms"}, answer
    assert error["code"] == code, f"expected {status} {code}, got {answer}"
    assert isinstance(error["message"], str) and error["message"], answer
    assert error["terminal"] is (status < 500 and status != 429), answer
    assert isinstance(error["retry_after_ms"], int) and error["retry_after_ms"] >= 0, answer
    return True


def is_accepted(answer):
    """The push was accepted: 201 if a client waited, else 202."""
    assert answer.status in (201, 202), answer
    assert answer.json["waiting"] is (answer.status == 201), answer
    return True
