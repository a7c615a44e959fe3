# SPDX-License-Identifier: BSD-3-Clause
"""What operators touch: weirctl with its exit codes and JSON, /metrics, --check, start and stop."""
import json
import subprocess

import pytest

from conftest import pool
from lab.daemon import WEIR, WEIRCTL
from lab.net import until

CONFIG = """
peers:
  callers: { from: [192.0.2.0/24] }
pools:
""" + pool("east", 5801, hosts=(21, 22)) + "\n" + pool("west", 5802, hosts=(23,)) + """
routes:
  - { match: { number: "+1" }, pool: east }
  - { match: { number: "+2" }, pool: west }
"""
SHOWS = ["status", "pools", "gateways", "gateway east-21", "peers", "workers", "ports", "drops", "config"]


@pytest.mark.parametrize("what", SHOWS)
def test_show(family, what):
    words = what.split()
    code, out, err = family.weir.weirctl("show", *words)
    assert code == 0 and out.strip() and not err
    code, out, err = family.weir.weirctl("--json", "show", *words)
    assert code == 0 and json.loads(out) and not err


def test_show_names_what_is_configured(family):
    ask = family.weir.ask
    assert [p["name"] for p in ask("show", "pools")["pools"]] == ["east", "west"]
    rows = ask("show", "gateways")["gateways"]
    assert [g["name"] for g in rows] == ["east-21", "east-22", "west-23"]
    assert rows[0]["address"] == "198.51.100.21:5801" and rows[0]["state"] == "up" and rows[0]["share"] == 0.5
    assert [g["name"] for g in ask("show", "gateways", "west")["gateways"]] == ["west-23"]
    assert [p["name"] for p in ask("show", "ports")["ports"]] == ["access", "core"]
    assert len(ask("show", "workers")["workers"]) == 2
    assert {listener["name"] for listener in ask("show", "status")["listeners"]} == {"access4", "access6", "core4", "core6"}
    assert ask("health")["health"] == "ok"


def test_show_config_loads_again(family, tmp_path):
    code, out, _ = family.weir.weirctl("show", "config")
    again = tmp_path / "again.yaml"
    again.write_text(out)
    assert code == 0 and subprocess.run([WEIR, "--check", again], capture_output=True).returncode == 0


@pytest.mark.parametrize("words, code", [
    (["drain", "nobody"], 1), (["ready", "east-21"], 1), (["show", "gateways", "nowhere"], 1),
    (["drain"], 2), (["show"], 2), (["show", "nonsense"], 2), (["frobnicate"], 2), (["--nonsense", "show", "status"], 2),
])
def test_exit_codes_and_errors_as_json(family, words, code):
    got, out, err = family.weir.weirctl(*words)
    assert got == code and err.strip() and not out.strip()
    got, out, err = family.weir.weirctl("--json", *words)
    assert got == code and json.loads(out)["error"]["message"]


def test_no_daemon_is_3(tmp_path):
    done = subprocess.run([WEIRCTL, "-s", tmp_path / "none.sock", "show", "status"], capture_output=True, text=True)
    assert done.returncode == 3 and done.stderr.strip()


def test_drain_and_ready_are_seen(family):
    assert family.weir.weirctl("drain", "east-22")[0] == 0
    assert family.weir.ask("show", "gateway", "east-22")["state"] == "drain"
    assert family.weir.metric("weir_gateway_state", gateway="east-22", state="drain") == 1
    assert family.weir.weirctl("drain", "east-22")[0] == 1, "it is drained already"
    assert family.weir.weirctl("ready", "east-22")[0] == 0
    assert family.weir.ask("show", "gateway", "east-22")["state"] == "up"


def test_health_speaks_nagios(family):
    code, out, _ = family.weir.weirctl("health")
    assert code == 0 and "OK" in out
    assert family.weir.weirctl("drain", "west-23")[0] == 0
    try:
        code, out, _ = family.weir.weirctl("health")
        assert code == 2 and "west" in out, "a pool with nobody for new calls is critical"
    finally:
        assert family.weir.weirctl("ready", "west-23")[0] == 0


def test_metrics_pass_promtool(family):
    status, text = family.weir.metrics_text()
    assert status == 200
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_gateway_has_series_from_the_start(family):
    names = {labels["gateway"] for (family_name, pairs) in family.weir.metrics()
             if family_name == "weir_gateway_new_calls_total" for labels in [dict(pairs)]}
    assert names == {"east-21", "east-22", "west-23"}


def test_probes_of_orchestrators(family):
    assert family.weir.metrics_text("/healthz")[0] == 200
    assert family.weir.metrics_text("/readyz")[0] == 200
    assert family.weir.metrics_text("/nothing")[0] == 404


BAD = """
node: lb1
workers: { count: 2x, poll: lazy }
ports:
  a: { device: "net_tap,iface=x", addresses: [192.0.2.10/33] }
listeners:
  l: { address: 192.0.2.10:5060abc }
poools: {}
routes:
  - { pool: nowhere }
"""


@pytest.mark.parametrize("command", [[WEIR, "--check"], [WEIRCTL, "check"]])
def test_check_tells_every_error_of_a_file(tmp_path, command):
    """No root, no EAL, no daemon; line and column of each."""
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    done = subprocess.run([*command, file], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    for line in (3, 5, 7, 8):
        assert f"bad.yaml:{line}:" in said, said
    assert "2x" in said and "lazy" in said and "5060abc" in said and "pools" in said


def test_bad_config_does_not_start(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    done = subprocess.run([WEIR, "-c", file], capture_output=True, text=True, timeout=20)
    assert done.returncode not in (0, -11) and "bad.yaml:3:" in done.stderr


def test_stop_is_clean_and_start_again(family):
    assert family.weir.stop() == 0, family.weir.tail()
    assert not family.weir.socket.exists()
    family.start()
    until(family.weir.serving, 5)
