# SPDX-License-Identifier: BSD-3-Clause
"""Figures of docs/congestion.md as SVG, written by hand: lines, axes, names at the lines' ends; for light and dark pages."""
import math

from .modes import CAPACITY, MODES

STYLE = """
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #d8dee4 } .band { fill: #f3f0e6 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #30363d } .band { fill: #1c1a12 }
  }
  text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px } .line { fill: none; stroke-width: 2 }
  .grid { stroke-width: 1; fill: none }
"""
# mode -> colour (readable on white and on black), dashes, name at the line
LOOK = {
    "A": ("#8b949e", "2 3", "A no control"),
    "B": ("#8b949e", "", "B gateway's 503"),
    "C-obey": ("#b07d48", "2 3", "C Retry-After obeyed"),
    "D-cc": ("#e5534b", "", "D Kamailio cc=1"),
    "D-load": ("#e5534b", "5 3", "D Kamailio call load"),
    "E": ("#4184e4", "5 3", "E told the capacity"),
    "F-loss": ("#9a6ee0", "", "F obeys oc, loss"),
    "F-rate": ("#9a6ee0", "5 3", "F obeys oc, rate"),
    "G": ("#2da44e", "", "G learns"),
    "G-dequeue": ("#2da44e", "6 3", "G, 100 on dequeue"),
    "G-never": ("#2da44e", "2 3", "G, never 100"),
}
LEFT, RIGHT, TOP, GAP = 56, 180, 44, 46


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Panel:
    """Axes at a place of the page; x and y give where a value lies."""

    def __init__(self, page, top, height, x_range, y_range, x_log=False):
        self.page, self.top, self.height = page, top, height
        self.x_range, self.y_range, self.x_log = x_range, y_range, x_log

    def x(self, value):
        low, high = map(math.log, self.x_range) if self.x_log else self.x_range
        value = math.log(value) if self.x_log else value
        return LEFT + (value - low) / (high - low) * (self.page.width - LEFT - RIGHT)

    def y(self, value):
        low, high = self.y_range
        return self.top + self.height - (min(value, high) - low) / (high - low) * self.height

    def axes(self, title, x_ticks, y_ticks, x_name=""):
        add, right = self.page.add, self.page.width - RIGHT
        add(f'<text class="ink" x="{LEFT}" y="{self.top - 12}">{escape(title)}</text>')
        for value, text in y_ticks:
            add(f'<path class="grid" d="M{LEFT} {self.y(value):.1f}H{right}"/>')
            add(f'<text class="soft" x="{LEFT - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">{text}</text>')
        for value, text in x_ticks:
            add(f'<text class="soft" x="{self.x(value):.1f}" y="{self.top + self.height + 18}" text-anchor="middle">{text}</text>')
        add(f'<text class="soft" x="{right}" y="{self.top + self.height + 34}" text-anchor="end">{escape(x_name)}</text>')

    def band(self, start, end, text):
        self.page.add(f'<rect class="band" x="{self.x(start):.1f}" y="{self.top}" width="{self.x(end) - self.x(start):.1f}" '
                      f'height="{self.height}"/><text class="soft" x="{self.x(start) + 6:.1f}" y="{self.top + 16}">{text}</text>')

    def line(self, mode, points):
        colour, dashes, _ = LOOK[mode]
        path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        self.page.add(f'<path class="line" stroke="{colour}" stroke-dasharray="{dashes}" stroke-linejoin="round" d="M{path}"/>')

    def dots(self, mode, points):
        self.page.add("".join(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="2.6" fill="{LOOK[mode][0]}"/>'
                              for x, y in points))

    def names(self, ends):
        """Names of modes at the right, each as near as possible to the value where its line ends, none on another."""
        at = sorted((self.y(value), mode) for mode, value in ends.items())
        places = []
        for wanted, _ in at:
            places.append(max(wanted, places[-1] + 15) if places else wanted)
        over = max(0, places[-1] - (self.top + self.height)) if places else 0
        for i in range(len(places) - 1, -1, -1):
            places[i] = min(places[i] - (over if i == len(places) - 1 else 0),
                            places[i + 1] - 15 if i + 1 < len(places) else math.inf)
        right = self.page.width - RIGHT
        for (wanted, mode), place in zip(at, places):
            colour, dashes, name = LOOK[mode]
            self.page.add(f'<path class="grid" d="M{right + 1} {wanted:.1f}L{right + 12} {place:.1f}"/>')
            self.page.add(f'<path class="line" stroke="{colour}" stroke-dasharray="{dashes}" d="M{right + 14} {place:.1f}h16"/>')
            self.page.add(f'<text class="ink" x="{right + 36}" y="{place + 4:.1f}">{escape(name)}</text>')


