# SPDX-License-Identifier: BSD-3-Clause
"""Calls and requests from callers to gateways: flows C1-C9, C15, C16, G2, A1, A2, A7, A8. Every B counts what it saw."""
import pytest

import flows
from conftest import WEIR, hostport, ip_of, pool

# name: (number prefix, port, gateways speak IPv6, ladder)
CALLS = {
    "c1": ("+8201", 5101, False, flows.BASIC),
    "c1-6": ("+8202", 5102, True, flows.BASIC),
    "c1-bye-by-b": ("+8203", 5103, False, flows.HANG_UP_BY_B),
    "c1-bye-by-b-6": ("+8204", 5104, True, flows.HANG_UP_BY_B),
    "c2-bye-by-a": ("+8205", 5105, False, flows.VOLTE_A),
    "c2-bye-by-b": ("+8206", 5106, False, flows.VOLTE_B),
    "c2-update-by-b": ("+8207", 5107, False, flows.EARLY_UPDATE_B),
    "c3": ("+8208", 5108, False, flows.MANY_PROVISIONALS),
    "c4": ("+8209", 5109, False, flows.SESSION_CHANGE),
    "c4-6": ("+8210", 5110, True, flows.SESSION_CHANGE),
    "c6-cancel": ("+8211", 5111, False, flows.CANCELLED),
    "c6-480": ("+8212", 5112, False, flows.REFUSED.format(code=480, extra="")),
    "c7-486": ("+8213", 5113, False, flows.REFUSED.format(code=486, extra="")),
    "c7-600": ("+8214", 5114, False, flows.REFUSED.format(code=600, extra="")),
    "c7-603": ("+8215", 5115, False, flows.REFUSED.format(code=603, extra="")),
    "c8": ("+8216", 5116, False, flows.REFUSED.format(
        code=488, extra='sdp / Warning: 304 pstn.test "no" | Warning: 304 pstn.test "no" | body: m=audio')),
    "c9": ("+8217", 5117, False, flows.REFUSED.format(
        code=302, extra="/ Contact: <sip:other@pstn.test>;q=0.5 | Contact: .")),
    "c15": ("+8218", 5118, False, flows.AUTHENTICATED),
    "a2-options": ("+8219", 5119, False, flows.ONE_REQUEST.format(method="OPTIONS", words="")),
    "a2-message": ("+8220", 5120, False, flows.ONE_REQUEST.format(method="MESSAGE", words="text | body: ^Watson, come")),
    "a2-publish": ("+8221", 5121, False, flows.ONE_REQUEST.format(method="PUBLISH", words="/ Event: presence")),
    "a2-info": ("+8222", 5122, False, flows.ONE_REQUEST.format(method="INFO", words="text")),
    "a2-subscribe": ("+8223", 5123, False, flows.SUBSCRIBED),
    "a2-subscribe-6": ("+8224", 5124, True, flows.SUBSCRIBED),
    "c1-no-routes-a": ("+8225", 5125, False, flows.NO_ROUTES_A),
    "c1-no-routes-b": ("+8226", 5126, False, flows.NO_ROUTES_B),
    "c3-forks": ("+8227", 5127, False, flows.FORKS.format(answers="f3")),
    "c3-other-fork": ("+8228", 5128, False, flows.FORKS.format(answers="f4")),
    "c3-183-only": ("+8229", 5129, False, flows.PROGRESS_ONLY),
    "c3-200-only": ("+8230", 5130, False, flows.ANSWERED_AT_ONCE),
    "c6-408": ("+8231", 5131, False, flows.REFUSED.format(code=408, extra="")),
    "a3-refer-by-b": ("+8232", 5132, False, flows.REFERRED),
    "a3-refer-by-a": ("+8233", 5133, False, flows.REFERRED_A),
    "a4": ("+8234", 5134, False, flows.SESSION_TIMER),
    "a4-6": ("+8235", 5135, True, flows.SESSION_TIMER),
}
# Callers of the other address family than the gateways (A8): name: (number, port, IPv6 gateways, ladder)
MIXED = {
    "a8": ("+8240", 5140, True, flows.BASIC),
    "a8-bye-by-b": ("+8241", 5141, True, flows.HANG_UP_BY_B),
    "a8-back": ("+8242", 5142, False, flows.HANG_UP_BY_B),
    "a8-volte": ("+8243", 5143, True, flows.VOLTE_B),
    "a8-change": ("+8244", 5144, True, flows.SESSION_CHANGE),
}
# One of two gateways answers 503 (G2): name: (number, port, IPv6)
REFUSERS = {"g2": ("+8245", 5145, False), "g2-6": ("+8246", 5146, True)}
# Every final code of RFC 3261 section 21 but 401, 407 (C15) and 503 (the pool's affair).
FINALS = [300, 301, 302, 305, 380, 400, 402, 403, 404, 405, 406, 408, 410, 413, 414, 415, 416, 420, 421, 423, 480, 481,
          482, 483, 484, 485, 486, 487, 488, 491, 493, 500, 501, 502, 504, 505, 513, 600, 603, 604, 606]
