#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The overload bench, over real packets: four emulated gateways (bench/gwsim) of 80 calls/s each, callers with the timers of
RFC 3261 and ten seconds of patience (bench/callers), and between them nothing, Kamailio, or Weir. Goodput is calls answered
and ACKed within ten seconds of their first INVITE, as a part of the capacity that the gateways really have.

./dev bench overload builds and runs this. Everything takes less than 15 minutes, one mode less than one.
"""
import argparse
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE)]

from lab.net import sweep as sweep_up  # noqa: E402
from overlab import plot  # noqa: E402
from overlab.modes import CAPACITY, MODES  # noqa: E402
from overlab.runs import KINDS, LOADS  # noqa: E402

# Which modes each kind of run is made for, unless --modes says otherwise.
LEARNS = ["G", "G-dequeue", "G-never"]
PROGRAMME = {"sweep": [mode for mode in MODES if mode != "C"], "spring": ["B", "D-cc", "E", "F-loss", *LEARNS], "flash": ["G"], "half": ["G"],
             "dead": ["G"], "greedy": ["E", "G"], "long": ["G"], "crying": ["G"]}


def percent(value):
    return "  -" if value is None else f"{value:.2f}"


def seconds(value):
    return "never" if value is None else f"{value:.1f} s"


def print_sweep(runs):
    print(f"\ngoodput / capacity ({CAPACITY:g} calls/s) at offered load, each after settling")
    print(f"{'mode':10}{'':33}" + "".join(f"{f'{x:g}x':>7}" for x in LOADS[:-1]) + f"{'back':>7}{'no refusal':>12}")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}" + "".join(f"{row['goodput']:7.2f}" for row in run["rows"])
              + f"{seconds(run['zero_refusals_s']):>12}")
    print("\n" + f"{'':10}first response other than 100, ms   emergency    INVITEs again     CPU at 10x, % of a core")
    print(f"{'mode':10}{'0.8x p99':>9}{'2x p99':>9}{'10x p99':>9}{'at 10x':>15}{'at 10x':>17}    ")
    for mode, run in runs.items():
        rows = {row["load"]: row for row in reversed(run["rows"])}
        cpu = ", ".join(f"{name} {used:.0f}" for name, used in rows[10]["cpu"]["used"].items())
        print(f"{mode:10}" + "".join(f"{rows[x]['first_response']['p99_ms']:9.0f}" for x in (0.8, 2, 10))
              + f"{percent(rows[10]['emergency']):>15}{rows[10]['repeats']:17.2f}    {cpu}")


def print_spring(runs):
    print("\nstep from 0.8x to 5x: until goodput stays within 10 % of capacity; then back to 0.8x: until the last refusal")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}{seconds(run['up_s']):>9}{seconds(run['zero_refusals_s']):>9}"
              f"   goodput at 5x {run['goodput']:.2f}")


def print_flash(runs):
    print("\nflash crowd, 0.8x, three seconds of 10x, 0.8x")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}goodput meanwhile {run['goodput_in_crowd']:.2f}, after "
              f"{run['goodput_after']:.2f}; last refusal {seconds(run['zero_refusals_s'])} after it, "
              f"{run['abandoned']} callers gave up")


def print_half(runs):
    print("\none of four gateways at half speed, 1.5x offered (0.875 of the capacity is left)")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}goodput {run['before']:.2f} -> {run['after']:.2f}, "
              f"{100 * run['cost']:.0f} % less")


def print_dead(runs):
    print("\na fifth of one peer's calls to a dead prefix (503), 2x offered: what gateways complete")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}{run['before']:.2f} -> {run['after']:.2f}, moved {100 * run['moved']:.1f} %")


def print_greedy(runs):
    print("\none of four peers wants ten times as much as the others")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}Jain {run['jain']:.3f}, goodput {run['goodput']:.2f}: "
              + ", ".join(f"{name} {share:.2f}" for name, share in run["shares"].items()))


def print_long(runs):
    print("\none of four peers has calls of ten seconds, 60 places a gateway, 1.2x offered")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}Jain over the others {run['jain']:.3f}, at least "
              f"{100 * run['short_served']:.0f} % of their calls served; places: "
              + ", ".join(f"{name} {places:.0f}" for name, places in run["places"].items()))


def print_crying(runs):
    print("\none of four peers says that all its calls are emergency calls, 10x offered")
    for mode, run in runs.items():
        print(f"{mode:10}{MODES[mode]['title']:33}of the others' emergency calls {percent(run['emergency'])} answered, goodput "
              f"{run['goodput']:.2f}: " + ", ".join(f"{name} {share:.2f}" for name, share in run["shares"].items()))


PRINT = {"sweep": print_sweep, "spring": print_spring, "flash": print_flash, "half": print_half, "dead": print_dead,
         "greedy": print_greedy, "long": print_long, "crying": print_crying}


def doubts(name, run):
    """Why the machine rather than the mode may have been measured."""
    said = []
    if run["lost_by_kernel"]:
        said.append(f"{run['lost_by_kernel']} messages lost by the kernel")
    if run["no_call"] or run["worst_lag_ms"] > 500:
        said.append(f"callers were up to {run['worst_lag_ms']:.0f} ms late, {run['no_call']} calls not made")
    waits = [(waited, who, row["name"]) for row in run.get("rows", []) for who, waited in row["cpu"]["waited"].items()]
    if max(waits, default=(0,))[0] > 10:
        said.append("{1} waited for a CPU {0:.0f} % of the time at {2}".format(*max(waits)))
    return [f"doubtful: {name}: {', '.join(said)}"] if said else []


def arguments():
    p = argparse.ArgumentParser(prog="./dev bench overload", description="Goodput of a pool under overload, measured with packets.")
    p.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="kinds of runs (all)")
    p.add_argument("--modes", nargs="+", choices=list(MODES), help="modes (those each kind is made for)")
    p.add_argument("--seconds", type=float, default=6, help="length of one step of load (6)")
    p.add_argument("--settle", type=float, default=3, help="first part of a step that goodput leaves out (3)")
    p.add_argument("--json", metavar="FILE", help="write the figures here; what stands there of other runs stays")
    p.add_argument("--plots", metavar="DIR", help="draw the figures of --json as SVG there")
    args = p.parse_args()
    if args.settle >= args.seconds:
        p.error("--settle must be less than --seconds")
    return args


def main():
    args = arguments()
    sweep_up()
    file = pathlib.Path(args.json) if args.json else None
    out = json.loads(file.read_text()) if file and file.exists() else {"bench": "overload", "kinds": {}}
    out |= {"capacity": CAPACITY, "cpus": os.cpu_count(), "kernel": os.uname().release}
    notes = []
    for kind in args.kinds:
        runs = {}
        for mode in args.modes or PROGRAMME[kind]:
            began = time.monotonic()
            runs[mode] = KINDS[kind](mode, args.seconds, args.settle)
            runs[mode]["command"] = " ".join(["./dev bench overload"] + sys.argv[1:])
            notes += doubts(f"{kind} {mode}", runs[mode])
            if sys.stderr.isatty():
                print(f"{kind} {mode}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            out["kinds"].setdefault(kind, {})[mode] = runs[mode]
            if file:
                file.write_text(json.dumps(out, separators=(",", ":")) + "\n")
        PRINT[kind](runs)
        sys.stdout.flush()
    print("\n" + "\n".join(notes or ["no message lost by the kernel, no caller late, nobody waited long for a CPU"]))
    if args.plots:
        plot.draw(out, pathlib.Path(args.plots))


if __name__ == "__main__":
    main()
