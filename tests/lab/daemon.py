# SPDX-License-Identifier: BSD-3-Clause
"""The shipped binary in its namespace: start, stop, kill, and what it says of itself over weirctl and /metrics."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from .net import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
WEIR = BUILD / "control" / "weir"
WEIRCTL = BUILD / "control" / "cli" / "weirctl"
METRICS = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Weir:
    """
    One daemon of a lab. `config` is YAML in which $access_device etc. (one for each side's port), $work and
    $socket are filled in.
    """

    def __init__(self, lab, config, work):
        self.lab, self.work = lab, pathlib.Path(work)
        self.file, self.socket = self.work / "weir.yaml", self.work / "weir.sock"
        self.log = self.work / "weir.log"
        self.proc = None
        self.configure(config)

    def configure(self, config):
        """Write the configuration that the next start() reads."""
        names = {f"{port}_device": side.device() for port, side in self.lab.sides.items()}
        names |= {"work": str(self.work), "socket": str(self.socket)}
        self.file.write_text(re.sub(r"\$(\w+)", lambda m: names[m.group(1)], config))

    def start(self, seconds=20):
        with open(self.log, "ab") as log:
            self.proc = self.lab.weir.popen(str(WEIR), "-c", str(self.file), stdout=log, stderr=log, cwd=self.work)
        self._until(self.serving, seconds, "not serving")
        for side in self.lab.sides.values():
            side.connect()
        return self

    def _until(self, condition, seconds, what):
        def alive():
            if self.proc.poll() is not None:
                raise RuntimeError(f"weir ended with {self.proc.returncode}: {self.tail()}")
            return condition()
        until(alive, seconds, lambda: f"{what}: {self.tail()}")

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def stop(self):
        """Ask it to end, as an operator does, and give the exit code; one that hangs is killed after a minute."""
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(60)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        return self.proc.returncode if self.proc else None

    def kill(self):
        """kill -9."""
        self.proc.kill()
        self.proc.wait()

    # ---- what it says of itself

    def weirctl(self, *words):
        """Exit code, stdout and stderr of weirctl."""
        done = subprocess.run([str(WEIRCTL), "-s", str(self.socket), *words], capture_output=True, text=True,
                              timeout=15)
        return done.returncode, done.stdout, done.stderr

    def serving(self):
        code, out, _ = self.weirctl("--json", "show", "status")
        return code == 0 and json.loads(out)["serving"]

    def ask(self, *words):
        """The JSON answer of a weirctl command that succeeds."""
        code, out, err = self.weirctl("--json", *words)
        if code:
            raise RuntimeError(f"weirctl {' '.join(words)}: exit {code}: {out}{err}")
        return json.loads(out)

    def audited(self):
        """Its books agree: calls counted at gateways and peers are those of its entries."""
        code, out, err = self.weirctl("audit")
        assert code == 0, out + err

    def metrics_text(self, path="/metrics", port=9105):
        """Status and body of a GET inside the namespace."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with self.lab.weir.entered():
            connection.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metrics(self):
        """Every sample of /metrics: (name, frozenset of label pairs) -> value."""
        samples = {}
        for line in self.metrics_text()[1].splitlines():
            match = METRICS.match(line)
            if match:
                labels = frozenset(LABEL.findall(match.group(2) or ""))
                samples[match.group(1), labels] = float(match.group(3))
        return samples

    def metric(self, name, **labels):
        """Sum of the samples of one family that carry these labels (absent: 0)."""
        wanted = set(labels.items())
        return sum(value for (family, have), value in self.metrics().items() if family == name and wanted <= have)

    def ended(self, reason, outcome=None):
        """How many messages and frames ended for this reason."""
        labels = {"reason": reason} | ({"outcome": outcome} if outcome else {})
        return int(self.metric("weir_message_ends_total", **labels))
