# SPDX-License-Identifier: BSD-3-Clause
"""
The call flows that must work, by id, and a report of one line a flow. A test belongs to a flow if its function or its
parameters begin with the id (test_c7_busy, test_flow[c7-486]) or if it says so: @pytest.mark.flow("C7", "G5").

With WEIR_LADDERS=DIR each such test leaves the ladder of its first call in DIR (see ladders.py), or of as many calls as
@pytest.mark.drawn_calls(N) says.
"""
import os
import pathlib
import re

import pytest

ROWS = {
    "C1": "basic call", "C2": "VoLTE call", "C3": "forked answers", "C4": "session change, hold, retrieve",
    "C5": "call waiting", "C6": "no answer", "C7": "busy", "C8": "codec refused", "C9": "redirect relayed",
    "C10": "redirect followed", "C11": "redirect server", "C12": "forward on busy", "C13": "forward on no answer",
    "C14": "forward always", "C15": "authentication", "C16": "every final code",
    "G1": "two gateways, both well", "G2": "one gateway answers 503", "G3": "503 with Retry-After", "G4": "one gateway dead, closed or killed",
    "G5": "all gateways full", "G6": "all gateways dead", "G7": "overflow",
    "G8": "OPTIONS probing", "G9": "OPTIONS from peers", "G10": "drain and maintenance",
    "G11": "retransmissions everywhere",
    "O1": "gateway to trunk", "O2": "gateway to gateway", "O3": "early dialog from a gateway", "O4": "kill -9 and restart",
    "A1": "REGISTER, refresh, de-REGISTER", "A2": "OPTIONS, MESSAGE, SUBSCRIBE, PUBLISH, INFO", "A3": "REFER and transfer",
    "A4": "session timers", "A6": "numbers and URIs", "A7": "loops and hops", "A8": "IPv4 caller, IPv6 gateway", "A9": "NAT",
}
WAIT = not os.environ.get("WEIR_YET")
NAMED = re.compile(r"(?:^test_|\[)([cgoa]\d+)(?=[-_\]])")


def yet(reason):
    """What is not built yet; run all the same if WEIR_YET is set."""
    return pytest.mark.xfail(reason=reason, strict=False, run=not WAIT)


def rows_of(item):
    marked = [row for mark in item.iter_markers("flow") for row in mark.args]
    named = [row.upper() for row in NAMED.findall(item.name)]
    return [row for row in dict.fromkeys(marked + named) if row in ROWS]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        rows = rows_of(item)
        if rows:
            item.add_marker(pytest.mark.flow(*rows))
            item.user_properties.append(("flow", rows))


@pytest.fixture
def drawn(request):
    """The test's capture is drawn into WEIR_LADDERS when it is over."""
    family = request.getfixturevalue("family") if "family" in request.fixturenames else None
    folder = os.environ.get("WEIR_LADDERS")
    if not (folder and family):
        yield
        return
    from lab.capture import Capture, Drawing
    capture = Capture(family.callers, family.gateways)
    yield
    from conftest import WEIR
    calls, weir = {}, {ip for ip, _ in WEIR.values()}
    for m in capture.seen():
        if m.src[0] not in weir or m.get("call-id") in calls:  # no probes
            calls.setdefault(m.get("call-id"), []).append(m)
    capture.close()
    if calls:
        name = re.sub(r"\W+", "-", request.node.nodeid).strip("-")
        mark = request.node.get_closest_marker("drawn_calls")
        first = [m for call in list(calls.values())[:mark.args[0] if mark else 1] for m in call]
        (pathlib.Path(folder) / name).write_text(Drawing(first, weir).text())


def pytest_terminal_summary(terminalreporter):
    """One line a flow, if any flow ran."""
    flows = {}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if getattr(report, "when", "") == "call" or outcome in ("error", "xfailed"):
                for row in dict(getattr(report, "user_properties", ())).get("flow", ()):
                    flows.setdefault(row, []).append((outcome, report))
    if not flows:
        return
    terminalreporter.section("flows")
    for row in ROWS:
        if row in flows:
            terminalreporter.write_line(f"{row:<4}{ROWS[row]:<42} ... {verdict(flows[row])}")


def verdict(results):
    bad = [report.nodeid.rpartition("::")[2] for outcome, report in results if outcome in ("failed", "error")]
    missing = sorted({getattr(report, "wasxfail", "").removeprefix("reason: ").removeprefix("[NOTRUN] ") for outcome, report in results if outcome == "xfailed"})
    tests = f"{len(results)} test{'s'[:len(results) > 1]}"
    if bad:
        return f"FAILED ({', '.join(bad)})"
    if missing:
        return f"not yet: {'; '.join(missing)} ({sum(o == 'xfailed' for o, _ in results)} of {tests})"
    return f"ok ({tests})"
