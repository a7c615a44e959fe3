# SPDX-License-Identifier: BSD-3-Clause
"""
O4: calls run, Weir is killed (-9) and started again with its pools reordered and a gateway more in each; re-INVITE and
BYE from both sides reach the right other side, over NAT and for calls from gateways too. The token says it all.
"""
import re

import pytest

import flows
from conftest import WEIR, hostport, ip_of
from lab.ladder import Ladder
from lab.net import until
from test_messages import Call

CALLS = 6
HELD = {"bye-by-a": (5701, "A>B BYE\nB>A 200"), "bye-by-b": (5702, "B>A BYE\nA>B 200")}

BEFORE = """
peers:
  callers: { from: [192.0.2.0/24] }
pools:
  held:
    health: { method: off }
    gateways:
      a1: { address: 198.51.100.21:5701 }
      a2: { address: 198.51.100.22:5701 }
      a3: { address: 198.51.100.23:5702 }
      a4: { address: 198.51.100.24:5702 }
  nat:
    health: { method: off }
    gateways:
      n1: { address: 198.51.100.25:5703 }
  trunk:
    health: { method: off }
    gateways:
      t1: { address: 192.0.2.12:5704 }
"""
AFTER = """
peers:
  callers: { from: [192.0.2.0/24] }
pools:
  trunk:
    health: { method: off }
    gateways:
      t0: { address: 192.0.2.13:5704, weight: 100 }
      t1: { address: 192.0.2.12:5704 }
  nat:
    health: { method: off }
    gateways:
      n0: { address: 198.51.100.26:5703, weight: 100 }
      n1: { address: 198.51.100.25:5703 }
  held:
    health: { method: off }
    gateways:
      a0: { address: 198.51.100.20:5701, weight: 100 }
      a4: { address: 198.51.100.24:5702 }
      a3: { address: 198.51.100.23:5702 }
      a2: { address: 198.51.100.22:5701 }
      a1: { address: 198.51.100.21:5701 }
"""
ROUTES = """
routes:
  - { match: { from: callers, number: "+1" }, pool: held }
  - { match: { from: callers, number: "+82" }, pool: nat }
  - { match: { from: nat, number: "+33" }, pool: trunk }
"""
CONFIG = BEFORE + ROUTES


class Held:
    """Calls of sipp that stand open until told to go on."""

    def __init__(self, family, name, hosts):
        self.family, self.name = family, name
        self.port, bye = HELD[name]
        ladder = Ladder(flows.HELD_OPEN.format(bye=bye))
        self.gateways = [family.sipp(family.gateways, (f"{name}.B", ladder.scenario("B")), ip_of("gateways", host), self.port)
                         for host in hosts]
        self.scenario = ladder.scenario("A")
        self.caller = None

    def begin(self):
        keys = {"uri": f"sip:+1{self.port}@pstn.test", "from_uri": "sip:a@callers.test"}
        self.caller = self.family.sipp(self.family.callers, (f"{self.name}.A", self.scenario), ip_of("callers", 11),
                                       self.port, target=hostport(*WEIR["callers", False]), calls=CALLS, rate=100,
                                       keys=keys, args=["-cid_str", f"{self.name}-%u"])

    def go(self, side, peer, address):
        """Tell every call of that side to go on."""
        for n in range(1, CALLS + 1):
            peer.send(peer.make("INFO", "sip:go@test", call_id=f"{self.name}-{n}"), address)

    def finish(self):
        code = self.caller.wait()
        for gateway in self.gateways:
            gateway.stop()
        said = self.caller.trouble() + "".join(g.trouble() for g in self.gateways)
        assert code == 0 and self.caller.successful == CALLS, said
        assert sum(g.successful for g in self.gateways) == CALLS and not any(g.failed for g in self.gateways), said


def test_calls_survive_kill_and_reordered_pools(family):
    # Both pairs of gateways stand in one pool, so each call may be at any of four places; each answers as its port says.
    everyone = [Held(family, "bye-by-a", (21, 22)), Held(family, "bye-by-b", (23, 24))]
