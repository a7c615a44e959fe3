# SPDX-License-Identifier: BSD-3-Clause
"""OPTIONS probes, gateways that fall silent and come back, and what the operator says of them (G8, G9, G10)."""
import collections
import re
import time

import pytest

from conftest import pool
from lab.net import until

HEALTH = "{ method: OPTIONS, interval: 300ms, timeout: 200ms, down-after: 8, up-after: 2 }"
UNLEARNED = "{ learn: off }"  # these gateways live in the test itself: how fast they answer says nothing
CONFIG = """
peers:
  callers: { from: [192.0.2.0/24], answer-when-full: 503+retry-after }
pools:
""" + "\n".join([
    pool("probed", 5501, hosts=(21, 22, 23), health=HEALTH, overload=UNLEARNED),
    pool("lonely", 5502, hosts=(24,), health=HEALTH, overload=UNLEARNED),
    pool("patient", 5507, hosts=(24,), health=HEALTH.replace("8", "100"), overload=UNLEARNED),  # up before its responder is there
    pool("busy", 5505, hosts=(21, 22), health="{ interval: 5s, down-after: 9 }", overload=UNLEARNED),
    pool("blind", 5506, hosts=(21, 22), overload=UNLEARNED),
    pool("drained", 5503, hosts=(21, 22), overload=UNLEARNED),
    pool("six", 5504, hosts=(25,), v6=True, health=HEALTH, overload=UNLEARNED),
]) + """
routes:
  - { match: { number: "+1" }, pool: probed }
  - { match: { number: "+2" }, pool: lonely }
  - { match: { number: "+3" }, pool: drained }
  - { match: { number: "+5" }, pool: busy }
  - { match: { number: "+65" }, pool: blind }
  - { match: { number: "+7" }, pool: patient }
  - { match: { number: "+6" }, pool: six }
"""


def gateway_row(family, name):
    return next(row for row in family.weir.ask("show", "gateways")["gateways"] if row["name"] == name)


def state(family, name):
    return gateway_row(family, name)["state"]


class Responder:
    """A raw gateway that answers probes when asked to, and tells which calls reached it. `mute`: it takes nothing at all."""

    def __init__(self, family, host, port, v6=False):
        self.peer = family.peer("gateways", host, port, v6)
        self.alive, self.mute, self.status, self.probes, self.calls = True, False, 200, [], []

    def serve(self):
        for message in self.peer.pending():
            if message.method == "OPTIONS":
                self.probes.append(message)
                if self.alive and not self.mute:
                    self.peer.answer(message, self.status, "Said", tag="g")
            elif message.method == "INVITE" and not self.mute:
                self.calls.append(message.get("call-id"))
                self.peer.answer(message, 486, "Busy Here", tag="g")
        return self


@pytest.fixture
def three(family):
    """The three gateways of the pool `probed`, which answer probes."""
    responders = [Responder(family, host, 5501) for host in (21, 22, 23)]
    wait(family, responders, lambda: all(state(family, f"probed-{host}") != "down" for host in (21, 22, 23)), "back")
    yield responders


def wait(family, responders, condition, what):
    def step():
        for responder in responders:
            responder.serve()
        return condition()
    until(step, 8, what)


def place(family, responders, call_ids, uri="sip:+15551234@pstn.test"):
    """
    Offer a new call for each Call-ID; give Call-ID -> index of the gateway it reached. Not all at once: with more than 32
    unanswered calls at each gateway their number counts, too, and not the hash alone.
    """
    caller = family.peer("callers", 11)
    answers, calls = set(), list(call_ids)
    for responder in responders:
        responder.serve()
        responder.calls.clear()

    def answered():
        for responder in responders:
            responder.serve()
        answers.update(m.get("call-id") for m in caller.pending() if m.status >= 200)
        return answers.issuperset(batch)
    for first in range(0, len(calls), 30):
        batch = calls[first:first + 30]
        for call_id in batch:
            caller.send(caller.make("INVITE", uri, call_id=call_id))
        until(answered, 8, lambda: f"{len(answers)} of {len(calls)} answered")
    mine = set(calls)  # a stream's calls may still come
    return {call_id: index for index, responder in enumerate(responders) for call_id in responder.calls if call_id in mine}


class Stream:
    """New calls, one every 20 ms as long as step() is called; tells how many reached which gateway in which state of `name`."""

    def __init__(self, family, responders, name, uri="sip:+15551234@pstn.test"):
        self.family, self.responders, self.name, self.uri = family, responders, name, uri
        self.caller = family.peer("callers", 12)
        self.offered, self.next = 0, time.monotonic()
        self.calls = collections.defaultdict(collections.Counter)  # state -> index of the gateway -> calls
        self.since = collections.defaultdict(float)
        self.answers = collections.Counter()

    def step(self):
        now = time.monotonic()
        if now >= self.next:
            self.next = now + 0.02
            self.offered += 1
            self.caller.send(self.caller.make("INVITE", self.uri, call_id=f"stream-{self.name}-{self.offered}-{now}"))
        before = [len(r.calls) for r in self.responders]
        for responder in self.responders:
            responder.serve()
        state_now = state(self.family, self.name)
        self.since[state_now] = self.since[state_now] or now
        for index, responder in enumerate(self.responders):
            self.calls[state_now][index] += len(responder.calls) - before[index]
        self.answers.update(m.status for m in self.caller.pending() if m.status >= 200)
        return state_now

    def until(self, wanted, seconds):
        until(lambda: self.step() == wanted, seconds, lambda: f"{self.name} is {state(self.family, self.name)}, not {wanted}")


