#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline bench: what one message costs on its way through Weir, on one worker, without a network card.

Frames come from net_pcap, are made into calls by an RX callback (bench/frames.c) and leave through net_pcap's
drop queue. testpmd in macswap mode runs on the same frames, devices and core, in turn with Weir; the net cost
is Weir less the callback less testpmd. All figures are CPU time of the worker's thread, medians over the
rounds. ./dev bench pipeline builds and runs this.
"""

import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

STAGES = [  # how far messages go, and what that adds to the row before
    ("rx", "net_pcap receive, free"),
    ("feed", "RX callback: mint, patch, checksum"),
    ("decode", "decode: Ethernet, IP, UDP, checksum"),
    ("scan", "scan"),
    ("owner", "Call-ID hash, owner"),
    ("query", "query: fields, checks, identities"),
    ("policy", "policy: lb_input"),
    ("edits", "edits applied to a fresh buffer"),
    ("encode", "headers, checksum"),
    ("whole", "transmit, counters, loop"),
]

KINDS = [  # mix, frames of testpmd, what it is, how its messages must end
    ("invite", "invite", "INVITE of a new call, 1275 bytes", ["FWD_REQUEST"]),
    ("response", "response", "100, 180, 200 to an INVITE", ["FWD_RESPONSE"]),
    ("dialog", "dialog", "ACK and BYE with a token", ["FWD_REQUEST"]),
    ("refuse", "invite", "INVITE refused: 503", ["REPLY_REFUSED"]),
    ("again", "invite", "the same INVITE refused again", ["REPLY_REFUSED", "REPLY_REFUSED_AGAIN"]),
    ("options", "options", "OPTIONS to Weir: 200", ["REPLY_OPTIONS"]),
]

STATEFUL_KINDS = ["invite", "refuse", "again"]  # of KINDS, with transactions too: an INVITE gets a 100, is kept and counted

ENDS = ["FWD_REQUEST", "FWD_RESPONSE"]
STATEFUL_ENDS = ENDS + ["ABSORB_TRYING"]
PER_CALL = 7  # messages of the call mix


class Weir:
    """One engine process (bench/pipeline.c) with its tables filled."""

    def __init__(self, engine, folder, calls, workers=1, stateful=False):
        os.makedirs(folder)
        self.stateful = stateful
        self.ends = STATEFUL_ENDS if stateful else ENDS
        self.argv = [engine, "-d", os.path.join(HERE, "data"), "-t", folder, "-c", str(calls), "-w", str(workers)]
        self.argv += ["-s"] if stateful else []
        self.proc = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.info = self.answer()

    def answer(self):
        line = self.proc.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.argv)}: ended")
        return json.loads(line)

    def run(self, mix, upto, ms, ends=None):
        self.proc.stdin.write(f"{mix} {upto} {ms}\n")
        self.proc.stdin.flush()
        out = self.answer()
        if upto == "whole":
            ends = ends or self.ends
            good = sum(out["ends"].get(e, 0) for e in ends)
            if good < 0.999 * out["handled"][0]:
                sys.exit(f"{mix}: messages met other ends than {ends}: {out['ends']}")
        if mix == "call" and upto == "whole" and self.stateful:
            if out["calls_ended"] < 0.99 * out["handled"][0] / PER_CALL or out["uncounted"]:
                sys.exit(f"of {out['handled'][0] / PER_CALL:.0f} calls {out['calls_ended']} ended, {out['uncounted']} were not counted")
        return out

    def close(self):
        self.proc.stdin.close()
        self.proc.wait()


class Testpmd:
    """dpdk-testpmd, macswap on one pcap file; asleep unless it measures."""

    def __init__(self, folder, name):
        pcap = os.path.join(folder, f"{name}.pcap")
        self.argv = ["dpdk-testpmd", "--lcores", "0@0,1@1", "--main-lcore", "0", "--no-huge", "--no-shconf", "-m", "256",
                     "--no-pci", "--no-telemetry", "--file-prefix", f"weir-bench-{os.getpid()}-{name}",
                     "--log-level", "error", "--vdev", f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "--",
                     "-i", "--forward-mode=macswap", "--burst=32", "--total-num-mbufs=16384", "--no-lsc-interrupt"]
        self.proc = subprocess.Popen(["stdbuf", "-oL"] + self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
        self.say("show port stats 0", "Tx-pps")

    def say(self, command, until):
        self.proc.stdin.write(command + "\n")
        self.proc.stdin.flush()
        text = ""
        while until not in text:
            line = self.proc.stdout.readline()
            if not line:
                sys.exit(f"{' '.join(self.argv)}: ended")
            text += line
        return text

    def cpu_ns(self):
        """CPU time of the forwarding thread; exact while it sleeps."""
        for task in glob.glob(f"/proc/{self.proc.pid}/task/*"):
            if "worker" in read(f"{task}/comm"):
                return int(read(f"{task}/schedstat").split()[0])
        sys.exit("dpdk-testpmd: no worker thread")

    def run(self, ms):
        """CPU ns per message."""
        ns = self.cpu_ns()
        self.say("start", "packets/burst=32")
        time.sleep(ms / 1000)
        text = self.say("stop", "Done.")
        return (self.cpu_ns() - ns) / int(re.search(r"RX-packets: (\d+)", text).group(1))

    def close(self):
        self.proc.stdin.write("quit\n")
        self.proc.stdin.close()
        self.proc.wait()


def read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def cpu_model():
    model = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    mhz = re.search(r"^cpu MHz\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    return f"{model.group(1) if model else 'unknown'}, {float(mhz.group(1)) if mhz else 0:.0f} MHz"


class Samples:
    """Figures of all rounds by name; figures are medians."""

    def __init__(self):
        self.of = {}

    def add(self, name, ns):
        self.of.setdefault(name, []).append(ns)

    def __getitem__(self, name):
        return statistics.median(self.of[name])

    def spread(self, name):
        return min(self.of[name]), max(self.of[name])


def measure(args, folder):
    """All rounds. Returns both kinds of big engine's facts, the samples, and for two workers how many messages
    each processed."""
    engines = {f"{n / 1e6:g} M": Weir(args.engine, f"{folder}/{n}", n) for n in args.calls}
    stateful = {size: Weir(args.engine, f"{folder}/s{size}", n, stateful=True) for size, n in zip(engines, args.calls)}
    big = list(engines)[-1]
    frames = sorted({frames for _, frames, _, _ in KINDS} | {"call"})
    pmds = {name: Testpmd(f"{folder}/{args.calls[-1]}", name) for name in frames}
    info = {"simd": engines[big].info["simd"], "huge": engines[big].info["huge"],
            "tables": {size: weir.info for size, weir in stateful.items()}}
    samples = Samples()
    for i in range(args.rounds):
        if sys.stderr.isatty():
            print(f"round {i + 1} of {args.rounds}", end="\r", file=sys.stderr, flush=True)
        for name, pmd in pmds.items():
            samples.add(f"testpmd {name}", pmd.run(args.ms))
            samples.add(f"rx {name}", engines[big].run(name, "rx", args.ms)["ns"])
            samples.add(f"feed {name}", engines[big].run(name, "feed", args.ms)["ns"])
        for size, weir in engines.items():
            samples.add(f"whole {size}", weir.run("call", "whole", args.ms)["ns"])
        for size, weir in stateful.items():
            samples.add(f"stateful {size}", weir.run("call", "whole", args.ms)["ns"])
        for upto, _ in STAGES:
            samples.add(f"stage {upto}", engines[big].run("call", upto, args.ms)["ns"])
            samples.add(f"stateful stage {upto}", stateful[big].run("call", upto, args.ms)["ns"])
        for mix, _, _, ends in KINDS:
            samples.add(f"kind {mix}", engines[big].run(mix, "whole", args.ms, ends)["ns"])
            if mix in STATEFUL_KINDS:
                samples.add(f"stateful kind {mix}", stateful[big].run(mix, "whole", args.ms, ends)["ns"])
    for proc in list(engines.values()) + list(stateful.values()) + list(pmds.values()):
        proc.close()
    two = Weir(args.engine, f"{folder}/two", args.calls[0], workers=2)
    handled = [two.run("call", "whole", 3 * args.ms)["handled"] for _ in range(args.rounds)]
    two.close()
    return info, samples, handled


def feed_cost(samples, frames):
    return samples[f"feed {frames}"] - samples[f"rx {frames}"]


def net(samples, whole, frames):
    """CPU ns of Weir per message, without the callback that makes the frames and without what testpmd needs."""
    return samples[whole] - feed_cost(samples, frames) - samples[f"testpmd {frames}"]


def mix_row(samples, kind, size):
    name = f"{kind} {size}"
    return {"whole_ns": samples[name], "callback_ns": feed_cost(samples, "call"),
            "testpmd_ns": samples["testpmd call"], "net_ns": net(samples, name, "call"),
            "min_ns": samples.spread(name)[0], "max_ns": samples.spread(name)[1]}


def kind_row(samples, name, what, frames):
    return {"kind": what, "whole_ns": samples[name], "callback_ns": feed_cost(samples, frames),
            "testpmd_ns": samples[f"testpmd {frames}"], "net_ns": net(samples, name, frames)}


def refused_to_forwarded(samples, prefix):
    """Net cost of refusing a new call to that of forwarding one."""
    return net(samples, f"{prefix}kind refuse", "invite") / net(samples, f"{prefix}kind invite", "invite")


def results(args, info, samples, handled):
    sizes = [f"{n / 1e6:g} M" for n in args.calls]
    stages, before, before_stateful = [], 0.0, 0.0
    for upto, what in STAGES:
        ns, ns_stateful = samples[f"stage {upto}"], samples[f"stateful stage {upto}"]
        stages.append({"stage": what, "ns": ns - before, "stateful_ns": ns_stateful - before_stateful})
        before, before_stateful = ns, ns_stateful
    two = sorted(handled, key=lambda h: max(h) / max(1, min(h)))[len(handled) // 2]
    return {
        "bench": "pipeline",
        "command": " ".join(["./dev", "bench", "pipeline"] + sys.argv[1:]),
        "cpu": cpu_model(),
        "kernel": os.uname().release,
        "huge_pages": info["huge"],
        "simd": info["simd"],
        "rounds": args.rounds,
        "ms": args.ms,
        "mix": [mix_row(samples, "whole", s) | {"pins": s} for s in sizes],
        "stateful_mix": [mix_row(samples, "stateful", s) |
                         {"calls": s, "new_calls_per_s": 1e9 / PER_CALL / net(samples, f"stateful {s}", "call"),
                          "calls_bytes": info["tables"][s]["calls_bytes"],
                          "setups_bytes": info["tables"][s]["setups_bytes"]} for s in sizes],
        "stages": stages,
        "kinds": [kind_row(samples, f"kind {mix}", what, frames) for mix, frames, what, _ in KINDS] +
                 [kind_row(samples, f"stateful kind {mix}", f"{what}, set up and counted", frames)
                  for mix, frames, what, _ in KINDS if mix in STATEFUL_KINDS],
        "refused_to_forwarded": {"set up and counted": refused_to_forwarded(samples, "stateful "),
                                 "pins only": refused_to_forwarded(samples, "")},
        "two_workers": {"processed": two, "ratio": max(two) / max(1, min(two))},
    }


def print_table(out):
    huge = "huge pages" if out["huge_pages"] else "no huge pages"
    print(f"pipeline: {out['cpu']}, kernel {out['kernel']}, {huge}, scan {out['simd']}")
    print(f"          {out['command']}: medians of {out['rounds']} rounds of {out['ms']} ms, ns of CPU per message\n")
    head = f"{'':50}{'whole':>8}{'callback':>10}{'testpmd':>9}{'net':>8}"
    print(head)
    for row in out["mix"] + out["stateful_mix"]:
        what = f"call mix, {row['pins']} pins" if "pins" in row else f"the same, set up and counted, {row['calls']}"
        print(f"{what:50}{row['whole_ns']:8.0f}{row['callback_ns']:10.0f}"
              f"{row['testpmd_ns']:9.0f}{row['net_ns']:8.0f}   ({row['min_ns']:.0f} to {row['max_ns']:.0f})")
    for row in out["kinds"]:
        print(f"{row['kind']:50}{row['whole_ns']:8.0f}{row['callback_ns']:10.0f}{row['testpmd_ns']:9.0f}"
              f"{row['net_ns']:8.0f}")
    ratio = out["refused_to_forwarded"]
    print(f"{'refused / forwarded, set up and counted':50}{ratio['set up and counted']:35.2f}\n"
          f"{'refused / forwarded, pins only':50}{ratio['pins only']:35.2f}")
    print(f"\nstages of the call mix, {out['mix'][-1]['pins']:24}{'pins only':>12}{'set up, counted':>17}")
    for row in out["stages"]:
        print(f"  {row['stage']:46}{row['ns']:12.0f}{row['stateful_ns']:17.0f}")
    print(f"  {'sum: the whole path':46}{sum(row['ns'] for row in out['stages']):12.0f}"
          f"{sum(row['stateful_ns'] for row in out['stages']):17.0f}\n")
    for row in out["stateful_mix"]:
        print(f"{row['calls']} calls: {row['new_calls_per_s'] / 1e3:.0f} k new calls a second and core; counted calls "
              f"{row['calls_bytes'] / 1e6:.0f} MB, set-ups and kept messages {row['setups_bytes'] / 1e6:.0f} MB")
    two = out["two_workers"]
    print(f"\ntwo workers, one peer, one receive queue: processed {two['processed'][0]} and {two['processed'][1]} "
          f"messages, {two['ratio']:.3f} to 1")


def main():
    p = argparse.ArgumentParser(prog="./dev bench pipeline", description="Cost of one message in Weir.")
    p.add_argument("--engine", default=os.path.join(HERE, "../build-release/bench/bench-pipeline"), help=argparse.SUPPRESS)
    p.add_argument("--rounds", type=int, default=7, help="interleaved rounds (7)")
    p.add_argument("--ms", type=int, default=200, help="length of one measurement (200)")
    p.add_argument("--calls", type=int, nargs="+", default=[1000000, 4000000], help="pins in the table (1 M, 4 M)")
    p.add_argument("--json", metavar="FILE", help="write the figures here too")
    args = p.parse_args()
    if not shutil.which("dpdk-testpmd"):
        sys.exit("dpdk-testpmd is missing: package dpdk-dev")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        out = results(args, *measure(args, folder))
    print_table(out)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
