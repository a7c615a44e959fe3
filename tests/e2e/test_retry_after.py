# SPDX-License-Identifier: BSD-3-Clause
"""
Gateways that answer 503 with Retry-After (G3): what each value of gateway-retry-after does, by hand and with real sipp
callers on emulated gateways (bench/gwsim), whose counts must be Weir's.
"""
import re
import time

import pytest

from conftest import WEIR, hostport, ip_of, pool
from lab.gwsim import Gwsim
from lab.net import until
from lab.sipp import SCENARIOS
from lab.wire import Call, Setup

PORT, LADDER_PORT = 6201, 6211
VALUES = {"stop": 6201, "shrink": 6202, "ignore": 6203}
ALL = "{ attempts: 2, retry-budget: 100% }"
CONFIG = """
peers:
  callers: { from: [192.0.2.8/29], answer-when-full: 503 }
pools:
""" + "\n".join(pool(name, port, failover=ALL, overload=f"{{ gateway-retry-after: {name}, gateway-retry-after-max: 4s }}")
                for name, port in VALUES.items()) + f"""
  tiers:
    health: {{ method: off }}
    failover: {ALL}
    gateways:
      first: {{ address: 198.51.100.21:{LADDER_PORT} }}
      second: {{ address: 198.51.100.22:{LADDER_PORT}, tier: 2 }}
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate([*VALUES, "tiers"], 1))


def congestion(family, gateway):
    return next(g for g in family.weir.ask("show", "congestion")["gateways"] if g["name"] == gateway)


def effect(family, gateway):
    asked = congestion(family, gateway)["retry_after"]
    return asked and asked["effect"]


def events(family, gateway):
    """What was told of the gateway about Retry-After."""
    return [e["kind"] for e in family.weir.ask("events")["events"]
            if e["subject"] == gateway and e["kind"].startswith("gateway-retry-after")]


@pytest.mark.drawn_calls(5)
def test_g3_stop_by_hand(family):
    """After the second 503 with Retry-After a call a second tries the gateway; the call that runs there goes on."""
    caller = family.peer("callers", 11)
    first, second = (family.peer("gateways", host, LADDER_PORT) for host in (21, 22))
    running = Call(caller, first, "sip:+45551234@pstn.test")

    def call():
        """One more call: the second gateway says busy, the first one refuses. True if the first one saw it."""
        setup = Setup(caller, "sip:+45551234@pstn.test")
        tried = [None]

        def arrived():
            for m in first.pending():
                if m.method == "INVITE" and m.get("call-id") == setup.call_id:
                    first.answer(m, 503, "Service Unavailable", "Retry-After: 60\n", tag="no")
                    first.request("ACK")
                    tried[0] = True
            return [m for m in second.pending() if m.method == "INVITE" and m.get("call-id") == setup.call_id]
        second.answer(until(arrived, 3, "the call went nowhere")[0], 486, "Busy Here", tag="b")
        second.request("ACK")
        setup.ack(caller.receive(where=lambda m: m.status == 486 and m.get("call-id") == setup.call_id))
        return tried[0]
    assert call() and call(), "one 503 is not enough, and the second one is the first one's, too"
    until(lambda: effect(family, "first") == "stop", 3, "not stopped")
    began = time.monotonic()
    tried = [call() for _ in range(20)].count(True)
    assert 1 <= tried <= 2 + (time.monotonic() - began), "one a second"
    asked = congestion(family, "first")
    assert 0 < asked["retry_after"]["left_ms"] <= 5000 and asked["rate_limit"] == 1
    assert re.search(r"first .* stop \d", family.weir.weirctl("show", "congestion")[1])
    assert "gateway-retry-after" in events(family, "first")
    caller.send(running.from_caller("BYE"))
    first.answer(first.request("BYE"), 200, "OK")
    caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "2 BYE")
    until(lambda: family.weir.metric("weir_gateway_retry_after_total", gateway="first") == 2 + tried, 2, "not counted")


class Bulk:
    """Two gwsim gateways of a pool, real sipp as the caller, and a call that stays up at the first of them."""

    def __init__(self, family, name):
        self.family, self.name, self.port = family, name, VALUES[name]
        self.uri = f"sip:+{self.port - PORT + 1}5551234@pstn.test"
        self.sim = Gwsim(family.gateways.ns, {f"{name}-{host}": f"{ip_of('gateways', host)}:{self.port}" for host in (21, 22)},
                         servers=64, service="5ms", queue=1000, retry_after=30)
        self.first, self.calls = f"{name}-21", 0

    def ring(self):
        """A call that the first gateway has answered, by hand."""
        caller = self.family.peer("callers", 12)
        for _ in range(50):
            setup = Setup(caller, self.uri)
            ok = caller.receive(where=lambda m: m.status == 200 and m.get("call-id") == setup.call_id)
            setup.request("ACK", ok, 1)
            if ip_of("gateways", 21) in ok.get("contact"):
                return caller, setup, ok
            self.hang_up(caller, setup, ok)
        raise AssertionError("no call to the first gateway")

    @staticmethod
    def hang_up(caller, setup, ok):
        setup.request("BYE", ok)
        caller.receive(where=lambda m: m.status == 200 and m.get("cseq").endswith("BYE"))

    def play(self, calls, rate=100):
        """So many calls, all of which must be answered; how many of them the first gateway got."""
        before = self.sim.show(self.first)["arrivals"]
        sipp = self.family.sipp(self.family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), 7000 + self.calls,
                                target=hostport(*WEIR["callers", False]), calls=calls, rate=rate, trace=False,
                                args=["-d", "0"], keys={"uri": self.uri, "from_uri": "sip:a@callers.test"})
        self.calls += 1
        code = sipp.wait()
        assert code == 0 and sipp.counts()["answered(C)"] == calls, sipp.trouble()
        return self.sim.show(self.first)["arrivals"] - before

    def counts_agree(self):
        refused = self.sim.show(self.first)["refused"]
        assert refused == self.family.weir.metric("weir_gateway_retry_after_total", gateway=self.first) > 0


@pytest.fixture
def bulk(request, family):
    bulk = Bulk(family, request.param)
    yield bulk
    bulk.sim.stop()


@pytest.mark.flow("G3")
@pytest.mark.parametrize("bulk", ["stop"], indirect=True)
def test_stop(family, bulk):
    call = bulk.ring()
    assert bulk.play(100) > 25, "half of them when both are well"
    bulk.sim.set(bulk.first, refuse="on")
    tried = bulk.play(200)
    assert 2 <= tried < 50, "and but a trickle when it says so; ten calls come before the governor has heard of it"
    assert effect(family, bulk.first) == "stop" and congestion(family, bulk.first)["rate_limit"] == 1
    bulk.hang_up(*call)
    bulk.counts_agree()
    bulk.sim.set(bulk.first, refuse="off")
    until(lambda: bulk.play(50) and effect(family, bulk.first) is None, 20, "it does not come back", step=0)
    assert bulk.play(100) > 25
    assert events(family, bulk.first)[-2:] == ["gateway-retry-after", "gateway-retry-after-over"]


@pytest.mark.flow("G3")
@pytest.mark.parametrize("bulk", ["shrink"], indirect=True)
def test_shrink(family, bulk):
    bulk.play(100)
    before = congestion(family, bulk.first)["open_limit"]
    bulk.sim.set(bulk.first, refuse="on")
    assert bulk.play(200) > 50, "few calls at once are still within the limit"
    bulk.counts_agree()
    shrunk = congestion(family, bulk.first)
    assert shrunk["retry_after"]["effect"] == "shrink" and shrunk["open_limit"] < before / 2
    assert "gateway-retry-after" in events(family, bulk.first)
    bulk.sim.set(bulk.first, refuse="off")
    until(lambda: effect(family, bulk.first) is None, 10, "not over")


@pytest.mark.flow("G3")
@pytest.mark.parametrize("bulk", ["ignore"], indirect=True)
def test_ignore(family, bulk):
    bulk.sim.set(bulk.first, refuse="on")
    assert bulk.play(200) > 50
    bulk.counts_agree()
    assert effect(family, bulk.first) is None and not events(family, bulk.first)
