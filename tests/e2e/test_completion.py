# SPDX-License-Identifier: MIT
"""scripts/completion.bash, asked in bash as a press of TAB asks it."""

import re
import shutil
import subprocess

import pytest

from stack import ROOT, SCRIPTS, environment, new_directory

NAMES = ["run", "service", "test", "push", "poll", "run-job"]

# Does what bash does on TAB: looks up what was registered for the first word, else for what stands behind its last slash, and calls it.
TAB = r"""
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
registered=$(complete -p -- "$1" 2>/dev/null || complete -p -- "${1##*/}") || exit 9
function=${registered#*-F }; function=${function%% *}
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
"""


@pytest.fixture
def place():
    """A directory with a file and a folder whose names hold a blank."""
    directory = new_directory()
    (directory / "order one.json").write_text("{}")
    (directory / "order folder").mkdir()
    yield directory
    shutil.rmtree(directory)


def tab(*words, cwd=ROOT):
    """What is offered for the last of the words."""
    ended = subprocess.run(["bash", "--norc", "-c", TAB, "tab", SCRIPTS / "completion.bash", *words], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_options(name):
    """of each script exactly those options are offered that its --help names"""
    usage = subprocess.run([SCRIPTS / name, "--help"], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    described = set(re.findall(r"^ +(--?[a-z][a-z0-9-]*)", usage, re.M)) | set(re.findall(r"\[(--?[a-z][a-z0-9-]*)", usage)) | {"--help"}
    assert set(tab(f"scripts/{name}", "-")) == described


@pytest.mark.parametrize("typed", ["scripts/poll", "./scripts/poll", str(SCRIPTS / "poll"), "poll"])
def test_spellings(typed):
    """a script is completed however it is called"""
    assert tab(typed, "--cur") == ["--cursor-file"]


@pytest.mark.parametrize("name", ["service", "test", "run"])
def test_commands_of_the_system(name):
    """commands of the system that have the name of a script are left alone"""
    ended = subprocess.run(["bash", "--norc", "-c", f". '{SCRIPTS}/completion.bash'; complete -p {name}"], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode != 0 and ended.stdout == ""


def test_verbs():
    """scripts/service is offered its verbs, and options behind them"""
    assert sorted(tab("scripts/service", "")) == ["restart", "start", "status", "stop"]
    assert sorted(tab("scripts/service", "sta")) == ["start", "status"]
    assert tab("scripts/service", "start", "--d") == ["--dir"]


def test_files(place):
    """where a value is a file or a directory those are offered, with whatever name"""
    where = str(SCRIPTS / "push")
    assert sorted(tab(where, "--file", "ord", cwd=place)) == ["order folder", "order one.json"]
    assert tab(str(SCRIPTS / "run"), "--dir", "ord", cwd=place) == ["order folder"]
    assert sorted(tab(str(SCRIPTS / "poll"), "--token-file", "", cwd=place)) == ["order folder", "order one.json"]


def test_values_behind_equals(place):
    """a value behind = is completed as one that is a word of its own, though bash parts such a word in three"""
    where = str(SCRIPTS / "push")
    assert sorted(tab(where, "--file", "=", "ord", cwd=place)) == ["order folder", "order one.json"]
    assert sorted(tab(where, "--file", "=", cwd=place)) == ["order folder", "order one.json"]
    assert tab(str(SCRIPTS / "run"), "--dir", "=", "ord", cwd=place) == ["order folder"]
    assert tab(where, "--type", "=", "ord", cwd=place) == []


def test_free_values():
    """where a value may be anything nothing is offered"""
    assert tab("scripts/push", "--type", "-") == [] and tab("scripts/run", "--port", "") == [] and tab("scripts/push", "al") == []


def test_command(place):
    """behind -- run-job is offered commands, and then files"""
    assert "sleep" in tab("scripts/run-job", "alice", "--", "slee")
    assert tab(str(SCRIPTS / "run-job"), "alice", "--", "cat", "order o", cwd=place) == ["order one.json"]
    assert tab("scripts/run-job", "alice", "--qui") == ["--quiet"]


def test_nothing_is_run(place):
    """a press of TAB runs nothing of what stands on the line"""
    trap = place / "push"
    trap.write_text(f"#!/bin/sh\n: >'{place}/ran'\n")
    trap.chmod(0o755)
    assert tab(str(trap), "--t", cwd=place) == ["--type", "--ttl"]
    assert tab("push", "--file", "$(: >ran)`: >ran`", cwd=place) == []
    assert not (place / "ran").exists()
