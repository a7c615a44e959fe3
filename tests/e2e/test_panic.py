# SPDX-License-Identifier: BSD-3-Clause
"""All gateways of a port fall silent at once (G6): Weir doubts itself for 10 s, says so, and says when that is over."""
import pytest

from conftest import pool
from lab.net import until

HEALTH = "{ interval: 300ms, timeout: 250ms, down-after: 15, up-after: 1 }"
CONFIG = """
peers:
  callers: { from: [192.0.2.0/24] }
pools:
""" + pool("three", 7001, hosts=(21, 22, 23), health=HEALTH) + """
routes:
  - { match: { number: "+1" }, pool: three }
"""
NAMES = [f"three-{host}" for host in (21, 22, 23)]


def states(family):
    rows = family.weir.ask("show", "gateways")["gateways"]
    return {row["name"]: row["state"] for row in rows}


def told(family, kind):
    return [e for e in family.weir.ask("events")["events"] if e["kind"] == kind]


@pytest.mark.flow("G6")
@pytest.mark.slow
def test_g6_doubts_itself_and_says_when_that_is_over(family):
    """Answered a probe each, then nobody answers: used for 10 s more, then DOWN; told once, at its start and its end."""
    gateways = [family.peer("gateways", host, 7001) for host in (21, 22, 23)]
    for gateway in gateways:
        gateway.answer(gateway.request("OPTIONS", 5), 200, "OK", tag="g")
    until(lambda: told(family, "port-panic"), 10, "no panic")
    assert set(states(family).values()) == {"up"}
    until(lambda: told(family, "port-calm"), 20, "the panic has no end")
    until(lambda: set(states(family).values()) == {"down"}, 3, lambda: f"not down after it: {states(family)}")
    panic, calm = told(family, "port-panic"), told(family, "port-calm")
    assert len(panic) == len(calm) == 1 and "3 of 3 gateways" in panic[0]["text"]
    assert panic[0]["subject"] == calm[0]["subject"] == "core"
    assert calm[0]["text"] in family.weir.log.read_text()