class Page:
    def __init__(self, width, height, title):
        self.width, self.height, self.parts = width, height, []
        self.title = title
        self.add(f'<rect class="paper" width="{width}" height="{height}" rx="6"/>')

    def add(self, part):
        self.parts.append(part)

    def write(self, file):
        body = "\n".join(self.parts)
        file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img">\n'
                        f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n")


def goodput(sweeps, file):
    """Goodput against offered load, one line for each mode."""
    page = Page(860, 430, "Goodput against offered load")
    loads = [0.8, 1, 1.5, 2, 5, 10]
    panel = Panel(page, TOP, 310, (0.8, 10), (0, 1.1), x_log=True)
    panel.axes("goodput, as a part of the capacity", [(x, f"{x:g}x") for x in loads],
               [(y / 5, f"{y / 5:.1f}") for y in range(6)], "offered load (log)")
    ends = {}
    for mode in (m for m in LOOK if m in sweeps):
        rows = sweeps[mode]["rows"][:len(loads)]
        points = [(row["load"], row["goodput"]) for row in rows]
        panel.line(mode, points)
        panel.dots(mode, points)
        ends[mode] = rows[-1]["goodput"]
    panel.names(ends)
    page.write(file)


def smooth(series, counter, width):
    """A series as (seconds, multiples of the capacity), means over `width` bins."""
    values, bin_s = series[counter], series["bin_s"]
    return [((i + width / 2) * bin_s, sum(values[i:i + width]) / width / bin_s / CAPACITY)
            for i in range(0, len(values) - width + 1, width)]


def spring(springs, file):
    """What happens when load jumps from 0.8 to 5 times the capacity, and falls back."""
    page = Page(860, 640, "A step of load")
    modes = [m for m in LOOK if m in springs]
    _, up, down, end = springs[modes[0]]["starts"]
    ticks = [(t, f"{t:g}") for t in range(0, int(end) + 1, 4)]
    good = Panel(page, TOP, 220, (0, end), (0, 1.4))
    no = Panel(page, TOP + 220 + GAP + 40, 220, (0, end), (0, 5.5))
    good.band(up, down, "5x offered")
    no.band(up, down, "")
    good.axes("goodput, as a part of the capacity", ticks, [(y / 5, f"{y / 5:.1f}") for y in range(8)])
    no.axes("calls refused, as a part of the capacity", ticks, [(y, f"{y}") for y in range(6)], "seconds")
    for panel, counter in ((good, "good"), (no, "refused")):
        ends = {}
        for mode in modes:
            points = [p for p in smooth(springs[mode]["series"], counter, 3) if p[0] < end]
            panel.line(mode, points)
            ends[mode] = next((v for t, v in reversed(points) if t < down), 0)
        panel.names(ends)
    page.write(file)


def draw(out, folder):
    """Every figure for which there is something in `out`."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, name, figure in (("sweep", "congestion-packets-goodput.svg", goodput), ("spring", "congestion-packets-step.svg", spring)):
        runs = {mode: run for mode, run in out["kinds"].get(kind, {}).items() if mode in MODES and mode in LOOK}
        if runs:
            figure(runs, folder / name)
