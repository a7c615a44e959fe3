# SPDX-License-Identifier: BSD-3-Clause
"""
A network that loses every twentieth packet in each direction, and a gateway that is mute from one moment to the next,
both at some hundred calls a second (G11, G4). Routers stand between Weir and both sides; nftables takes packets out.

    callers 10.1.0.11 --- router --- 192.0.2.10 Weir 198.51.100.10 --- router --- gateways 10.2.0.21, .22
"""
import csv
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from conftest import DEVICE
from lab.daemon import Weir
from lab.net import Lab, sh, until
from lab.sipp import SCENARIOS, Sipp

CONFIG = """
node: lb1
state-dir: $work
workers: { count: 2, poll: adaptive }
ports:
  access: { device: "$access_device", addresses: [192.0.2.10/24] }
  core: { device: "$core_device", addresses: [198.51.100.10/24] }
listeners:
  access4: { address: 192.0.2.10:5060 }
  core4: { address: 198.51.100.10:5060 }
control: { socket: $socket, metrics: 127.0.0.1:9105 }
timers: { d: 4s, release: 4s }
peers:
  callers: { from: [10.1.0.0/24] }
pools:
  lossy:
    via: core4
    health: { method: off }
    gateways:
      lossy-21: { address: 10.2.0.21:5060 }
      lossy-22: { address: 10.2.0.22:5060 }
  muted:
    via: core4
    health: { method: off }  # the traffic alone tells
    overload: { learn: off }  # at 500 calls a second a responder in Python has a queue of its own
    gateways:
      muted-21: { address: 10.2.0.21:5061 }
      muted-22: { address: 10.2.0.22:5061 }
  narrow:
    via: core4
    health: { method: off }
    overload: { learn: off }
    gateways:
      narrow-21: { address: 10.2.0.21:5063, max-cps: 100/s }
      narrow-22: { address: 10.2.0.22:5063, max-cps: 100/s }
  twice:
    via: core4
    health: { method: off }
    overload: { learn: off }
    gateways:
      twice-21: { address: 10.2.0.21:5062 }
      twice-22: { address: 10.2.0.22:5062 }
routes:
  - { match: { number: "+1" }, pool: lossy }
  - { match: { number: "+2" }, pool: muted }
  - { match: { number: "+3" }, pool: twice }
  - { match: { number: "+4" }, pool: narrow }
"""
LOSS = "meta l4proto udp numgen random mod 20 == 0 drop"
AFTER = 1000  # ms, default of failover.after
pytestmark = pytest.mark.slow


class Gateway:
    """A responder in its namespace."""

    def __init__(self, ns, ip, port):
        self.proc = ns.popen(sys.executable, str(SCENARIOS.parent / "responder.py"), ip, str(port), stdout=subprocess.PIPE, text=True)
        until(lambda: f":{port:04X} " in pathlib.Path(f"/proc/{self.proc.pid}/net/udp").read_text(), 20, "responder does not listen")

    def stop(self):
        """What it saw: INVITEs by Call-ID and branch, calls, calls that got a BYE."""
        self.proc.terminate()
        return json.loads(self.proc.communicate(timeout=10)[0])


