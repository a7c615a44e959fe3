# SPDX-License-Identifier: BSD-3-Clause
"""What an operator changes while calls run: drain, maint and ready with --wait (G10), the node's own drain (G9), set, why."""
import subprocess

import pytest

from conftest import pool
from lab.daemon import WEIRCTL
from lab.net import until
from lab.phone import Phone

PROBED = "{ interval: 200ms, timeout: 150ms, down-after: 3, up-after: 1 }"
CONFIG = """
timers: { d: 1s, release: 1s }
peers:
  phones: { from: [192.0.2.11], answer-when-full: 503 }
emergency: { numbers: ["+3112"] }
pools:
""" + "\n".join([
    pool("drain", 6901), pool("maint", 6902, failover="{ attempts: 2, after: 5s, after-max: 10s }"),
    pool("set", 6903, gateway="max-calls: 50"), pool("probed", 6904, hosts=(23,), health=PROBED),
]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(
    ("drain", "maint", "set", "probed"), 1))


def gateways_of(family, port, hosts=(21, 22)):
    return [family.peer("gateways", host, port) for host in hosts]


def weirctl_waits(family, *words):
    """weirctl in the background, its stdout to be read."""
    return subprocess.Popen([WEIRCTL, "-s", family.weir.socket, *words], stdout=subprocess.PIPE, text=True)


def test_g10_drain_waits_for_the_last_call(family, caller):
    """No new call comes, calls that run go on and end as ever, and --wait returns with the last of them."""
    gateways = gateways_of(family, 6901)
    phones = [Phone(caller, gateways, "sip:+1555@pstn.test").answer() for _ in range(16)]
    mine = [phone for phone in phones if phone.gateway is gateways[0]]
    assert 0 < len(mine) < 16, "the hash left one gateway out"
    mine.pop().end()  # how long calls last is known from now on
    waiting = weirctl_waits(family, "drain", "drain-21", "--wait")
    try:
        until(lambda: family.weir.ask("show", "gateway", "drain-21")["admin"] == "drain", 3, "not drained")
        assert all(Phone(caller, gateways, "sip:+1555@pstn.test").refuse(486) is None for _ in range(6))
        late = Phone(caller, gateways, "sip:+1555@pstn.test").answer()
        assert late.gateway is gateways[1], "a new call came to a drained gateway"
        assert waiting.poll() is None
        assert family.weir.weirctl("drain", "drain-21", "--wait", "--within", "0.2")[0] == 4
        for phone in mine:
            phone.end()
        out, _ = waiting.communicate(timeout=10)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0 and out.startswith("drain-21 of pool drain: up, drained")
    assert f"drain-21: {len(mine)} calls left, about " in out and "drain-21: 0 calls left" in out
    for phone in phones:
        if phone.gateway is gateways[1]:
            phone.end()
    late.end()
    assert family.weir.weirctl("ready", "drain-21")[0] == 0
    back = [Phone(caller, gateways, "sip:+1555@pstn.test") for _ in range(16)]
    assert {phone.gateway for phone in back} == set(gateways), "nothing new came after `ready`"
    for phone in back:
        phone.refuse(486)


def test_g10_maint_moves_what_is_unanswered(family, caller):
    """A call that rings nowhere yet is set up on the other gateway at once; one that runs goes on."""
    gateways = gateways_of(family, 6902)
    phones = [Phone(caller, gateways, "sip:+2555@pstn.test") for _ in range(16)]
    running = next(phone for phone in phones if phone.gateway is gateways[0]).answer()
    silent = [phone for phone in phones if phone.gateway is gateways[0] and phone is not running]
    assert silent, "the hash left one gateway out"
    assert family.weir.weirctl("maint", "maint-21")[0] == 0
    try:
        assert family.weir.ask("show", "gateway", "maint-21")["state"] == "maint"
        assert family.weir.metric("weir_gateway_state", gateway="maint-21", state="maint") == 1
        moved = {}

        def all_moved():
            moved.update({m.get("call-id"): m for m in gateways[1].pending() if m.method == "INVITE"})
            return all(phone.setup.call_id in moved for phone in silent)
        until(all_moved, 3, "unanswered calls stay at a gateway under maintenance")
        for phone in silent:
            phone.gateway, phone.invite = gateways[1], moved[phone.setup.call_id]
        for phone in phones:
            if phone is not running:
                phone.refuse(480)
        running.end()
    finally:
        assert family.weir.weirctl("ready", "maint-21")[0] == 0


