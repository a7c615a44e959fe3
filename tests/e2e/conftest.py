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

from lab.daemon import Weir  # noqa: E402
from lab.ladder import Ladder  # noqa: E402
from lab.net import Lab, sweep, until  # noqa: E402
from lab.sipp import Sipp  # noqa: E402
from lab.wire import Peer  # noqa: E402

DEVICE = os.environ.get("WEIR_E2E_DEVICE", "tap")
BASE = (HERE / "configs" / "base.yaml").read_text()

CALLER, CALLER6 = "192.0.2.11", "2001:db8:1::11"
ACCESS, ACCESS6 = ("192.0.2.10", 5060), ("2001:db8:1::10", 5060)
CORE, CORE6 = ("198.51.100.10", 5060), ("2001:db8:2::10", 5060)


def gateway_ip(number, v6=False):
    return f"2001:db8:2::{number}" if v6 else f"198.51.100.{number}"


def hostport(ip, port):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def pool(name, port, hosts=(21, 22), v6=False, gateway="", **sections):
    """YAML of a pool whose gateways are `hosts` on `port`; `gateway` is added to each of them."""
    lines = [f"  {name}:", "    gateways:"]
    for host in hosts:
        address = hostport(gateway_ip(host, v6), port)
        lines.append(f'      {name}-{host}: {{ address: "{address}"{gateway and ", " + gateway} }}')
    sections = {"health": "{ method: off }"} | sections
    return "\n".join(lines + [f"    {key}: {value}" for key, value in sections.items()])


class Family:
    """A running daemon with callers on one side and gateways on the other."""

    def __init__(self, name, config, work):
        self.work = work
        self.lab = Lab(name, DEVICE)
        self.trouble = []
        try:
            self.callers = self.lab.side("callers", "access", [f"192.0.2.{n}/24" for n in range(11, 19)]
                                         + [f"2001:db8:1::{n}/64" for n in range(11, 19)])
            self.gateways = self.lab.side("gateways", "core", [f"198.51.100.{n}/24" for n in range(21, 41)]
                                          + [f"2001:db8:2::{n}/64" for n in range(21, 41)])
            self.weir = Weir(self.lab, BASE + config, work)
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Start the daemon and wait until both sides reach it."""
        self.weir.start()
        for side, addresses in ((self.callers, (ACCESS, ACCESS6)), (self.gateways, (CORE, CORE6))):
            for address, _ in addresses:
                until(lambda: " 0% packet loss" in side.ns.run("ping", "-c1", "-W1", address, check=False), 10,
                      f"no ping to {address}")

    def close(self):
        code = self.weir.stop() if hasattr(self, "weir") else 0
        self.lab.close()
        return code

    # ---- end points

    def caller(self, ip=CALLER, port=0):
        return Peer(self.callers.ns, ip, port, ACCESS6 if ":" in ip else ACCESS)

    def gateway(self, number, port, v6=False):
        return Peer(self.gateways.ns, gateway_ip(number, v6), port, CORE6 if v6 else CORE)

    def sipp(self, side, scenario, ip, port, **kw):
        file = self.work / f"{scenario[0]}.{port}.xml"
        file.write_text(scenario[1])
        sipp = Sipp(side.ns, file, ip, port, self.work, **kw)
        if "target" not in kw:
            until(sipp.listens, 5, sipp.trouble)
        return sipp

    def play(self, name, ladder, number, port, hosts=(21, 22), v6=False, gw6=None, calls=10, rate=100, reverse=False,
             **kw):
        """
        Play a ladder: A is a caller (with `reverse` a gateway) that asks for `number`, B stands at every host of the
        pool on `port`. Every call must succeed on both sides and be seen by B exactly once.
        """
        ladder = Ladder(ladder)
        gw6 = v6 if gw6 is None else gw6
        far = [self.sipp(self.callers if reverse else self.gateways, (f"{name}.B", ladder.scenario("B")),
                         self._far_ip(host, gw6, reverse), port) for host in hosts]
        near_side = self.gateways if reverse else self.callers
        ip = kw.pop("ip", gateway_ip(39, v6) if reverse else (CALLER6 if v6 else CALLER))
        target = {(0, 0): ACCESS, (0, 1): ACCESS6, (1, 0): CORE, (1, 1): CORE6}[bool(reverse), bool(v6)]
        keys = {"uri": f"sip:{number}@pstn.test", "from_uri": "sip:+15550100@callers.test"} | kw.pop("keys", {})
        near = self.sipp(near_side, (f"{name}.A", ladder.scenario("A")), ip, kw.pop("source_port", port + 1000),
                         target=hostport(*target), calls=calls, rate=rate, keys=keys, **kw)
        code = near.wait()
        for gateway in far:
            gateway.stop()
        said = near.trouble() + "".join(gateway.trouble() for gateway in far)
        assert code == 0 and near.successful == calls, said
        assert sum(gateway.failed for gateway in far) == 0, said
        assert sum(gateway.incoming for gateway in far) == calls, said
        return near, far

    @staticmethod
    def _far_ip(host, v6, reverse):
        if reverse:
            return f"2001:db8:1::{host}" if v6 else f"192.0.2.{host}"
        return gateway_ip(host, v6)

    # ---- what must hold

    def conserved(self):
        """Every frame and message is accounted for."""
        def holds():
            self.laws = self.weir.ask("show", "drops")
            return self.laws["conserved"]
        until(holds, 5, lambda: f"conservation law broken: {self.laws}")


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


@pytest.fixture(autouse=True)
def _laws(request):
    """After every test of a family: the conservation laws, and the daemon is still the one that was started."""
    yield
    if "family" in request.fixturenames and not request.node.get_closest_marker("no_laws"):
        request.getfixturevalue("family").conserved()
