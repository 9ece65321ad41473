# SPDX-License-Identifier: MIT
"""A page with a state of its own: the examples of nginx/www/README.md."""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from expect import data
from streams import Stream

README = Path(__file__).parents[2] / "nginx" / "www" / "README.md"


def example(language):
    section = README.read_text().split("## A page with a state of its own")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.S)[1]


def by_python(stack, user, load_mails):
    names = {"json": json, "urllib": urllib, "load_mails": load_mails, "render": json.dumps}
    exec(example("python").replace("http://127.0.0.1:8080", stack.url), names)
    return names["page"](user)


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_python(stack, user, known):
    """what is pushed while the page is made, or before it listens, reaches it; what is in its state alone does not"""
    if known:
        stack.pushed(user, "in the state")

    def load_mails(whose):
        assert whose == user
        stack.pushed(user, "as the state is read")
        return ["in the state"] if known else []

    page = by_python(stack, user, load_mails)
    stack.pushed(user, "before it listens")
    cursor = re.search(r'data-cursor="([^"]*)"', page)[1]
    answer = stack.look(user, client="page", after=cursor)
    assert data(answer) == ["as the state is read", "before it listens"]
    assert answer["missed"] == 0 and answer["reset"] is False
    stream = Stream(stack, user, client="other", after=cursor)
    assert stream.messages(2) == ["as the state is read", "before it listens"]


def test_php(stack, user):
    """PHP prints the same cursor"""
    newest = stack.pushed(user, "in the state")
    program = "function load_mails($user) { return []; } function render($mails) { return ''; } $user = $argv[1];\n" + example("php")
    ended = subprocess.run(["php", "-r", program.replace("http://127.0.0.1:8080", stack.url), user], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended
    assert f'data-cursor="{newest}"' in ended.stdout
