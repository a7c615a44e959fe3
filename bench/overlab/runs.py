# SPDX-License-Identifier: BSD-3-Clause
"""One run: a path, its gateways, callers with a plan; and what each kind of run tells of it."""
import tempfile

from lab.gwsim import Callers, Gwsim

from .measure import Cpu, Series, jain
from .modes import CAPACITY, GATEWAY, GATEWAY_CPS, MODES, SERVICE_MS
from .paths import CALLERS, GATEWAYS

BIN = 0.25
LOADS = [0.8, 1, 1.5, 2, 5, 10, 0.8]
EMERGENCY = 0.003


def peers(n=4, **more):
    """n peers alike, each an address with two ports."""
    return [{"name": f"p{i}", "from": f"{address}:7000", "ports": 2, "hold": 0.2} | more
            for i, address in enumerate(CALLERS[:n], 1)]


def step(x, seconds, name=None, **more):
    return {"name": name or f"{x:g}x", "rate": x * CAPACITY, "seconds": seconds} | more


class Run:
    """Plays a plan in a mode. `at_step` maps the number of a step to what is to be done to the gateways then."""

    def __init__(self, mode, steps, callers=None, at_step=None, path=None, gwsim=None, drain=3, seed=1):
        self.mode, self.steps, self.at_step = MODES[mode], steps, at_step or {}
        self.starts = [sum(s["seconds"] for s in steps[:i]) for i in range(len(steps) + 1)]
        own = {key: value for key, value in self.mode.items() if key not in ("title", "gwsim", "peer")} | (path or {})
        settings = GATEWAY | self.mode.get("gwsim", {}) | (gwsim or {})
        plan = {"seed": seed, "bin": BIN, "drain": drain, "max_calls": 400000, "steps": steps,
                "peers": [peer | self.mode.get("peer", {}) for peer in callers or peers(emergency=EMERGENCY)]}
        with tempfile.TemporaryDirectory(prefix="weir-overload-") as work:
            self.path = own.pop("path")(work, **own)
            try:
                self.play(plan, settings, seed)
            finally:
                self.path.close()

    def play(self, plan, settings, seed):
        self.gwsim = Gwsim(self.path.gateways, GATEWAYS, seed=seed, **settings)
        if hasattr(self.path, "ready"):
            self.path.ready()
        self.gwsim.reset()
        callers = Callers(self.path.callers, plan | {"targets": self.path.targets})
        cpu = Cpu(self.path.procs() | {"gwsim": [self.gwsim.proc.pid], "callers": [callers.proc.pid]})
        self.limits = {}

        def on_step(number):
            cpu.mark()
            self.limits[number] = self.path.limits()
            if number in self.at_step:
                self.at_step[number](self.gwsim)
        self.result = callers.wait(on_step)
        cpu.mark()
        self.limits[len(self.steps)] = self.path.limits()
        self.gateways = self.gwsim.stop()
        self.cpu = cpu.steps()

    # ---- reading

    def series(self, counter, peer=None):
        of = self.result["peers"][peer] if peer else self.result
        return Series(of["series"][counter], self.result["bin_s"])

    def window(self, number, settle):
        return self.starts[number] + settle, self.starts[number + 1]

    def goodput(self, number, settle, peer=None):
        """Calls answered and ACKed in time in this step after `settle` s, as a part of the pool's capacity."""
        return self.series("good", peer).rate(*self.window(number, settle)) / CAPACITY

    def lost(self):
        """Messages that the kernel dropped at our own programs: more than a few, and the machine was measured."""
        return sum(p["lost_by_kernel"] for p in self.result["peers"].values()) \
            + sum(g["lost_by_kernel"] for g in self.gateways.values())

    def curve(self, counters=("offered", "good", "refused", "repeats")):
        return {"bin_s": self.result["bin_s"], **{c: self.result["series"][c] for c in counters}}

    def common(self):
        return {"lost_by_kernel": self.lost(), "worst_lag_ms": self.result["worst_lag_ms"], "odd": self.result["odd"],
                "no_call": self.result["no_call"], "series": self.curve(),
                "gateways": {name: {k: v for k, v in g.items() if k != "series"} for name, g in self.gateways.items()}}


# ---- kinds of runs; each gives what goes into the JSON

def sweep(mode, seconds, settle):
    """Offered load from 0.8 to 10 times the capacity and back."""
    run = Run(mode, [step(x, seconds) for x in LOADS[:-1]] + [step(LOADS[-1], seconds, "back to 0.8x")])
    rows = []
    for i, (load, told) in enumerate(zip(LOADS, run.result["steps"])):
        start, end = run.window(i, settle)
        emergency = told["emergency"]
        rows.append({
            "load": load, "name": told["name"], "offered": run.series("offered").rate(start, end) / CAPACITY,
            "goodput": run.goodput(i, settle), "refused": told["all"]["refused"], "held": told["all"]["held"],
            "abandoned": told["all"]["abandoned"], "codes": told["codes"], "first_response": told["first_response"],
            "refusal": told["refusal"], "repeats": told["all"]["repeats"] / max(1, told["all"]["offered"]),
            "emergency": emergency["good"] / emergency["offered"] if emergency["offered"] else None,
            "emergency_calls": emergency["offered"], "cpu": run.cpu[i], "limits": run.limits[i + 1]})
    refused = run.series("refused").last(run.starts[-2], run.starts[-1])
    return {"rows": rows, "zero_refusals_s": refused} | run.common()


