# SPDX-License-Identifier: BSD-3-Clause
"""OPTIONS probes, gateways that fall silent and come back, and what the operator says of them (G8, G9, G10)."""
import collections
import re
import time

import pytest

from conftest import pool
from lab.net import until

HEALTH = "{ method: OPTIONS, interval: 300ms, timeout: 200ms, down-after: 3, up-after: 2 }"
CONFIG = """
peers:
  callers: { from: [192.0.2.0/24], answer-when-full: 503+retry-after }
pools:
""" + pool("probed", 5501, hosts=(21, 22, 23), health=HEALTH) + "\n" + pool("lonely", 5502, hosts=(24,), health=HEALTH) \
    + "\n" + pool("drained", 5503, hosts=(21, 22)) + "\n" + pool("six", 5504, hosts=(25,), v6=True, health=HEALTH) + """
routes:
  - { match: { number: "+1" }, pool: probed }
  - { match: { number: "+2" }, pool: lonely }
  - { match: { number: "+3" }, pool: drained }
  - { match: { number: "+6" }, pool: six }
"""


def gateway_row(family, name):
    return next(row for row in family.weir.ask("show", "gateways")["gateways"] if row["name"] == name)


def state(family, name):
    return gateway_row(family, name)["state"]


class Responder:
    """A raw gateway that answers probes when asked to, and tells which calls reached it."""

    def __init__(self, family, host, port, v6=False):
        self.peer = family.peer("gateways", host, port, v6)
        self.alive, self.probes, self.calls = True, [], []

    def serve(self):
        for message in self.peer.pending():
            if message.method == "OPTIONS":
                self.probes.append(message)
                if self.alive:
                    self.peer.answer(message, 200, "OK", tag="g")
            elif message.method == "INVITE":
                self.calls.append(message.get("call-id"))
                self.peer.answer(message, 486, "Busy Here", tag="g")
        return self


@pytest.fixture
def three(family):
    """The three gateways of the pool `probed`, all up."""
    responders = [Responder(family, host, 5501) for host in (21, 22, 23)]
    wait(family, responders, lambda: all(state(family, f"probed-{host}") == "up" for host in (21, 22, 23)), "up")
    yield responders


def wait(family, responders, condition, what):
    def step():
        for responder in responders:
            responder.serve()
        return condition()
    until(step, 8, what)


def place(family, responders, call_ids, uri="sip:+15551234@pstn.test"):
    """Offer a new call for each Call-ID; give Call-ID -> index of the gateway it reached."""
    caller = family.peer("callers", 11)
    for responder in responders:
        responder.serve()
        responder.calls.clear()
    placed = {}
    for call_id in call_ids:
        caller.send(caller.make("INVITE", uri, call_id=call_id))
    answers = set()

    def all_answered():
        for responder in responders:
            responder.serve()
        answers.update(m.get("call-id") for m in caller.pending() if m.status >= 200)
        return len(answers) == len(call_ids)
    until(all_answered, 8, lambda: f"{len(answers)} of {len(call_ids)} answered")
    for index, responder in enumerate(responders):
        for call_id in responder.calls:
            placed[call_id] = index
    return placed


@pytest.mark.flow("G8")
def test_probe_is_a_proper_options(family, three):
    wait(family, three, lambda: three[0].probes, "probe")
    probe = three[0].probes[-1]
    assert probe.uri == "sip:198.51.100.21:5501" and probe.get("max-forwards") == "70"
    assert "198.51.100.10" in probe.get("contact") and "198.51.100.10" in probe.get("from") and probe.tag("from")
    assert probe.via_param("branch").startswith("z9hG4bK") and probe.get("cseq").endswith("OPTIONS")
    assert probe.tag("to") is None and probe.get("content-length") == "0"


@pytest.mark.flow("G8")
def test_probes_carry_jitter(family, three):
    """Probes of three gateways with one interval do not leave at the same moment for ever."""
    stamps = collections.defaultdict(list)
    counts = [len(r.probes) for r in three]

    def enough():
        for i, responder in enumerate(three):
            if len(responder.probes) > counts[i]:
                counts[i] = len(responder.probes)
                stamps[i].append(time.monotonic())
        return all(len(stamps[i]) >= 6 for i in range(3))
    wait(family, three, enough, "six probes each")
    gaps = [[b - a for a, b in zip(times, times[1:])] for times in stamps.values()]
    assert all(0.2 < sum(each) / len(each) < 0.5 for each in gaps), "the interval in the mean"
    assert max(max(each) - min(each) for each in gaps) > 0.005, "but not to the millisecond"


