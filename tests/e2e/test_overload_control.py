# SPDX-License-Identifier: BSD-3-Clause
"""
Overload control on the wire, both ways (RFC 7339, RFC 7415): gateways are asked and obeyed, callers that ask are told,
and neither side sees what the other said.
"""
import copy
import re

import pytest

from conftest import pool
from lab.net import until

PORT = 5801
CONFIG = """
peers:
  trunk: { from: [192.0.2.11] }
  asking: { from: [192.0.2.12] }
pools:
""" + pool("obeyed", PORT, hosts=(21,), health="{ method: OPTIONS, interval: 300ms, timeout: 200ms, down-after: 100 }") + "\n" \
    + pool("off", PORT + 1, hosts=(21,), overload="{ oc: off }") + "\n" \
    + pool("full", PORT + 2, hosts=(21,), gateway="max-cps: 1/s") + """
routes:
  - { match: { number: "+1" }, pool: obeyed }
  - { match: { number: "+2" }, pool: off }
  - { match: { number: "+3" }, pool: full }
"""
ASK = ';oc;oc-algo="loss,rate"'
TOLD = re.compile(r';oc=(\d+);oc-algo="loss";oc-validity=(\d+);oc-seq=(\d+\.\d{3})$')


def say(gateway, request, status, oc):
    """Answer with these parameters in place of those that asked."""
    request = copy.copy(request)
    (name, via), *rest = request.headers
    assert name == "via" and via.endswith(ASK), via
    request.headers = [(name, via.removesuffix(ASK) + oc), *rest]
    gateway.answer(request, status, tag="g")


def congestion(family):
    shown = family.weir.ask("show", "congestion")["gateways"]
    return next(g for g in shown if g["name"] == "obeyed-21")["oc"]


@pytest.fixture
def gateway(family):
    return family.peer("gateways", 21, PORT)


@pytest.mark.flow("G5")
@pytest.mark.parametrize("algo,value", [("loss", 100), ("rate", 0)])
def test_gateway_is_asked_and_obeyed(family, gateway, algo, value):
    caller = family.peer("callers", 11)
    seq = {"loss": 1700000000, "rate": 1700000100}[algo]
    say(gateway, gateway.request("OPTIONS"), 200, f';oc={value};oc-algo="{algo}";oc-validity=60000;oc-seq={seq}.5')
    until(lambda: congestion(family), 3, "nothing heard")
    assert {"loss": "100% less", "rate": "0/s"}[algo] in family.weir.weirctl("show", "congestion")[1]
    assert congestion(family)["algorithm"] == algo and congestion(family)["value"] == value
    caller.send(caller.make("INVITE", "sip:+15551234@pstn.test"))
    assert caller.response().status == 503
    # what is older is ignored, whichever worker hears it; the end of it is not

    def stale():
        say(gateway, gateway.request("OPTIONS"), 200, f';oc=0;oc-algo="loss";oc-validity=0;oc-seq={seq}.10')
        return family.weir.metric("weir_gateway_oc_total", gateway="obeyed-21", result="stale") > before
    before = family.weir.metric("weir_gateway_oc_total", gateway="obeyed-21", result="stale")
    until(stale, 20, "not stale", step=0)
    assert congestion(family)
    say(gateway, gateway.request("OPTIONS"), 200, f';oc=0;oc-algo="loss";oc-validity=0;oc-seq={seq}.51')
    until(lambda: not congestion(family), 3, "not over")
    caller.send(caller.make("INVITE", "sip:+15551234@pstn.test"))
    invite = gateway.request("INVITE")
    assert invite.all("via")[0].endswith(ASK)
    say(gateway, invite, 486, ';oc=0;oc-algo="loss";oc-validity=0')
    assert gateway.request("ACK").all("via")[0].endswith(ASK)
    assert ";oc" not in caller.response(486).get("via")


@pytest.mark.flow("G5")
def test_gateway_of_a_pool_without_is_not_asked(family):
    caller, gateway = family.peer("callers", 11), family.peer("gateways", 21, PORT + 1)
    caller.send(caller.make("INVITE", "sip:+25551234@pstn.test"))
    invite = gateway.request("INVITE")
    assert ";oc" not in "".join(invite.all("via"))
    request = copy.copy(invite)
    request.headers = [(n, v + ';oc=100;oc-algo="loss";oc-validity=60000;oc-seq=1.1' if i == 0 else v)
                       for i, (n, v) in enumerate(invite.headers)]
    gateway.answer(request, 486, tag="g")
    caller.response(486)
    assert family.weir.metric("weir_gateway_oc_total", gateway="off-21", result="ignored") == 1
    caller.send(caller.make("INVITE", "sip:+25551234@pstn.test"))
    gateway.request("INVITE")


@pytest.mark.flow("G5")
def test_caller_that_asks_is_told(family):
    """From the first 100 on; the refusal says no Retry-After, and when nothing is refused, all is well again."""
    caller, gateway = family.peer("callers", 12), family.peer("gateways", 21, PORT + 2)
    sequences = []

    def told(message):
        value, validity, seq = TOLD.search(message.get("via")).groups()
        assert (int(value) == 0) == (validity == "0")
        assert float(seq) >= max(sequences, default=0), "sequences never fall"
        sequences.append(float(seq))
        return int(value)

    def invite(n=0):
        via = f'SIP/2.0/UDP {caller.hostport};branch=z9hG4bK-oc-{n}-{len(sequences)};rport;oc;oc-algo="loss"'
        caller.send(caller.make("INVITE", "sip:+35551234@pstn.test", via=via))
        return caller.receive(where=lambda m: m.status)

    first = invite()
    assert first.status == 100 and told(first) == 0
    request = gateway.request("INVITE")
    assert ";oc" not in request.all("via")[1]
    gateway.answer(request, 486, tag="g")
    assert told(caller.response(486)) == 0

    def slowed():
        answer = invite()
        if answer.status == 503:
            assert answer.get("retry-after") is None
        return told(answer) >= 50
    until(slowed, 10, "never told to slow down", step=0.01)
    gateway.end_calls()

    def at_ease():
        via = f'SIP/2.0/UDP {caller.hostport};branch=z9hG4bK-oq-{len(sequences)};rport;oc;oc-algo="loss"'
        caller.send(caller.make("OPTIONS", "sip:192.0.2.10", via=via))
        return told(caller.receive(where=lambda m: m.status == 200)) == 0
    until(at_ease, 10, "never told that all is well", step=0.1)
