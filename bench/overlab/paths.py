# SPDX-License-Identifier: BSD-3-Clause
"""
What stands between callers and gateways: nothing, Kamailio, or Weir. Each path makes the namespaces, the addresses and the
process, and says where callers send to.
"""
import pathlib
import re
import subprocess

from lab.daemon import Weir
from lab.net import Lab, sh, until

HERE = pathlib.Path(__file__).resolve().parent
CALLERS = [f"192.0.2.{n}" for n in range(11, 19)]
GATEWAYS = {f"gw{n}": f"198.51.100.{20 + n}:5060" for n in range(1, 5)}
ACCESS, CORE = "192.0.2.10", "198.51.100.10"


class Path:
    """Namespaces `callers` and `gateways`, `targets` of the callers, `procs` between them (name -> process ids)."""

    def __init__(self, work, kind):
        self.work = pathlib.Path(work)
        self.lab = Lab("overload", kind)
        self.targets = [f"{ACCESS}:5060"]

    def sides(self):
        far = [f"{address}/24" for address in CALLERS], [f"{at.split(':')[0]}/24" for at in GATEWAYS.values()]
        self.access, self.core = self.lab.side("callers", "access", far[0]), self.lab.side("gateways", "core", far[1])
        self.callers, self.gateways = self.access.ns, self.core.ns

    def procs(self):
        return {}

    def limits(self):
        """What each gateway may be given, as far as somebody has learned it, by its name."""
        return {}

    def close(self):
        self.lab.close()


class Direct(Path):
    """Callers choose a gateway themselves, by chance, as from a DNS answer."""

    def __init__(self, work, **_):
        super().__init__(work, "af_xdp")
        self.callers, self.gateways = self.lab.netns("callers"), self.lab.netns("gateways")
        sh("ip", "link", "add", "f-access", "netns", self.callers.name, "type", "veth",
           "peer", "name", "f-core", "netns", self.gateways.name)
        self.callers.plug("f-access", [f"{address}/24" for address in CALLERS])
        self.gateways.plug("f-core", [f"{at.split(':')[0]}/24" for at in GATEWAYS.values()])
        self.callers.ip("route", "add", "198.51.100.0/24", "dev", "f-access")
        self.gateways.ip("route", "add", "192.0.2.0/24", "dev", "f-core")
        self.targets = list(GATEWAYS.values())


class Kamailio(Path):
    """Dispatcher of Kamailio 5.6, stateful; `algorithm` 11 with cc=1, or 10 (call load)."""

    def __init__(self, work, algorithm, **_):
        super().__init__(work, "af_xdp")
        self.sides()
        self.lab.weir.plug(self.access.near_dev, [f"{ACCESS}/24"])
        self.lab.weir.plug(self.core.near_dev, [f"{CORE}/24"])
        self.core.ns.ip("route", "add", "192.0.2.0/24", "via", CORE)
        self.access.ns.ip("route", "add", "198.51.100.0/24", "via", ACCESS)
        attrs = "cc=1;rweight=25;" if algorithm == 11 else ""
        (self.work / "dispatcher.list").write_text("".join(
            f'1 sip:{at} 0 0 {attrs}duid={name};socket=udp:{CORE}:5060\n' for name, at in GATEWAYS.items()))
        names = {"access": f"{ACCESS}:5060", "core": f"{CORE}:5060", "list": str(self.work / "dispatcher.list"),
                 "algorithm": str(algorithm)}
        config = self.work / "kamailio.cfg"
        config.write_text(re.sub(r"\$\[(\w+)\]", lambda m: names[m.group(1)], (HERE / "kamailio.cfg").read_text()))
        self.log = open(self.work / "kamailio.log", "w")
        self.proc = self.lab.weir.popen("kamailio", "-f", str(config), "-DD", "-E", "-m", "256", "-M", "16",
                                        "-P", str(self.work / "kamailio.pid"), "-Y", str(self.work),
                                        stdout=self.log, stderr=self.log)

    def ready(self):
        def listens():
            if self.proc.poll() is not None:
                raise RuntimeError("kamailio: " + (self.work / "kamailio.log").read_text()[-2000:])
            return ":13C4 " in self.lab.weir.run("cat", "/proc/net/udp")
        until(listens, 20, "kamailio does not listen")

    def procs(self):
        children = subprocess.run(["pgrep", "-P", str(self.proc.pid)], capture_output=True, text=True, check=False)
        return {"kamailio": [self.proc.pid, *map(int, children.stdout.split())]}

    def close(self):
        self.proc.terminate()
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
        self.log.close()
        super().close()


CONFIG = f"""
node: lab
state-dir: $work
workers: {{ count: 1, poll: adaptive }}
ports:
  access: {{ device: "$access_device", addresses: [{ACCESS}/24] }}
  core: {{ device: "$core_device", addresses: [{CORE}/24] }}
listeners:
  access: {{ address: {ACCESS}:5060 }}
  core: {{ address: {CORE}:5060 }}
control: {{ socket: $socket, metrics: 127.0.0.1:9105 }}
emergency: {{ numbers: ["112"], headroom: 5% }}
peers:
"""


class WeirPath(Path):
    """Weir between two tap ports. `gateway` and `pool` are YAML: keys of each gateway, and rows of the pool."""

    def __init__(self, work, gateway="", pool="", extra="", answer="503", **_):
        super().__init__(work, "tap")
        self.sides()
        config = CONFIG + "".join(f"  p{n}: {{ from: [{address}], answer-when-full: {answer} }}\n"
                                  for n, address in enumerate(CALLERS, 1))
        config += "pools:\n  pstn:\n    gateways:\n"
        config += "".join(f"      {name}: {{ address: {at}{gateway and ', ' + gateway} }}\n" for name, at in GATEWAYS.items())
        config += "".join(f"    {row}\n" for row in pool.splitlines())
        config += f"routes:\n  - {{ pool: pstn }}\n{extra}\n"
        self.weir = Weir(self.lab, config, self.work)
        try:
            self.weir.start()
        except BaseException:
            self.close()
            raise

    def ready(self):
        for side in (self.access, self.core):
            side.resolve()
        until(lambda: all(row["state"] == "up" for row in self.weir.ask("show", "gateways")["gateways"]), 15,
              "gateways are not up")

    def procs(self):
        return {"weir": [self.weir.proc.pid]}

    def limits(self):
        rows = self.weir.ask("show", "congestion")["gateways"]
        return {row["name"]: {key: row[key] for key in ("open_limit", "rate_limit", "moved_for")} for row in rows}

    def close(self):
        self.weir.stop()
        super().close()