FINAL_NUMBER, FINAL_PORT = "+8250", 5150

EVERY = CALLS | MIXED | REFUSERS


def pool_of(name):
    """Every call of REFUSERS goes to .21 first, and the other one has them all in the end."""
    _, port, v6, *_ = EVERY[name]
    text = pool(name, port, v6=v6)
    return text.replace(f"{name}-22: {{", f"{name}-22: {{ tier: 2,") if name in REFUSERS else text


CONFIG = """
peers:
  callers: { from: [192.0.2.0/24, "2001:db8:1::/64"] }
pools:
""" + "\n".join(map(pool_of, EVERY)) + "\n" \
    + "\n".join([pool(f"final-{code}", FINAL_PORT + i, hosts=(21,)) for i, code in enumerate(FINALS)]
                + [pool("registrars", 5149)]) + """
routes:
  - { match: { method: REGISTER }, pool: registrars }
""" + "\n".join(f'  - {{ match: {{ from: callers, number: "{number}" }}, pool: {name} }}'
                for name, (number, *_) in EVERY.items()) + "\n" \
    + "\n".join(f'  - {{ match: {{ number: "{FINAL_NUMBER}{code}" }}, pool: final-{code} }}' for code in FINALS)


def new_calls(family, gateway):
    return int(family.weir.metric("weir_gateway_new_calls_total", gateway=gateway))


@pytest.mark.parametrize("name", CALLS)
def test_flow(family, name):
    number, port, v6, ladder = CALLS[name]
    _, gateways = family.play(name, ladder, number + "55", port, v6=v6)
    if "INVITE" in ladder:  # Weir's count of new calls is the gateway's own
        per_call = 2 if name[:2] == "a4" or name == "c15" else 1
        for host, gateway in zip((21, 22), gateways):
            assert new_calls(family, f"{name}-{host}") == gateway.incoming * per_call


@pytest.mark.parametrize("name", MIXED)
def test_other_family(family, name):
    number, port, gw6, ladder = MIXED[name]
    family.play(name, ladder, number + "55", port, v6=not gw6, b6=gw6)


@pytest.mark.parametrize("name", REFUSERS)
def test_g2_503_in_bulk(family, name):
    """The gateway at .21 refuses whatever comes, the one at .22 takes it: nobody hears of a 503."""
    (number, port, v6), calls = REFUSERS[name], 10  # as many as `retry-budget` allows at once
    no, yes = family.ladder(flows.REFUSED.format(code=503, extra="")), family.ladder(flows.BASIC)
    refuser, taker = (family.sipp(family.gateways, (f"{name}.{host}", ladder.scenario("B")), ip_of("gateways", host, v6), port)
                      for host, ladder in ((21, no), (22, yes)))
    caller = family.sipp(family.callers, (f"{name}.A", yes.scenario("A")), ip_of("callers", 11, v6), port + 1000,
                         target=hostport(*WEIR["callers", v6]), calls=calls, rate=100,
                         keys={"uri": f"sip:{number}55@pstn.test", "from_uri": "sip:+15550100@callers.test"})
    code = caller.wait()
    refuser.stop()
    taker.stop()
    said = "".join(end.trouble() for end in (caller, refuser, taker))
    assert code == 0 and caller.successful == calls, said
    assert taker.incoming == taker.successful == calls, said
    assert refuser.successful == refuser.incoming > 0, said
    assert " 503 " not in caller.messages()


def test_a1_register(family):
    family.play("a1", flows.REGISTERED, "registrar", 5149, keys={"uri": "sip:pstn.test", "from_uri": "sip:joe@pstn.test"})


@pytest.mark.parametrize("code", FINALS)
def test_c16_final_code_relayed(family, code):
    ladder = flows.REFUSED.format(code=code, extra="")
    family.play(f"c16-{code}", ladder, f"{FINAL_NUMBER}{code}", FINAL_PORT + FINALS.index(code), hosts=(21,), calls=2)


def test_c5_calls_of_one_source_port(family):
    """C5: calls of one caller to one gateway at the same time are kept apart by their Call-IDs."""
    ladder = flows.BASIC.replace("A>B BYE", "A>B BYE pause=300")
    number, port, _, _ = CALLS["c1"]
    family.play("c5", ladder, number + "77", port, hosts=(21, 22), calls=100, rate=1000)
