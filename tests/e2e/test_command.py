# SPDX-License-Identifier: MIT
"""The command `letterbox`, as administrators and back ends call it, and the man pages, which have the text of --help."""

import json
import re
import subprocess

import pytest

from stack import BUILD, SCRIPTS, environment, new_directory

# The options of which a usage consists.
USAGES = {"letterbox-poll": [BUILD / "letterbox-poll"], "letterbox-push": [BUILD / "letterbox-push"]} | {
    f"letterbox {name}": [SCRIPTS / name] for name in ("letterbox", "push", "poll", "run-job")}


def call(*words, **settings):
    """Runs the command; how it ended, and what it printed."""
    return subprocess.run([SCRIPTS / "letterbox", *words], env=environment(settings) | {"LETTERBOX_BUILD": str(BUILD)}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


@pytest.fixture
def sockets(stack):
    """A folder with the sockets of a stack's program, as /run/letterbox is one."""
    folder = new_directory()
    for face in ("poll", "push"):
        (folder / f"{face}.sock").symlink_to(stack.socket(face))
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_verbs(stack, user):
    """push, poll and job do what the scripts of the repository do"""
    pushed = call("push", user, "hello", url=stack.url)
    assert pushed.returncode == 0 and json.loads(pushed.stdout)["id"], pushed.stdout
    ran = call("job", user, "--quiet", "--", "true", url=stack.url)
    assert ran.returncode == 0, ran.stdout
    polled = call("poll", "--once", "--since", "0", user, url=stack.url)
    assert polled.returncode == 0
    messages = [json.loads(line) for line in polled.stdout.splitlines()]
    assert [message["data"] for message in messages][0] == "hello" and messages[-1]["data"]["state"] == "done"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["status", "more"], ["--nonsense"]], ids=" ".join)
def test_wrong_usage(words):
    """it refuses words that it does not know, and says which it knows"""
    ended = call(*words)
    assert ended.returncode == 2 and ended.stdout.startswith("scripts/letterbox: "), ended.stdout


def test_status(sockets):
    """status says of each socket that its program is ready, and by its exit status that all are"""
    ended = call("status", sockets=sockets)
    assert (ended.returncode, ended.stdout.splitlines()[-2:]) == (0, [f"{sockets}/poll.sock: ready", f"{sockets}/push.sock: ready"])


def test_status_of_nobody(sockets):
    """status says that no program answers on a socket, and why a program is not ready"""
    (sockets / "push.sock").unlink()
    (sockets / "push.sock").symlink_to("/nowhere")
    (sockets / "gone.sock").write_text("")
    ended = call("status", sockets=sockets)
    assert ended.returncode == 3
    assert f"{sockets}/gone.sock: not ready: nobody answers" in ended.stdout.splitlines()
    assert f"{sockets}/poll.sock: ready" in ended.stdout.splitlines()


def test_status_without_redis(new_stack):
    """status says what keeps a program from being ready"""
    stack = new_stack(redis_timeout=1)
    stack.end("redis")
    folder = new_directory()
    (folder / "poll.sock").symlink_to(stack.socket("poll"))
    ended = call("status", sockets=folder)
    (folder / "poll.sock").unlink()
    folder.rmdir()
    assert ended.returncode == 3 and re.search(r"/poll.sock: not ready: \S+", ended.stdout) and "nobody answers" not in ended.stdout, ended.stdout


def test_check(stack):
    """check tests the settings that the programs would get"""
    good = call("check", redis=f"unix:{stack.socket('redis')}")
    assert str(stack.socket("redis")) in good.stdout and "LETTERBOX_POLL_TIMEOUT" not in good.stdout, good.stdout
    bad = call("check", redis=f"unix:{stack.socket('redis')}", poll_timeout="nonsense")
    assert bad.returncode != 0 and "LETTERBOX_POLL_TIMEOUT" in bad.stdout, bad.stdout


@pytest.mark.parametrize("name", USAGES)
def test_pages(name):
    """a man page has each option of --help as a term, the usage as its synopsis, and every word"""
    said = subprocess.run([*USAGES[name], "--help"], env=environment(), stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    page = subprocess.run(["awk", "-f", SCRIPTS / "lib" / "man.awk", "-v", f"name={name}", "-v", "section=1", "-v", "version=7.8.9", "-v", "see=letterbox(1)"],
                          input=said, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    terms = re.findall(r"^\.B (\\-\\-[a-z0-9\\-]+)", page, re.M)
    assert [term.replace("\\", "") for term in terms] == re.findall(r"^  (--[a-z0-9-]+)", said, re.M) and terms
    plain = page.replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")
    assert re.findall(r"^\.SH (.*)$", plain, re.M)[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and "7.8.9" in plain
    words = set(plain.split())
    assert [word for word in said.split() if word not in words and word.lower() not in ("usage:", "example:")] == []
