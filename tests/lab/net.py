# SPDX-License-Identifier: BSD-3-Clause
"""
Network namespaces and the links between them. Every name carries the pid of its maker, so runs side by side do not
meet; what a dead run left behind is removed by the next. Nothing outside these namespaces is touched.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

PREFIX = "weir"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def sh(*argv, check=True, stdin=None):
    """Run a command to its end and give its stdout; on failure raise with what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def until(condition, seconds=5.0, what=None, step=0.02):
    """Poll `condition` until it is true and give its value; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(what() if callable(what) else what or condition.__name__)
        time.sleep(step)


class Netns:
    """One network namespace, its addresses, the processes in it."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        # An address is usable at once, also after its device comes back under another daemon.
        with self.entered():
            for which in ("all", "default"):
                for name in ("accept_dad", "accept_ra"):
                    pathlib.Path(f"/proc/sys/net/ipv6/conf/{which}/{name}").write_text("0")
            # Probes to many ports of one host would use up what it may say of ports that are closed.
            for version in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
                pathlib.Path(f"/proc/sys/net/{version}").write_text("0")

    def ip(self, *args):
        return sh("ip", "-n", self.name, *args)

    def run(self, *argv, check=True):
        return sh("ip", "netns", "exec", self.name, *argv, check=check)

    def popen(self, *argv, **kw):
        return subprocess.Popen(["ip", "netns", "exec", self.name, *argv], **kw)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread stands in this namespace; what it opens there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def udp(self, ip, port=0):
        """A UDP socket bound inside the namespace."""
        with self.entered():
            sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((ip, port))
        return sock

    def plug(self, device, addresses):
        """Bring a device up with these addresses; checksums are completed here, not left to hardware."""
        for address in addresses:
            self.ip("addr", "replace", address, "dev", device, *(["nodad"] if ":" in address else []))
        self.ip("link", "set", device, "up")
        self.run("ethtool", "-K", device, "tx", "off")

    def pids(self):
        return [int(pid) for pid in sh("ip", "netns", "pids", self.name, check=False).split()]

    def remove(self):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sh("ip", "netns", "del", self.name, check=False)


def sweep():
    """Remove namespaces of makers that are no longer alive."""
    for line in sh("ip", "netns", "list").splitlines():
        name = line.split()[0]
        parts = name.split("-")
        if parts[0] == PREFIX and len(parts) > 2 and parts[1].isdigit() and not os.path.exists(f"/proc/{parts[1]}"):
            there = Netns.__new__(Netns)
            there.name = name
            there.remove()


class Side:
    """One side of Weir: a namespace, Weir's port towards it, and the addresses on the far end."""

    def __init__(self, lab, label, port, far):
        self.ns = lab.netns(label)
        self.weir = lab.weir
        self.port = port                     # name of the port in the configuration
        self.far = list(far)                 # addresses with prefix length, far end
        self.kind = lab.kind
        self.near_dev, self.far_dev = f"w-{port}"[:15], f"f-{port}"[:15]
        if self.kind == "af_xdp":
            sh("ip", "link", "add", self.near_dev, "netns", self.weir.name, "type", "veth",
               "peer", "name", self.far_dev, "netns", self.ns.name)
            self.weir.ip("link", "set", self.near_dev, "up")
            self.ns.plug(self.far_dev, self.far)

    def device(self):
        """The text for `device:` in the configuration."""
        kind = {"tap": "net_tap", "af_xdp": "net_af_xdp"}[self.kind]
        return f"{kind}_{self.port},iface={self.near_dev}"

    def connect(self):
        """
        Once Weir serves (its driver opens the tap by name until then): a tap lives as long as its process, its kernel
        end goes to the far side.
        """
        if self.kind == "tap":
            self.weir.ip("link", "set", self.near_dev, "netns", self.ns.name, "name", self.far_dev)
            self.ns.plug(self.far_dev, self.far)


    def resolve(self, seconds=10):
        """
        Make Weir's kernel know every address of the far end, so that no first message waits for ARP or ND (sipp takes
        a repeated INVITE for an error once it has answered twice).
        """
        unknown = {address.split("/")[0] for address in self.far}

        def known():
            for address in unknown:
                with self.weir.udp("::" if ":" in address else "0.0.0.0") as sock:
                    sock.sendto(b"", (address, 9))
            table = (line.split() for line in self.weir.ip("neigh").splitlines())
            unknown.difference_update(row[0] for row in table if "lladdr" in row)
            return not unknown
        until(known, seconds, lambda: f"not resolved: {unknown}", step=0.1)


class Lab:
    """The namespaces of one test family and everything in them; leaves nothing behind."""

    def __init__(self, family, kind="tap"):
        self.family, self.kind = family, kind
        self.spaces, self.sides = [], {}
        self.weir = self.netns("weir")

    def netns(self, label):
        space = Netns(f"{PREFIX}-{os.getpid()}-{self.family}-{label}")
        self.spaces.append(space)
        return space

    def side(self, label, port, far):
        self.sides[port] = Side(self, label, port, far)
        return self.sides[port]

    def close(self):
        for space in self.spaces:
            space.remove()
