#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
gwsim and callers against each other over loopback, nothing in between: both must have counted the same, twice the
capacity must bring what the formula of overload says, and a gateway must change while it runs.
"""
import json
import socket
import subprocess
import sys
import tempfile

GWSIM, CALLERS = sys.argv[1:]
CAPACITY, R, X, SECONDS, SETTLE = 400, 0.1, 2.0, 4, 1


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def play(settings, peers, steps, commands=()):
    """One gateway and these callers; what both counted."""
    port = free_port()
    plan = {"targets": [f"127.0.0.1:{port}"], "bin": 0.5, "drain": 2, "max_calls": 20000, "steps": steps,
            "peers": [{"from": f"127.0.0.1:{free_port()}", "hold": 0.05} | peer for peer in peers]}
    gateway = subprocess.Popen([GWSIM, "g", f"127.0.0.1:{port}", *settings], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(gateway.stdout.readline()) == {"ready": 1}
        for command, answer in commands:
            gateway.stdin.write(command + "\n")
            gateway.stdin.flush()
            assert answer in gateway.stdout.readline(), command
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(plan, file)
            file.flush()
            out = subprocess.run([CALLERS, file.name], stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout
        said, _ = gateway.communicate("quit\n", timeout=5)
    finally:
        gateway.kill()
    return json.loads(out.splitlines()[-1])["result"], json.loads(said.splitlines()[-1])["gateways"]["g"]


def near(value, wanted, tolerance, what):
    assert abs(value - wanted) <= tolerance, f"{what}: {value:.3f}, expected {wanted:.3f} +- {tolerance}"


def test_formula():
    calls, gateway = play(["servers=32", f"service={32000 / CAPACITY}ms", f"reject={R}", "queue=32"],
                          [{"name": "a", "ports": 2, "emergency": 0.05}],
                          [{"name": "2x", "rate": X * CAPACITY, "seconds": SECONDS}])
    all_calls = calls["steps"][0]["all"]
    good = calls["series"]["good"][int(SETTLE / 0.5):int(SECONDS / 0.5)]
    near(sum(good) / (SECONDS - SETTLE) / CAPACITY, (1 - R * X) / (1 - R), 0.05, "goodput")
    assert all_calls["good"] == gateway["acked"] == gateway["answered"], "goodput is not what the gateway saw"
    assert all_calls["refused"] == gateway["refused"] == calls["steps"][0]["codes"]["503"]
    assert all_calls["offered"] == gateway["arrivals"] == all_calls["good"] + all_calls["refused"]
    assert gateway["byes"] == all_calls["good"] and all_calls["byes_unanswered"] == all_calls["byes_refused"] == 0
    assert gateway["lost_by_kernel"] == calls["unfinished"] == calls["odd"] == gateway["odd"] == 0
    near(calls["steps"][0]["emergency"]["offered"] / all_calls["offered"], 0.05, 0.02, "emergency calls")


def test_words_while_it_runs():
    calls, gateway = play(["service=8ms"], [{"name": "a", "prefix": "+99", "prefixed": 0.5}],
                          [{"name": "some", "rate": 200, "seconds": 1}],
                          [("set g fail=+99:404:1 180=off", "ok"), ("set g servers=1", "error"), ("set h queue=1", "error"),
                           ("sing", "error"), ("show", '"arrivals":0')])
    step = calls["steps"][0]
    assert step["codes"] == {"404": gateway["failed"]} and step["prefixed"]["refused"] == gateway["failed"] > 50
    assert step["calls"]["good"] == step["calls"]["offered"] == gateway["acked"] > 50


def test_overload_control():
    for mode in ("loss", "rate"):
        calls, gateway = play(["servers=32", "service=80ms", f"oc={mode}", "queue=64"], [{"name": "a", "oc": True}],
                              [{"name": "3x", "rate": 3 * CAPACITY, "seconds": 2.5}])
        good = sum(calls["series"]["good"][2:5]) / 1.5 / CAPACITY
        assert good >= 0.9, f"oc={mode}: goodput {good:.3f}"
        assert gateway["refused"] < 0.2 * calls["steps"][0]["all"]["held"] and calls["steps"][0]["all"]["held"] > 0, mode
        assert calls["peers"]["a"]["oc_heard"] > 0
        calls, _ = play(["servers=32", "service=80ms", f"oc={mode}"], [{"name": "a", "oc": True}],
                        [{"name": "half", "rate": CAPACITY / 2, "seconds": 1}])
        assert calls["steps"][0]["all"]["held"] == 0, f"oc={mode} holds calls back without need"


for name, test in sorted(globals().items()):
    if name.startswith("test_"):
        test()
        print(f"{name}: ok")
