# SPDX-License-Identifier: BSD-3-Clause
"""
O4: calls run, Weir is killed (-9) and started again with its listeners and pools reordered and a gateway more in each
pool; re-INVITE and BYE from both sides reach the right other side, over NAT and for calls from gateways too. The token
says it all.
"""
import re

import pytest

import flows
from conftest import WEIR, hostport, ip_of
from lab.ladder import Ladder
from lab.net import until
from lab.wire import Call

CALLS = 20
ACK = re.compile(r"^ACK sip:.*?^Call-ID: *(\S+).*?^CSeq: *(\d+)", re.S | re.M)
HELD = {"bye-by-a": (5701, "A>B BYE\nB>A 200"), "bye-by-b": (5702, "B>A BYE\nA>B 200")}

BEFORE = """
pools:
  bye-by-a:
    health: { method: off }
    gateways:
      a1: { address: 198.51.100.21:5701 }
      a2: { address: 198.51.100.22:5701 }
  bye-by-b:
    health: { method: off }
    gateways:
      b1: { address: 198.51.100.21:5702 }
      b2: { address: 198.51.100.22:5702 }
  nat:
    health: { method: off }
    gateways:
      n1: { address: 198.51.100.25:5703 }
  trunk:
    health: { method: off }
    gateways:
      t1: { address: 192.0.2.12:5704 }
"""
# Every pool is somewhere else, and each has a new gateway that would get nearly all calls if they were picked again.
AFTER = """
pools:
  trunk:
    health: { method: off }
    gateways:
      t0: { address: 192.0.2.13:5704, weight: 1000 }
      t1: { address: 192.0.2.12:5704 }
  nat:
    health: { method: off }
    gateways:
      n0: { address: 198.51.100.26:5703, weight: 1000 }
      n1: { address: 198.51.100.25:5703 }
  bye-by-b:
    health: { method: off }
    gateways:
      b0: { address: 198.51.100.26:5702, weight: 1000 }
      b2: { address: 198.51.100.22:5702 }
      b1: { address: 198.51.100.21:5702 }
  bye-by-a:
    health: { method: off }
    gateways:
      a0: { address: 198.51.100.26:5701, weight: 1000 }
      a2: { address: 198.51.100.22:5701 }
      a1: { address: 198.51.100.21:5701 }
"""
REST = """
peers:
  callers: { from: [192.0.2.0/24] }
routes:
  - { match: { from: nat, number: "+33" }, pool: trunk }
  - { match: { from: callers, number: "+1" }, pool: bye-by-a }
  - { match: { from: callers, number: "+2" }, pool: bye-by-b }
  - { match: { from: callers, number: "+82" }, pool: nat }
"""
CONFIG = BEFORE + REST


class Held:
    """Calls of sipp that stand open until told to go on."""

    def __init__(self, family, name, number):
        self.family, self.name = family, name
        self.port, bye = HELD[name]
        ladder = Ladder(flows.HELD_OPEN.format(bye=bye))
        self.gateways = {host: family.sipp(family.gateways, (f"{name}.B", ladder.scenario("B")),
                                           ip_of("gateways", host), self.port) for host in (21, 22)}
        self.caller = family.sipp(family.callers, (f"{name}.A", ladder.scenario("A")), ip_of("callers", 11), self.port,
                                  target=hostport(*WEIR["callers", False]), calls=CALLS, rate=100,
                                  keys={"uri": f"sip:{number}55@pstn.test", "from_uri": "sip:a@callers.test"},
                                  args=["-cid_str", f"{name}-%u"])

    def go(self, side, peer):
        """Tell every call of that side to go on; a gateway only the calls that it has."""
        for n in range(1, CALLS + 1):
            call_id = f"{self.name}-{n}"
            address = ip_of("callers", 11)
            if side == "B":
                holder = next(h for h, g in self.gateways.items() if f"Call-ID: {call_id}\r" in g.messages())
                address = ip_of("gateways", holder)
            peer.send(peer.make("INFO", "sip:go@test", call_id=call_id), (address, self.port))

    def acked(self, times):
        """True if the gateways have had so many ACKs for each call, repeats aside: what comes then finds them waiting."""
        seen = {ack for gateway in self.gateways.values() for ack in ACK.findall(gateway.messages())}
        return len(seen) >= times * CALLS

    def finish(self):
        code = self.caller.wait()
        for gateway in self.gateways.values():
            gateway.stop()
        said = self.caller.trouble() + "".join(g.trouble() for g in self.gateways.values())
        assert code == 0 and self.caller.successful == CALLS, said
        assert sum(g.successful for g in self.gateways.values()) == CALLS, said
        assert all(g.successful for g in self.gateways.values()), "both gateways had calls"


def restart(family):
    listeners = re.search(r"(?<=^listeners:\n)(?:  .*\n)+", family.base, re.M).group()
    assert listeners.count("\n") > 1
    family.weir.kill()
    family.weir.configure(family.base.replace(listeners, "\n".join(reversed(listeners.splitlines())) + "\n") + AFTER + REST)
    family.start()


@pytest.mark.flow("O4")
def test_calls_survive_kill_and_reordered_pools(family):
    held = [Held(family, "bye-by-a", "+1"), Held(family, "bye-by-b", "+2")]
    phone, phone_gw = family.peer("callers", 11), family.peer("gateways", 25, 5703)
    trunk = family.peer("callers", 12, 5704)
    nat = Call(phone, phone_gw, "sip:+82105551234@pstn.test", via="SIP/2.0/UDP 10.9.8.7:5060;branch=z9hG4bKnat;rport", contact="<sip:p@10.9.8.7:5060>")
    out = Call(phone_gw, trunk, "sip:+33155501234@trunk.test")
    until(lambda: all(calls.acked(1) for calls in held), 20, "calls not set up")

    restart(family)

    signals = {"A": family.peer("callers", 18), "B": family.peer("gateways", 40)}
    for side in "AB":
        for calls in held:
            calls.go(side, signals[side])
        if side == "A":  # every re-INVITE of A is over before B speaks
            until(lambda: all(calls.acked(2) for calls in held), 20, "no re-INVITE of A")
    for calls in held:
        calls.finish()
    assert family.weir.metric("weir_placements_total", by="pick") == 0, "nobody was picked anew"

    for call, (a, b) in ((nat, (phone, phone_gw)), (out, (phone_gw, trunk))):
        a.send(call.from_caller("INVITE", cseq="2 INVITE"))
        invite = b.request("INVITE")
        b.answer(invite, 200, "OK")
        assert a.response(200)
        b.send(call.from_gateway("BYE", uri="sip:p@10.9.8.7:5060" if call is nat else call.a_contact))
        bye = a.request("BYE")
        a.answer(bye, 200, "OK")
        assert b.response(200)