@pytest.mark.flow("G4")
def test_down_and_back_moves_only_its_own_share(family, three):
    call_ids = [f"share-{n}@callers.test" for n in range(150)]
    before = place(family, three, [c + "1" for c in call_ids])
    three[1].alive = False
    wait(family, three, lambda: state(family, "probed-22") == "down", "down")
    during = place(family, three, [c + "1" for c in call_ids])
    assert 1 not in during.values()
    assert all(during[c] == gw for c, gw in before.items() if gw != 1), "the survivors keep their calls"
    moved = collections.Counter(during[c] for c, gw in before.items() if gw == 1)
    assert set(moved) == {0, 2}, "its share is spread over both survivors"
    three[1].alive = True
    wait(family, three, lambda: state(family, "probed-22") == "up", "up again")
    assert place(family, three, [c + "1" for c in call_ids]) == before


@pytest.mark.flow("G6")
def test_silent_only_gateway_means_503(family):
    responder = Responder(family, 24, 5502)
    responder.alive = False
    wait(family, [responder], lambda: state(family, "lonely-24") == "down", "down")
    caller = family.peer("callers", 11)
    caller.send(caller.make("INVITE", "sip:+25551234@pstn.test"))
    refusal = caller.response()
    assert refusal.status == 503 and int(refusal.get("retry-after")) >= 1
    responder.alive = True
    wait(family, [responder], lambda: state(family, "lonely-24") == "up", "up")
    assert place(family, [responder], ["again@callers.test"], "sip:+25551234@pstn.test")


@pytest.mark.flow("G8")
@pytest.mark.parametrize("status", [404, 503])
def test_any_answer_is_a_sign_of_life(family, status):
    """UP and DOWN only: a gateway that refuses OPTIONS is not dead."""
    responder = Responder(family, 24, 5502)
    wait(family, [responder], lambda: state(family, "lonely-24") == "up", "up")
    seen = 0

    def refused_often():
        nonlocal seen
        for message in responder.peer.pending():
            if message.method == "OPTIONS":
                responder.peer.answer(message, status, tag="g")
                seen += 1
        return seen >= 5
    until(refused_often, 8, "five probes")
    assert state(family, "lonely-24") == "up"


@pytest.mark.flow("G8")
def test_probes_over_ipv6(family):
    responder = Responder(family, 25, 5504, v6=True)
    wait(family, [responder], lambda: state(family, "six-25") == "up" and responder.probes, "up over IPv6")
    probe = responder.probes[-1]
    assert probe.uri == "sip:[2001:db8:2::25]:5504" and "[2001:db8:2::10]" in probe.get("contact")


def test_drain_and_ready(family):
    """Drained: no new calls, but what it has goes on."""
    gateways = [Responder(family, host, 5503) for host in (21, 22)]
    caller = family.peer("callers", 11)
    uri = "sip:+35551234@pstn.test"
    call_ids = [f"drain-{n}@callers.test" for n in range(40)]
    before = place(family, gateways, [c + "a" for c in call_ids], uri)
    assert set(before.values()) == {0, 1}
    # A call that runs on the gateway to be drained.
    invite = next(text for text in (caller.make("INVITE", uri, call_id=c + "b") for c in call_ids)
                  if before_index(family, caller, gateways, text) == 0)
    request = gateways[0].request
    gateways[0].peer.answer(request, 200, "OK", tag="run")
    ok = caller.response(200)
    code, out, err = family.weir.weirctl("drain", "drained-21")
    assert code == 0, out + err
    assert gateway_row(family, "drained-21")["state"] == "drain"
    during = place(family, gateways, [c + "c" for c in call_ids], uri)
    assert set(during.values()) == {1}
    routes = "".join(f"Route: {r}\n" for r in reversed(ok.all("record-route")))
    caller.send(caller.make("BYE", f"sip:{gateways[0].peer.hostport}", routes, frm=ok.get("from"), to=ok.get("to"),
                            call_id=ok.get("call-id"), cseq="2 BYE"))
    assert gateways[0].peer.request("BYE")
    assert family.weir.weirctl("ready", "drained-21")[0] == 0
    after = place(family, gateways, [c + "a" for c in call_ids], uri)
    assert after == before, "the same Call-IDs are at home again"


def before_index(family, caller, gateways, text):
    """Send an INVITE and give the index of the gateway that got it, which keeps it as `request`."""
    caller.send(text)
    call_id = re.search("Call-ID: (.*)", text).group(1)
    found = None

    def arrived():
        nonlocal found
        for index, gateway in enumerate(gateways):
            for message in gateway.peer.pending():
                if message.get("call-id") == call_id:
                    gateway.request, found = message, index
        return found is not None
    until(arrived, 3, "INVITE at no gateway")
    return found
