#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's own life on a tap port between two namespaces: start, systemd's messages, twin, probes,
next hops behind a router, signals, kill -9, refusals. Needs root. usage: test_daemon.py WEIR"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

WEIR = sys.argv.pop(1) if len(sys.argv) > 1 else "build/control/weir"

CONFIG = """
node: lb1
state-dir: {dir}/state
workers: {{ count: 2, poll: adaptive }}
eal: {{ hugepages: off, memory: 256M }}
ports:
  p0: {{ device: "net_tap,iface=wire0", addresses: [192.0.2.10/24, "2001:db8::10/64"], gateway: 192.0.2.1, twin: twin0 }}
listeners:
  l4: {{ address: 192.0.2.10:5060 }}
  l6: {{ address: "[2001:db8::10]:5060" }}
unknown: allow
pools:
  all:
    gateways:
      gw4: {{ address: 192.0.2.21:5060 }}
      gw6: {{ address: "[2001:db8::21]:5060" }}
      far: {{ address: 203.0.113.21:5060 }}
    health: {{ method: OPTIONS, interval: 300ms, timeout: 150ms, down-after: 2, up-after: 2 }}
routes:
  - {{ pool: all }}
control: {{ socket: {dir}/weir.sock }}
"""


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def wait(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Daemon:
    """One weir in its namespace, with systemd's end of the notify socket."""

    def __init__(self, test, config=CONFIG):
        self.test = test
        self.file = f"{test.dir}/weir.yaml"
        self.log = f"{test.dir}/weir.log"
        with open(self.file, "w") as f:
            f.write(config.format(dir=test.dir))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = f"{test.dir}/notify"
        if os.path.exists(path):
            os.unlink(path)
        self.notify.bind(path)
        self.notify.settimeout(30)
        env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="600000")
        env.pop("WATCHDOG_PID", None)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", test.weir, WEIR, "-c", self.file],
                                            stdout=log, stderr=log, env=env)

    def text(self):
        with open(self.log) as f:
            return f.read()

    def said(self, line):
        return lambda: line in self.text()

    def message(self):
        return self.notify.recv(4096).decode()

    def ready(self):
        self.test.assertIn("READY=1", self.message())
        run("ip", "-n", self.test.weir, "link", "set", "wire0", "netns", self.test.far)
        for words in (["addr", "add", "192.0.2.21/24", "dev", "wire0"],
                      ["addr", "add", "192.0.2.1/24", "dev", "wire0"],
                      ["addr", "add", "2001:db8::21/64", "dev", "wire0", "nodad"],
                      ["link", "set", "wire0", "up"]):
            run("ip", "-n", self.test.far, *words)
        return self

    def end(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        rc = self.process.wait(20)
        self.notify.close()
        return rc


class Gateway:
    """Answers every OPTIONS with 200 in the far namespace until it is stopped."""

    CODE = """
import select, socket, sys
socks = []
for host in sys.argv[1:]:
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, 5060))
    socks.append(s)
while True:
    for s in select.select(socks, [], [])[0]:
        data, source = s.recvfrom(4096)
        lines = data.split(b'\\r\\n\\r\\n')[0].split(b'\\r\\n')
        if not lines[0].startswith(b'OPTIONS'):
            continue
        print('answered', flush=True)
        same = [l for l in lines[1:] if l.split(b':')[0] in (b'Via', b'From', b'To', b'Call-ID', b'CSeq')]
        s.sendto(b'\\r\\n'.join([b'SIP/2.0 200 OK'] + same + [b'Content-Length: 0', b'', b'']), source)
"""

    def __init__(self, test, *hosts):
        self.process = subprocess.Popen(["ip", "netns", "exec", test.far, "/usr/bin/python3", "-c", self.CODE, *hosts],
                                        stdout=subprocess.PIPE)

    def answered(self):
        """True once it has answered; waits for that."""
        return self.process.stdout.readline().startswith(b"answered")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class DaemonTest(unittest.TestCase):
    def setUp(self):
        name = f"weir-{os.getpid()}-{self._testMethodName[5:12]}"
        self.weir, self.far = name + "-w", name + "-f"
        self.dir = tempfile.mkdtemp(prefix="weir-daemon-")
        self.addCleanup(shutil.rmtree, self.dir)
        for ns in (self.weir, self.far):
            run("ip", "netns", "add", ns)
            self.addCleanup(run, "ip", "netns", "del", ns, check=False)
            run("ip", "-n", ns, "link", "set", "lo", "up")

    def start(self, config=CONFIG):
        daemon = Daemon(self, config)
        self.addCleanup(self.show_and_end, daemon)
        return daemon

    def show_and_end(self, daemon):
        daemon.end(signal.SIGKILL)
        if sys.exc_info()[0] or any(error for _, error in getattr(self._outcome, "errors", [])):
            print(daemon.text(), file=sys.stderr)

    def ping(self, host):
        return run("ip", "netns", "exec", self.far, "ping", "-c", "2", "-i", "0.2", "-W", "2", host, check=False).returncode

    def test_life_from_start_to_stop(self):
        d = self.start().ready()
        self.assertEqual(self.ping("192.0.2.10"), 0)
        self.assertEqual(self.ping("2001:db8::10"), 0)
        self.assertEqual(os.stat(f"{self.dir}/state/keys").st_mode & 0o777, 0o600)
        self.assertIn("WATCHDOG=1", d.message())
        d.process.send_signal(signal.SIGHUP)
        wait(d.said("SIGHUP"), "the line about SIGHUP")
        self.assertIsNone(d.process.poll())
        d.process.send_signal(signal.SIGTERM)
        wait(lambda: "STOPPING=1" in d.message(), "STOPPING=1", 5)
        self.assertEqual(d.end(), 0)
        self.assertFalse(os.path.exists(f"{self.dir}/weir.sock"))
        self.assertNotIn("twin0", run("ip", "-n", self.weir, "link").stdout)

    def test_ports_without_a_wire(self):
        """net_ring has no MAC of its own, net_pcap ends with its file: both serve, with twins."""
        with open(f"{self.dir}/in.pcap", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for device in ("net_ring", f"net_pcap,rx_pcap={self.dir}/in.pcap,tx_pcap={self.dir}/out.pcap"):
            d = self.start(CONFIG.replace("net_tap,iface=wire0", device))
            self.assertIn("READY=1", d.message())
            mac = run("ip", "-n", self.weir, "-br", "link", "show", "twin0").stdout.split()[2]
            self.assertNotEqual(mac, "00:00:00:00:00:00")
            self.assertEqual(d.end(), 0)

    def test_silence_is_down_and_answers_bring_it_back(self):
        d = self.start().ready()
        for name in ("gw4", "gw6"):
            wait(d.said(f"gateway {name} "), f"{name} DOWN")
            self.assertIn("DOWN, 2 probes in a row", d.text())
        g = Gateway(self, "192.0.2.21", "2001:db8::21")
        self.addCleanup(g.stop)
        wait(d.said("gateway gw4 (192.0.2.21:5060): PROBING"), "gw4 PROBING")
        wait(d.said("gateway gw6 ([2001:db8::21]:5060): PROBING"), "gw6 PROBING")
        self.assertNotIn("far (203.0.113.21:5060): PROBING", d.text())

    def test_router_that_only_weir_knows(self):
        run("ip", "-n", self.far, "addr", "add", "203.0.113.21/32", "dev", "lo")
        d = self.start().ready()
        g = Gateway(self, "203.0.113.21")
        self.addCleanup(g.stop)
        wait(lambda: "192.0.2.1 dev twin0 lladdr" in run("ip", "-n", self.weir, "neigh").stdout, "the router's MAC")
        wait(lambda: g.answered(), "a probe that reached the gateway behind the router")
        wait(lambda: "far (203.0.113.21:5060): DOWN" not in d.text() or "far (203.0.113.21:5060): PROBING" in d.text(), "far PROBING")
        self.assertNotIn("default", run("ip", "-n", self.weir, "route").stdout)

    def test_kill_9_keeps_the_keys_and_leaves_no_twin(self):
        d = self.start().ready()
        with open(f"{self.dir}/state/keys") as f:
            keys = f.read()
        self.assertEqual(d.end(signal.SIGKILL), -signal.SIGKILL)
        self.assertNotIn("twin0", run("ip", "-n", self.weir, "link").stdout)
        d = self.start().ready()
        with open(f"{self.dir}/state/keys") as f:
            self.assertEqual(f.read(), keys)
        self.assertEqual(self.ping("192.0.2.10"), 0)
        self.assertEqual(d.end(), 0)

    def test_a_part_that_fails_stops_the_others(self):
        run("ip", "-n", self.weir, "link", "add", "twin0", "type", "veth", "peer", "name", "other0")
        d = self.start()
        self.assertEqual(d.process.wait(20), 1)
        self.assertIn("twin twin0", d.text())
        self.assertIn("not started: kernel", d.text())
        self.assertNotIn("wire0", run("ip", "-n", self.weir, "link").stdout)

    def test_samples_pass_on_any_machine(self):
        for sample in sorted((pathlib.Path(__file__).resolve().parents[2] / "conf/samples").glob("*.yaml")):
            done = run(WEIR, "--check", str(sample), check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_check_needs_no_root_and_says_all(self):
        file = f"{self.dir}/weir.yaml"
        os.chmod(self.dir, 0o755)
        with open(file, "w") as f:
            f.write(CONFIG.format(dir=self.dir))
        weir = shutil.copy(WEIR, f"{self.dir}/weir")  # the tree may be closed to others
        check = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", weir, "--check", file]
        done = run(*check)
        self.assertIn("EAL arguments: weir --lcores", done.stdout)
        self.assertIn("worker 1: core ", done.stdout)
        with open(file, "w") as f:
            f.write(CONFIG.format(dir=self.dir).replace("count: 2", "count: two").replace("300ms", "300"))
        done = run(*check, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len([l for l in done.stderr.splitlines() if "warning" not in l]), 2, done.stderr)
        with open(file, "w") as f:
            f.write(CONFIG.format(dir=self.dir).replace("count: 2", 'count: 2, cores: "0,1000"'))
        done = run(*check)  # a file for another machine
        self.assertIn("warning: workers: core 1000 is not available", done.stdout)
        self.assertIn("worker 1: core 1000", done.stdout)
        done = run(WEIR, "-c", file, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: workers: core 1000 is not available", done.stderr)
        for words in ([], ["--check"], ["-c", file, "more"], ["--nonsense"]):
            self.assertEqual(run(WEIR, *words, check=False).returncode, 2)
        self.assertTrue(run(WEIR, "--version").stdout.startswith("weir "))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root", file=sys.stderr)
        sys.exit(77)
    unittest.main(verbosity=2)
