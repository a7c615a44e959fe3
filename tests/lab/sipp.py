# SPDX-License-Identifier: BSD-3-Clause
"""sipp as a caller or a gateway: starting it, its counts, and what it said when a call failed."""
import csv
import pathlib
import signal
import socket
import struct
import subprocess

SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"


def socket_name(ip, port):
    """As /proc/net/udp and udp6 write it: the address in words of the machine's own byte order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
    return "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed)) + f":{port:04X}"


class Sipp:
    """
    One sipp process. A caller has a `target` (where Weir listens) and a number of `calls`; a gateway has neither and
    runs until stop(). `users` keeps so many calls up, instead of starting `rate` a second. `keys` become [name] in the
    scenario; `trace` keeps every message in a file.
    """

    def __init__(self, ns, scenario, ip, port, work, target=None, calls=0, rate=10, keys=None, args=(), limit=60,
                 trace=True, users=0):
        self.name = f"{scenario.stem}-{ip.replace(':', '_')}-{port}"
        self.base = pathlib.Path(work) / self.name
        self.limit, self.socket = limit, socket_name(ip, port)
        argv = ["sipp", "-sf", str(scenario), "-i", f"[{ip}]" if ":" in ip else ip, "-p", str(port), "-nostdin",
                "-trace_stat", "-stf", f"{self.base}.csv", "-fd", "1", "-trace_err", "-error_file", f"{self.base}.err",
                "-buff_size", "212992"]  # what the kernel allows; sipp's own choice is lost when it is not scheduled
        for name, value in (keys or {}).items():
            argv += ["-key", name, str(value)]
        if target:
            pace = ["-users", str(users)] if users else ["-r", str(rate), "-l", str(min(calls, 10000))]
            argv += ["-m", str(calls), *pace, "-timeout", f"{limit}s",
                     "-timeout_error", "-recv_timeout", "15000"]
        if trace:
            argv += ["-trace_msg", "-message_file", f"{self.base}.msg"]
        self.out = open(f"{self.base}.out", "w")
        argv += map(str, args)
        self.proc = ns.popen(*argv, *([target] if target else []), stdout=self.out, stderr=subprocess.STDOUT, cwd=work,
                             env={"TERM": "dumb", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def listens(self):
        """True once its own socket is bound: others of its namespace may have the same port."""
        if self.proc.poll() is not None:
            raise RuntimeError(self.trouble())
        tables = (pathlib.Path(f"/proc/{self.proc.pid}/net/{name}").read_text() for name in ("udp", "udp6"))
        return any(f" {self.socket} " in table for table in tables)

    def wait(self):
        """Wait until sipp ends by itself and give its exit code (0: every call went as the scenario says)."""
        code = self.proc.wait(self.limit + 10)
        self.out.close()
        return code

    def stop(self, patience=3):
        """End it once its calls have ended, after `patience` seconds in any case, and give its counts."""
        for seconds in (patience, 2):
            if self.proc.poll() is None:
                self.proc.send_signal(signal.SIGUSR1)
                try:
                    self.proc.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        self.kill()
        self.out.close()
        return self.counts()

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def counts(self):
        """Figures of the last line that sipp wrote: column name -> number where it is one."""
        try:
            with open(f"{self.base}.csv", newline="") as f:
                rows = [row for row in csv.DictReader(f, delimiter=";") if row.get("CurrentCall")]
        except FileNotFoundError:
            return {}
        return {k: int(v) for k, v in rows[-1].items() if k and v and v.isdigit()} if rows else {}

    @property
    def successful(self):
        return self.counts().get("SuccessfulCall(C)", 0)

    @property
    def failed(self):
        return self.counts().get("FailedCall(C)", 0)

    @property
    def incoming(self):
        return self.counts().get("IncomingCall(C)", 0)

    def messages(self):
        """Every message that it sent and received, as it logged them (with `trace`)."""
        log = pathlib.Path(f"{self.base}.msg")
        return log.read_bytes().decode("utf-8", "replace") if log.exists() else ""

    def trouble(self):
        """What a person wants to read when this sipp failed."""
        err = pathlib.Path(f"{self.base}.err")
        text = err.read_text(errors="replace") if err.exists() else ""
        return f"{self.name}: exit {self.proc.poll()}, {self.successful} ok, {self.failed} failed\n{text[:1200]}"
