# SPDX-License-Identifier: MIT
"""scripts/monitoring: promtool accepts the alert rules, they fire as they should, and rules and dashboard name existing metrics."""

import json
import re
import subprocess
from pathlib import Path

import pytest

import exposition
from stack import ROOT, SCRIPTS

MONITORING = SCRIPTS / "monitoring"
RULES = MONITORING / "letterbox-alerts.yml"
RULES_TEST = Path(__file__).with_name("letterbox-alerts-test.yml")
METRIC = re.compile(r"\b(?:letterbox|process)_[a-z_]+\b")


def promtool(*arguments):
    ended = subprocess.run(["promtool", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return ended.returncode, ended.stdout


def panels():
    return json.loads((MONITORING / "letterbox-dashboard.json").read_text())["panels"]


def queries():
    """The dashboard's queries to Prometheus, with values instead of its variables."""
    for panel in panels():
        for asked in panel.get("targets", ()):
            yield re.sub(r"\$(job|instance)", "any", asked["expr"].replace("$__rate_interval", "1m"))


def expressions_of_rules():
    return re.findall(r"expr: (?:>-\n)?((?:.|\n)*?)\n        (?:for|labels):", RULES.read_text())


def test_rules():
    """promtool accepts the alert rules"""
    status, said = promtool("check", "rules", RULES)
    assert status == 0 and "SUCCESS" in said, said


def test_alerts():
    """each alert fires for its condition, and for nothing that only looks like it"""
    status, said = promtool("test", "rules", RULES_TEST)
    assert status == 0, said


def test_all_alerts():
    """no alert is left out of the test of their firing"""
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    fired = re.findall(r'alertname="(\w+)"', RULES_TEST.read_text())
    assert len(alerts) > 10 and sorted(alerts) == sorted(fired)


def test_queries(tmp_path):
    """promtool accepts each query of the dashboard"""
    asked = list(queries())
    assert len(asked) > 30
    rules = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    status, said = promtool("check", "rules", path)
    assert status == 0, said


def test_panels():
    """the dashboard's panels have numbers of their own, and none overlaps another"""
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


def base(name):
    """The metric that a series belongs to: those of a histogram end in one of three words."""
    return re.sub(r"(_seconds)_(bucket|sum|count)$", r"\1", name)


@pytest.mark.parametrize("what", ["rules", "dashboard"])
def test_metrics(stack, what):
    """each metric named in the rules and the dashboard is one of /metrics and of its table in PROTOCOL.md"""
    texts = expressions_of_rules() if what == "rules" else list(queries())
    named = {base(name) for text in texts for name in METRIC.findall(text)}
    assert len(named) > 10
    given = set(exposition.read(stack.get("/metrics").body.decode()))
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "fcgi" / "PROTOCOL.md").read_text(), re.M))
    assert named <= given and named <= documented


def test_all_metrics(stack):
    """the dashboard shows every metric of /metrics"""
    shown = {base(name) for query in queries() for name in METRIC.findall(query)}
    assert set(exposition.read(stack.get("/metrics").body.decode())) == shown
