# SPDX-License-Identifier: BSD-3-Clause
"""What the demo shows: a live table on a terminal, one line per second elsewhere, and the summary at the end."""
import time

try:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text
except ImportError:  # plain lines do as well
    Console = None

COLOURS = {"up": "green", "down": "bold red"}  # all others: yellow


class Screen:
    """Entered for the time of the demo; update() gets two looks (see Demo.look) and shows what happened between."""

    def __init__(self, gateways, limit):
        self.gateways, self.limit = list(gateways), limit
        self.started = time.monotonic()
        self.title, self.rate, self.events, self.spoken = "", 0, [], 0.0
        self.console = Console() if Console else None
        self.live = Live(console=self.console, auto_refresh=False) if Console and self.console.is_terminal else None

    def __enter__(self):
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.stop()

    def clock(self):
        return f"{time.monotonic() - self.started:5.1f} s"

    def phase(self, title, rate):
        if title != self.title:
            self.title, self.rate = title, rate
            self.event(f"phase {title}: {rate} calls/s offered")

    def event(self, text):
        self.events.append(f"{self.clock()}  {text}")
        if not self.live:
            print(self.events[-1], flush=True)

    def update(self, last, now):
        span = now["at"] - last["at"]
        rates = {name: (now["calls"][name] - last["calls"][name]) / span for name in self.gateways}
        if self.live:
            self.live.update(self._picture(now, rates), refresh=True)
        elif now["at"] - self.spoken >= 1:
            self.spoken = now["at"]
            print(f"{self.clock()}  " + "  ".join(
                f"{name} {now['state'][name]:<4} {rates[name]:4.0f}/s" for name in self.gateways)
                + f"  answered {now['answered']}  503 {now['refused']}  failed {now['failed']}", flush=True)

    def _picture(self, now, rates):
        table = Table(title=f"Weir demo {self.clock()}    {self.title}", title_justify="left", expand=False)
        for column in ("gateway", "state", "calls/s", "", "calls"):
            table.add_column(column, justify="right" if column.startswith("calls") else "left")
        for name in self.gateways:
            state = now["state"][name]
            width = round(30 * min(rates[name] / self.limit, 1))
            table.add_row(name, Text(state, COLOURS.get(state, "yellow")), f"{rates[name]:.0f}",
                          Text("█" * width + "·" * (30 - width), COLOURS.get(state, "yellow")), str(now["calls"][name]))
        callers = Text(f"callers: {self.rate} calls/s offered    answered {now['answered']}    "
                       f"503 {now['refused']}    failed {now['failed']}")
        return Group(table, callers, *(Text(event, "dim") for event in self.events[-6:]))

    def summary(self, phases, promises, totals):
        print()
        for phase in phases:
            if phase["seconds"] >= 3:
                rates = "  ".join(f"{name} {n / phase['seconds']:3.0f}/s" for name, n in phase["calls"].items())
                print(f"{phase['phase']:<52} {rates}  503 {phase['refused']:>5}  failed {phase['failed']:>4}")
        print()
        for promise in promises:
            print(f"{'seen    ' if promise['seen'] else 'NOT SEEN'}  {promise['promise']}\n            {promise['figures']}")
        if totals:
            print(f"\n{totals['offered']} calls offered: {totals['answered']} answered, {totals['refused']} told 503, "
                  f"{totals['failed']} lost; {totals['sip_messages']} SIP messages went through Weir.")
            print("Calls that run on a gateway when it dies are lost; one that nobody has answered yet is set up on another.")
        print("demo: " + ("everything promised was seen" if all(p["seen"] for p in promises) else "NOT everything was seen"))
