# SPDX-License-Identifier: MIT
"""scripts/test --rare: whether the tests have taken every branch that is named as a rare one."""

import re
import shutil
import subprocess

import pytest

from stack import ROOT, SCRIPTS, environment, new_directory

NAMES = sorted(name for source in (*ROOT.glob("lib/*/*.cpp"), *ROOT.glob("fcgi/*.cpp"))
               for name in re.findall(r'\brare<"(.*?)">\(\)', source.read_text()))


@pytest.fixture
def build():
    directory = new_directory()
    (directory / "test").mkdir()
    yield directory
    shutil.rmtree(directory)


def rare(build):
    return subprocess.run([SCRIPTS / "test", "--rare"], env=environment({"build": build}), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def test_all_reached(build):
    """branches that any of the parts has reached, each in its file, pass, and are counted"""
    (build / "test" / "rare-unit").write_text("".join(f"{name}\n" for name in NAMES[::2]))
    (build / "test" / "rare-e2e").write_text("".join(f"{name}\n" for name in 2 * NAMES[1::2]))
    ended = rare(build)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.endswith(f"\n{len(NAMES)} passed, 0 failed\n")
    assert len(NAMES) > 25


def test_one_not_reached(build):
    """a branch that no test has reached fails, and is named; a name that is in no source any more is ignored"""
    (build / "test" / "rare-redis").write_text("".join(f"{name}\n" for name in NAMES[1:]) + "a name of long ago\n")
    ended = rare(build)
    assert ended.returncode == 1, ended.stdout
    assert f"no test has reached: {NAMES[0]}\n" in ended.stdout
    assert ended.stdout.endswith(f"\n{len(NAMES) - 1} passed, 1 failed\n")
