# SPDX-License-Identifier: BSD-3-Clause
"""
One daemon and one configuration per family of flows (a test module), started once; each flow has its own pool and
port range, so tests of a family do not meet. After every test the conservation laws must hold.

    callers 192.0.2.11.. ---access--- Weir .10 / .10 ---core--- gateways 198.51.100.21..     (2001:db8:1:: and :2::)
"""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lab.capture import Capture  # noqa: E402
from lab.daemon import Weir  # noqa: E402
from lab.ladder import Ladder  # noqa: E402
from lab.net import Lab, sweep, until  # noqa: E402
from lab.sipp import Sipp  # noqa: E402
from lab.wire import Peer  # noqa: E402

pytest_plugins = ["rows"]

LADDERS = os.environ.get("WEIR_LADDERS")
LONGEST = ["test_health.py", "test_retry_after.py", "test_counted.py", "test_transactions.py", "test_failover.py", "test_calls.py"]
DEVICE = os.environ.get("WEIR_E2E_DEVICE", "tap")
BASE = (HERE / "configs" / "base.yaml").read_text()

NETS = {"callers": ("192.0.2.", "2001:db8:1::"), "gateways": ("198.51.100.", "2001:db8:2::")}


def pytest_collection_modifyitems(items):
    """The families that wait longest begin first, so that nobody waits for them alone in the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def ip_of(side, host, v6=False):
    """Address of a host on a side; Weir's own is host 10."""
    return NETS[side][v6] + str(host)


WEIR = {(side, v6): (ip_of(side, 10, v6), 5060) for side in NETS for v6 in (False, True)}


def hostport(ip, port):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def pool(name, port, hosts=(21, 22), v6=False, gateway="", side="gateways", **sections):
    """YAML of a pool whose gateways are `hosts` on `port`; `gateway` is added to each of them."""
    lines = [f"  {name}:", "    gateways:"]
    for host in hosts:
        address = hostport(ip_of(side, host, v6), port)
        lines.append(f'      {name}-{host}: {{ address: "{address}"{gateway and ", " + gateway} }}')
    sections = {"health": "{ method: off }"} | sections
    return "\n".join(lines + [f"    {key}: {value}" for key, value in sections.items()])


class Family:
    """A running daemon with callers on one side and gateways on the other."""

    def __init__(self, name, config, work):
        self.work = work
        self.lab = Lab(name, DEVICE)
        self.peers = []
        try:
            self.callers = self.lab.side("callers", "access", [f"192.0.2.{n}/24" for n in range(11, 19)]
                                         + [f"2001:db8:1::{n}/64" for n in range(11, 19)])
            self.gateways = self.lab.side("gateways", "core", [f"198.51.100.{n}/24" for n in range(21, 41)]
                                          + [f"2001:db8:2::{n}/64" for n in range(21, 41)])
            self.base = BASE
            self.weir = Weir(self.lab, self.base + config, work)
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Start the daemon and wait until both sides reach it."""
        self.weir.start()
        for (side, _), (address, _) in WEIR.items():
            ping = ("ping", "-c1", "-W1", address)
            until(lambda: " 0% packet loss" in getattr(self, side).ns.run(*ping, check=False), 10, f"no ping to {address}")
        for side in self.lab.sides.values():
            side.resolve()

    def close(self):
        code = self.weir.stop() if hasattr(self, "weir") else 0
        self.lab.close()
        return code

    # ---- end points

    def peer(self, side, host, port=0, v6=False):
        """A raw end point on that side, closed when the test ends."""
        self.peers.append(Peer(getattr(self, side).ns, ip_of(side, host, v6), port, WEIR[side, v6]))
        self.peers[-1].pace = 0.02 if LADDERS else 0.0
        return self.peers[-1]

    def sipp(self, side, scenario, ip, port, **kw):
        """Start sipp on a side; `scenario` is a file or (name, XML). A gateway (no target) listens on return."""
        if isinstance(scenario, tuple):
            file = self.work / f"{scenario[0]}.xml"
            file.write_text(scenario[1])
            scenario = file
        sipp = Sipp(side.ns, scenario, ip, port, self.work, **kw)
        if "target" not in kw:
            until(sipp.listens, 20, sipp.trouble)
        return sipp

    @staticmethod
    def ladder(text):
        """A ladder to play; when it is going to be drawn, slowly, so that nobody speaks at the same moment."""
        return Ladder(text, pace=30 if LADDERS else 0)

    def play(self, name, ladder, number, port, hosts=(21, 22), v6=False, b6=None, calls=10, rate=100,
             sides=("callers", "gateways"), host=None, **kw):
        """
        Play a ladder: A asks for `number`, B stands at every one of `hosts` on `port`. `sides` says where A and B are,
        `v6` and `b6` (default: as v6) what they speak. Every call must succeed at both ends and be seen by B once.
        """
        ladder = self.ladder(ladder)
        near_side, far_side = (getattr(self, side) for side in sides)
        far = [self.sipp(far_side, (f"{name}.B", ladder.scenario("B")), ip_of(sides[1], h, v6 if b6 is None else b6), port)
               for h in hosts]
        keys = {"uri": f"sip:{number}@pstn.test", "from_uri": "sip:+15550100@callers.test"} | kw.pop("keys", {})
        near = self.sipp(near_side, (f"{name}.A", ladder.scenario("A")),
                         ip_of(sides[0], host or {"callers": 11, "gateways": 39}[sides[0]], v6), port + 1000,
                         target=hostport(*WEIR[sides[0], v6]), calls=calls, rate=rate, keys=keys, **kw)
        code = near.wait()
        for gateway in far:
            gateway.stop()
        said = near.trouble() + "".join(gateway.trouble() for gateway in far)
        assert code == 0 and near.successful == calls, said
        assert sum(gateway.failed for gateway in far) == 0, said
        assert sum(gateway.incoming for gateway in far) == calls, said
        until(lambda: not any(row["calls"] for row in self.weir.ask("show", "gateways")["gateways"]), 3, "calls still counted")
        return near, far

    # ---- what must hold

    def in_use(self, gateway):
        """Calls that Weir counts at a gateway."""
        return self.weir.ask("show", "gateway", gateway)["calls"]

    def audited(self):
        self.weir.audited()

    def conserved(self):
        """Every frame and message is accounted for."""
        def holds():
            self.laws = self.weir.ask("show", "drops")
            return self.laws["conserved"]["holds"]
        until(holds, 5, lambda: f"conservation law broken: {self.laws['conserved']}")


@pytest.fixture(scope="session", autouse=True)
def _sweep():
    sweep()


@pytest.fixture(scope="module")
def family(request, tmp_path_factory):
    """The daemon of this module, with the module's CONFIG."""
    name = request.module.__name__.removeprefix("test_").replace("_", "")
    running = Family(name, request.module.CONFIG, tmp_path_factory.mktemp(name))
    yield running
    code = running.close()
    assert code == 0, f"weir ended with {code}: {running.weir.tail()}"


@pytest.fixture
def caller(family):
    """A raw end point on the callers' side."""
    return family.peer("callers", 11)


@pytest.fixture
def wire(family):
    """What passes on both sides during the test."""
    capture = Capture(family.callers, family.gateways)
    yield capture
    capture.close()


@pytest.fixture(autouse=True)
def _after(request, drawn):
    """After every test of a family: its raw end points are closed and the conservation laws hold."""
    yield
    if "family" in request.fixturenames:
        family = request.getfixturevalue("family")
        while family.peers:
            family.peers.pop().close()
        family.conserved()
        family.audited()