def test_g10_maint_stops_probes(family):
    gateway = family.peer("gateways", 23, 6904)

    gateway.answer(gateway.request("OPTIONS"), 200, "OK")
    assert family.weir.weirctl("maint", "probed-23")[0] == 0
    gateway.pending()  # one may have been under way
    with pytest.raises(TimeoutError):
        gateway.request("OPTIONS", 1)  # five intervals
    assert family.weir.ask("show", "gateway", "probed-23")["state"] == "maint"
    assert family.weir.weirctl("ready", "probed-23")[0] == 0
    gateway.request("OPTIONS", 5)


def test_g9_the_node_drains(family, caller):
    """
    503 with Retry-After to OPTIONS and new calls; a call that runs goes on, and an emergency call is taken; /readyz
    tells orchestrators.
    """
    gateways = gateways_of(family, 6903)
    running = Phone(caller, gateways, "sip:+3555@pstn.test").answer()
    assert family.weir.weirctl("drain", "node", "30")[0] == 0
    try:
        caller.send(caller.make("OPTIONS", "sip:192.0.2.10"))
        asked = caller.response(503)
        assert 30 <= int(asked.get("retry-after")) <= 60
        refused = Phone(caller, gateways, "sip:+3555@pstn.test").refusal
        assert refused.status == 503 and 30 <= int(refused.get("retry-after")) <= 60
        Phone(caller, gateways, "sip:+3112@pstn.test").answer().end()
        assert family.weir.metrics_text("/readyz")[0] == 503 and family.weir.metrics_text("/healthz")[0] == 200
        waiting = weirctl_waits(family, "drain", "node", "--wait")
        running.end()
        out, _ = waiting.communicate(timeout=10)
        assert waiting.returncode == 0 and "node: 0 calls left" in out
    finally:
        assert family.weir.weirctl("ready", "node")[0] == 0
    caller.send(caller.make("OPTIONS", "sip:192.0.2.10"))
    caller.response(200)
    assert family.weir.metrics_text("/readyz")[0] == 200


def test_set_is_in_force_at_once(family, caller):
    """Weight and max-calls by hand, marked in show, taken back with `config`."""
    gateways = gateways_of(family, 6903)
    assert family.weir.weirctl("set", "set-22", "weight", "0")[0] == 0
    phones = [Phone(caller, gateways, "sip:+3555@pstn.test") for _ in range(4)]
    assert {phone.gateway for phone in phones} == {gateways[0]}
    assert family.weir.weirctl("set", "set-21", "max-calls", "4")[0] == 0
    refused = Phone(caller, gateways, "sip:+3555@pstn.test")
    assert refused.refusal.status == 503
    said = family.weir.ask("why", refused.setup.call_id)["decisions"]
    assert len(said) == 1 and said[0]["outcome"] == "reply" and said[0]["gateway"] is None and said[0]["pool"] == "set"
    assert {(a["gateway"], a["stopped_by"]) for a in said[0]["asked"]} <= {("set-21", "max-calls")}
    assert family.weir.ask("why", phones[0].setup.call_id)["decisions"][0]["gateway"] == "set-21"
    code, out, _ = family.weir.weirctl("show", "gateways", "set")
    assert code == 0 and " 4* " in out and " 0* " in out and "set since the start" in out
    assert family.weir.ask("show", "gateway", "set-21")["config"] == {"max-calls": 50}
    for name, key in (("set-21", "max-calls"), ("set-22", "weight")):
        assert family.weir.weirctl("set", name, key, "config")[0] == 0
    assert "config" not in family.weir.ask("show", "gateway", "set-21")
    more = [Phone(caller, gateways, "sip:+3555@pstn.test") for _ in range(16)]
    assert {phone.gateway for phone in more} == set(gateways)
    for phone in phones + more:
        phone.refuse(486)
    assert [e["kind"] for e in family.weir.ask("events")["events"]].count("set") == 4