def spring(mode, seconds, settle):
    """A step from 0.8 to 5 times, and back: how long until it is well."""
    run = Run(mode, [step(0.8, seconds), step(5, 1.5 * seconds), step(0.8, 1.5 * seconds)])
    _, up, down, end = run.starts
    good = run.series("good")
    # Servers that were filled at once finish at once: five whole times of service, so that none is counted in part.
    return {"up_s": good.settles(up, down, 0.9 * CAPACITY, 1.1 * CAPACITY, window=5 * SERVICE_MS / 1000), "starts": run.starts,
            "zero_refusals_s": run.series("refused").last(down, end),
            "goodput": run.goodput(1, settle)} | run.common()


def flash(mode, seconds, settle):
    """A crowd: 0.8 times, 10 times for three seconds, 0.8 times."""
    run = Run(mode, [step(0.8, seconds / 2), step(10, 3), step(0.8, 1.5 * seconds)])
    _, up, down, end = run.starts
    return {"goodput_in_crowd": run.series("good").rate(up, down) / CAPACITY,
            "goodput_after": run.series("good").rate(down + settle, end) / CAPACITY,
            "zero_refusals_s": run.series("refused").last(down, end), "starts": run.starts,
            "abandoned": sum(s["all"]["abandoned"] for s in run.result["steps"])} | run.common()


def half(mode, seconds, settle):
    """At 1.5 times the capacity one gateway of four becomes half as fast."""
    lead = 1.5 * seconds
    slow = {1: lambda gwsim: gwsim.set("gw1", service=f"{2 * 32000 / GATEWAY_CPS:g}ms")}
    run = Run(mode, [step(1.5, lead), step(1.5, 2 * seconds, "gw1 at half speed")], at_step=slow)
    before, after = run.goodput(0, lead / 2), run.goodput(1, settle)
    return {"before": before, "after": after, "cost": 1 - after / before if before else None,
            "left": 3.5 / 4, "starts": run.starts} | run.common()


def dead(mode, seconds, settle, code="503"):
    """At twice the capacity, a fifth of one peer's calls goes to numbers that begin to fail at every gateway."""
    callers = peers()
    callers[0] |= {"prefix": "+99", "prefixed": 0.2}
    fails = {1: lambda gwsim: gwsim.set("all", fail=f"+99:{code}")}
    lead = 2 * seconds
    run = Run(mode, [step(2, lead), step(2, lead, "+99 fails")], callers=callers, at_step=fails)

    def done(number):  # what gateways complete, calls to dead numbers included: they cost as much
        first, last = (int(t) for t in run.window(number, lead / 2))
        return sum(sum(g["series"][k][first:last]) for g in run.gateways.values() for k in ("answered", "failed")) \
            / (last - first) / CAPACITY
    before, after = done(0), done(1)
    return {"before": before, "after": after, "moved": abs(after / before - 1) if before else None,
            "limits": run.limits, "starts": run.starts} | run.common()


def greedy(mode, seconds, settle):
    """Four equal peers want half the capacity each; then one of them wants five times it."""
    want = {f"p{i}": 0.5 * CAPACITY for i in range(1, 5)}
    run = Run(mode, [step(2, seconds, peers=want),
                     step(6.5, 2 * seconds, "p1 wants 5x", peers=want | {"p1": 5 * CAPACITY})], callers=peers())
    shares = [run.goodput(1, settle, peer) for peer in want]
    return {"shares": dict(zip(want, shares)), "jain": jain(shares), "goodput": sum(shares)} | run.common()


def long(mode, seconds, settle):
    """One peer's calls last ten seconds where places are short (60 a gateway); the others' a fifth of a second."""
    callers = peers()
    callers[0]["hold"] = 10
    cap = {"gateway": ", ".join(filter(None, [MODES[mode].get("gateway"), "max-calls: 60"]))}
    run = Run(mode, [step(1.2, 2 * seconds)], callers=callers, path=cap)
    start, end = run.window(0, settle + seconds / 2)
    rates = {p["name"]: run.series("good", p["name"]).rate(start, end) for p in callers}
    served = {name: rate / run.series("offered", name).rate(start, end) for name, rate in rates.items()}
    # Places that a peer holds (calls/s x seconds of a call); short ones need no more than their share of them.
    places = {p["name"]: rates[p["name"]] * (0.4 + p["hold"]) for p in callers}
    short = [rates[p["name"]] for p in callers[1:]]
    return {"served": served, "places": places, "jain": jain(short), "short_served": min(list(served.values())[1:])} \
        | run.common()


def crying(mode, seconds, settle):
    """At ten times the capacity one peer of four says that all its calls are emergency calls."""
    callers = peers(emergency=EMERGENCY)
    callers[0] |= {"emergency": 1}
    run = Run(mode, [step(0.8, seconds), step(3, seconds), step(10, 2 * seconds)], callers=callers)
    shares = {p["name"]: run.goodput(2, settle, p["name"]) for p in callers}
    told = run.result["steps"][2]["peers"]
    others = [told[p["name"]]["emergency"] for p in callers[1:]]
    offered = sum(o["offered"] for o in others)
    return {"shares": shares, "goodput": sum(shares.values()), "emergency_calls": offered,
            "emergency": sum(o["good"] for o in others) / offered if offered else None} | run.common()


KINDS = {"sweep": sweep, "spring": spring, "flash": flash, "half": half, "dead": dead, "greedy": greedy, "long": long,
         "crying": crying}