# These two come first: they begin with gateways that have not been missed yet.

@pytest.mark.flow("G4")
def test_down_and_back_moves_only_its_own_share(family, three):
    stream = Stream(family, three, "probed-22")
    for host in (21, 22, 23):
        until(lambda: stream.step() and state(family, f"probed-{host}") == "up", 30, f"{host} is not up")
    call_ids = [f"share-{n}@callers.test" for n in range(150)]
    before = place(family, three, [c + "1" for c in call_ids])
    three[1].alive = False
    wait(family, three, lambda: state(family, "probed-22") == "down", "down")
    during = place(family, three, [c + "1" for c in call_ids])
    assert 1 not in during.values()
    assert all(during[c] == gw for c, gw in before.items() if gw != 1), "the survivors keep their calls"
    moved = collections.Counter(during[c] for c, gw in before.items() if gw == 1)
    assert set(moved) == {0, 2}, "its share is spread over both survivors"
    # Back by steps, each earned with calls: a trickle, then ever more; nobody is refused meanwhile.
    three[1].alive = True
    stream = Stream(family, three, "probed-22")
    stream.until("slowstart", 15)
    trickle = time.monotonic() - stream.since["probing"]
    assert 2 <= stream.calls["probing"][1] <= trickle + 2, "one call a second while it is tried"
    assert stream.calls["probing"][0] + stream.calls["probing"][2] > 3 * stream.calls["probing"][1]
    burst = place(family, three, [f"burst-{n}@callers.test" for n in range(150)])
    assert list(burst.values()).count(1) <= 20, "and not its whole share at once when they were answered"
    stream.until("up", 20)
    assert set(stream.answers) == {486}
    assert place(family, three, [c + "1" for c in call_ids]) == before


@pytest.mark.flow("G4")
def test_down_under_traffic_in_three_seconds(family):
    """Probes every 5 s would take much longer: what the calls say counts."""
    responders = [Responder(family, host, 5505) for host in (21, 22)]
    stream = Stream(family, responders, "busy-21", "sip:+55551234@pstn.test")
    until(lambda: stream.step() and stream.answers[486] > 50, 8, "calls")
    responders[0].mute, began = True, time.monotonic()
    stream.until("down", 5)
    assert time.monotonic() - began < 3
    stream.step()
    events = family.weir.ask("events")["events"]
    assert any(e["subject"] == "busy-21" and e["kind"] == "gateway-down" and "calls wait" in e["text"] for e in events)
    # Every call that had no answer goes to the other one.
    until(lambda: stream.step() and stream.answers[486] >= stream.offered - 5, 8, lambda: f"{stream.answers} of {stream.offered}")
    assert set(stream.answers) == {486}


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


@pytest.mark.flow("G6")
def test_silent_only_gateway_means_503_until_it_is_back(family):
    """Probes bring it back, and as there is nobody else, the first calls that it answers do the rest at once."""
    responder = Responder(family, 24, 5502)
    responder.alive = False
    wait(family, [responder], lambda: state(family, "lonely-24") == "down", "down")
    caller = family.peer("callers", 11)
    caller.send(caller.make("INVITE", "sip:+25551234@pstn.test"))
    refusal = caller.response()
    assert refusal.status == 503 and int(refusal.get("retry-after")) >= 1
    responder.alive = True
    wait(family, [responder], lambda: state(family, "lonely-24") == "probing", "probing")
    assert place(family, [responder], ["again@callers.test"], "sip:+25551234@pstn.test")
    stream = Stream(family, [responder], "lonely-24", "sip:+25551234@pstn.test")
    began = time.monotonic()
    stream.until("slowstart", 5)
    assert time.monotonic() - began < 3, "the trickle grows where nobody is well"


@pytest.mark.flow("G8")
def test_refused_probes_say_alive_or_full(family):
    """404 is a sign of life like any other; 503 says that it is full: it is called saturated and still gets calls."""
    responder = Responder(family, 24, 5507)
    stream = Stream(family, [responder], "patient-24", "sip:+75551234@pstn.test")
    stream.until("up", 20)
    responder.status = 404
    seen = len(responder.probes)
    until(lambda: stream.step() and len(responder.probes) >= seen + 4, 8, "four probes")
    assert state(family, "patient-24") == "up"
    responder.status = 503
    stream.until("saturated", 5)
    took = stream.calls["saturated"][0]
    until(lambda: stream.step() and stream.calls["saturated"][0] > took + 5, 8, "calls go on")
    assert family.weir.metric("weir_gateway_state", gateway="patient-24", state="saturated") == 1
    responder.status = 200
    stream.until("up", 40)  # SLOWSTART lasts 30 s at most


@pytest.mark.flow("G6")
def test_without_probes_calls_alone_bring_it_back(family):
    responders = [Responder(family, host, 5506) for host in (21, 22)]
    stream = Stream(family, responders, "blind-22", "sip:+65551234@pstn.test")
    responders[1].mute = True
    stream.until("down", 8)
    responders[1].mute = False
    stream.until("slowstart", 15)
    assert set(stream.answers) == {486}


@pytest.mark.flow("G8")
def test_probes_over_ipv6(family):
    responder = Responder(family, 25, 5504, v6=True)
    wait(family, [responder], lambda: state(family, "six-25") != "down" and responder.probes, "probed over IPv6")
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
