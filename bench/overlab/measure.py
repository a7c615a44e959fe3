# SPDX-License-Identifier: BSD-3-Clause
"""What is read out of a run: goodput over windows, times until it is well again, fairness, and what the machine did."""
import glob
import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def jain(values):
    """Jain's index: 1 when all are equal, 1/n when one has everything."""
    squares = sum(v * v for v in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


class Series:
    """Counts by bin, read by seconds since the start."""

    def __init__(self, values, bin_s):
        self.values, self.bin = values, bin_s

    def sum(self, start, end):
        return sum(self.values[round(start / self.bin):round(end / self.bin)])

    def rate(self, start, end):
        return self.sum(start, end) / (end - start)

    def last(self, start, end):
        """End of the last bin in [start, end) that counted anything, as seconds after start; 0 if none did."""
        for i in range(min(round(end / self.bin), len(self.values)) - 1, round(start / self.bin) - 1, -1):
            if self.values[i]:
                return (i + 1) * self.bin - start
        return 0.0

    def settles(self, start, end, low, high, window=1.0):
        """
        Seconds after `start` until the mean over every following window of `window` seconds lies in [low, high]; None
        if that never comes.
        """
        step, width = self.bin, round(window / self.bin)
        first, last = round(start / step), min(round(end / step), len(self.values)) - width
        settled = None
        for i in range(last, first - 1, -1):
            if not low <= sum(self.values[i:i + width]) / window <= high:
                break
            settled = (i - first) * step
        return settled


def cpu_seconds(pids):
    """CPU time that these processes have used."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICK


def waited_seconds(pids):
    """How long the thread that waited longest was ready to run and had no CPU."""
    longest = 0
    for pid in pids:
        for file in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                longest = max(longest, int(pathlib.Path(file).read_text().split()[1]))
            except (OSError, IndexError):
                pass
    return longest / 1e9


def machine():
    """Idle and all time of the machine's CPUs, s."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(x) for x in file.readline().split()[1:9]]
    return (fields[3] + fields[4]) / TICK, sum(fields) / TICK


class Cpu:
    """CPU use between marks: one mark at the begin of every step and one at the end."""

    def __init__(self, procs):
        self.procs, self.marks = procs, []

    def mark(self):
        self.marks.append((time.monotonic(), machine(), {name: cpu_seconds(pids) for name, pids in self.procs.items()},
                           {name: waited_seconds(pids) for name, pids in self.procs.items()}))

    def steps(self):
        """For each step, % of one core by process; % of the time that one of them waited for a CPU; % of the machine idle."""
        rows = []
        for (at0, machine0, used0, waited0), (at1, machine1, used1, waited1) in zip(self.marks, self.marks[1:]):
            rows.append({"used": {name: 100 * (used1[name] - used0[name]) / (at1 - at0) for name in used0},
                         "waited": {name: 100 * (waited1[name] - waited0[name]) / (at1 - at0) for name in used0},
                         "machine_idle": 100 * (machine1[0] - machine0[0]) / max(1e-3, machine1[1] - machine0[1])})
        return rows