class Routed:
    """Weir between two routers, an end point behind each of them."""

    def __init__(self, work):
        self.work, self.lab = work, Lab("lossy", DEVICE)
        try:
            self.routers = [self.lab.side("router-a", "access", ["192.0.2.1/24"]),
                            self.lab.side("router-b", "core", ["198.51.100.1/24"])]
            self.callers = self._behind(self.routers[0].ns, "callers", "10.1.0", [11])
            self.gateways = self._behind(self.routers[1].ns, "gateways", "10.2.0", [21, 22])
            self.weir = Weir(self.lab, CONFIG, work).start()
            for net, side in zip(("10.1.0", "10.2.0"), self.routers):
                side.resolve()
                self.lab.weir.ip("route", "add", f"{net}.0/24", "via", side.far[0].split("/")[0], "dev", side.port)
            for ns, weir in ((self.callers, "192.0.2.10"), (self.gateways, "198.51.100.10")):
                until(lambda: " 0% packet loss" in ns.run("ping", "-c1", "-W1", weir, check=False), 10, f"no way to {weir}")
        except BaseException:
            self.close()
            raise

    def _behind(self, router, label, net, hosts):
        ns = self.lab.netns(label)
        sh("ip", "link", "add", "out", "netns", ns.name, "type", "veth", "peer", "name", f"to-{label}", "netns", router.name)
        router.plug(f"to-{label}", [f"{net}.1/24"])
        with router.entered():
            with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
                f.write("1")
        ns.plug("out", [f"{net}.{host}/24" for host in hosts])
        ns.ip("route", "add", "default", "via", f"{net}.1")
        return ns

    def rules(self, rule):
        """A rule for everything that a router passes on; "" takes it away."""
        for side in self.routers:
            side.ns.run("nft", "flush", "ruleset")
            if rule:
                side.ns.run("nft", f"table ip weir {{ chain loss {{ type filter hook forward priority 0; {rule}; }}; }}")

    def gateway(self, host, port):
        return Gateway(self.gateways, f"10.2.0.{host}", port)

    def call(self, number, port, calls, rate, patience=20000):
        """sipp with a time for each set-up, taken from the first INVITE to the 200."""
        return Sipp(self.callers, SCENARIOS / "caller.xml", "10.1.0.11", port, self.work, trace=False, calls=calls, rate=rate,
                    target="192.0.2.10:5060", args=["-d", "500", "-trace_rtt", "-rtt_freq", "1", "-recv_timeout", patience], limit=90,
                    keys={"uri": f"sip:+{number}5551234@pstn.test", "from_uri": "sip:a@callers.test"})

    def setup_ms(self, caller):
        """Set-up times of all its calls, the shortest first, ms."""
        rows = []
        for file in self.work.glob(f"caller_{caller.proc.pid}_*rtt.csv"):
            with open(file, newline="") as f:
                rows += [float(row[1]) for row in list(csv.reader(f, delimiter=";"))[1:] if row[2].strip() == "setup"]
        return sorted(rows)

    def close(self):
        code = self.weir.stop() if hasattr(self, "weir") else 0
        self.lab.close()
        return code


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    """Times are measured here, so this family goes before whatever else the machine is doing."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        running = Routed(tmp_path_factory.mktemp("lossy"))
        yield running
        assert running.close() == 0, running.weir.tail()
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture(autouse=True)
def _clean(routed):
    yield
    routed.rules("")
    until(lambda: routed.weir.ask("show", "drops")["conserved"]["holds"], 5, "conservation law broken")


def books(routed, gateways, names):
    """
    W counts no call that its gateway has seen end, and its books are in order. (sipp takes a late 200 to its INVITE for
    one to its BYE, which then may never have arrived; so it is the gateway that knows.)
    """
    seen = [gateway.stop() for gateway in gateways]
    open_calls = [counts["calls"] - counts["ended"] for counts in seen]
    in_use = lambda: [routed.weir.ask("show", "gateway", name)["calls"] for name in names]  # noqa: E731
    until(lambda: all(a <= b for a, b in zip(in_use(), open_calls)), 15, lambda: f"{in_use()} counted, {open_calls} open", 0.2)
    assert sum(open_calls) < 0.02 * sum(counts["calls"] for counts in seen)
    routed.weir.audited()
    return seen


def test_g11_every_twentieth_packet_is_lost(routed):
    """400 calls: all are set up and ended, each at one gateway and once; nothing stays behind."""
    gateways = [routed.gateway(host, 5060) for host in (21, 22)]
    routed.rules(LOSS)
    caller = routed.call(1, 6060, calls=400, rate=50)
    assert caller.wait() == 0 and caller.counts()["answered(C)"] == 400, caller.trouble()
    routed.rules("")
    seen = books(routed, gateways, ("lossy-21", "lossy-22"))
    assert [sum(counts[what] for counts in seen) for what in ("invites", "calls")] == [400, 400], seen
    for host, counts in zip((21, 22), seen):
        assert routed.weir.metric("weir_gateway_new_calls_total", gateway=f"lossy-{host}") == counts["calls"]


def percentile(times, p):
    return times[min(len(times) - 1, int(len(times) * p))]


def test_g4_mute_gateway_at_500_calls_a_second(routed):
    """
    No caller sees a failure; at the 99th percentile the set-up takes at most failover.after + 50 ms longer than before;
    DOWN in 3 s.
    """
    gateways = [routed.gateway(host, 5061) for host in (21, 22)]
    well = routed.call(2, 6061, calls=1500, rate=500)
    assert well.wait() == 0 and well.counts()["answered(C)"] == 1500, well.trouble()
    caller = routed.call(2, 6062, calls=3500, rate=500, patience=3000)  # BYEs for the mute one
    until(lambda: caller.counts().get("answered(C)", 0) > 100, 30, "no calls")
    routed.rules("ip saddr 10.2.0.21 drop; ip daddr 10.2.0.21 drop")
    muted = time.monotonic()
    until(lambda: routed.weir.ask("show", "gateway", "muted-21")["state"] == "down", 5, "not down")
    down = time.monotonic() - muted
    caller.wait()
    counts = caller.counts()
    added = percentile(routed.setup_ms(caller), 0.99) - percentile(routed.setup_ms(well), 0.5)
    print(f"down after {down:.2f} s, set-up + {added:.0f} ms at the 99th percentile, {counts['answered(C)']} of 3500 answered")
    # What stood at the mute gateway cannot be ended there; its BYE has no answer.
    assert counts["answered(C)"] == 3500 and counts.get("refused(C)", 0) == 0, caller.trouble()
    assert down < 3 and added <= AFTER + 50
    routed.rules("")
    for gateway in gateways:
        gateway.stop()


def test_g4_mute_gateway_beside_one_with_a_limit(routed):
    """
    What waits at the mute gateway when it is found down is more than the other takes at once, within its max-cps. It
    takes all of it in the second that follows: no call that was waiting is refused. (A new one may be, if sipp makes
    more in a moment than a bucket holds.)
    """
    gateways = [routed.gateway(host, 5063) for host in (21, 22)]
    refused = routed.weir.ended("full", "sent")
    caller = routed.call(4, 6064, calls=360, rate=60, patience=3000)
    until(lambda: caller.counts().get("answered(C)", 0) > 30, 30, "no calls")
    routed.rules("ip saddr 10.2.0.21 drop; ip daddr 10.2.0.21 drop")
    until(lambda: routed.weir.ask("show", "gateway", "narrow-21")["state"] == "down", 5, "not down")
    caller.wait()
    counts = caller.counts()
    assert routed.weir.metric("weir_gateway_left_total", gateway="narrow-21", reason="down") > 10  # a bucket holds 5
    assert routed.weir.ended("full", "sent") == refused
    assert counts["answered(C)"] + counts.get("refused(C)", 0) == 360, caller.trouble()
    routed.rules("")
    for gateway in gateways:
        gateway.stop()


def test_g11_nobody_is_called_twice_next_to_a_mute_gateway(routed):
    """5 % loss, and one gateway mute from the first call on: every call is set up, at the other gateway and once."""
    gateways = [routed.gateway(host, 5062) for host in (21, 22)]
    routed.rules(f"ip saddr 10.2.0.22 drop; ip daddr 10.2.0.22 drop; {LOSS}")
    caller = routed.call(3, 6063, calls=2000, rate=500)
    assert caller.wait() == 0, caller.trouble()
    routed.rules("")
    assert caller.counts()["answered(C)"] == 2000 and caller.counts().get("refused(C)", 0) == 0
    seen, nothing = books(routed, gateways, ("twice-21", "twice-22"))
    assert seen["calls"] == seen["invites"] == 2000 and nothing["calls"] == 0, (seen, nothing)
