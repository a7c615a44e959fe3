# SPDX-License-Identifier: BSD-3-Clause
"""
A gateway refuses, is mute, is gone: the call is set up on another, the caller sees nothing of it, and no call is set up
twice (G2, G4, G6, and what the caller's CANCEL and late answers do to a call that has moved).
"""
import collections
import signal
import time

import pytest

import flows
from conftest import WEIR, hostport, ip_of, pool
from lab.net import until
from lab.wire import Setup

FAST = {"failover": "{ attempts: 2, after: 350ms, after-max: 1200ms, retry-budget: 100% }"}
CONFIG = """
timers: { t1: 100ms, t2: 400ms, t4: 500ms, b: 3s, c: 5s, d: 1s, release: 1s, pin: 2s }
peers:
  callers: { from: [192.0.2.8/29, "2001:db8:1::/64"], answer-when-full: 503 }
pools:
""" + "\n".join([
    pool("two", 6101, **FAST), pool("two6", 6102, v6=True, **FAST),
    pool("on500", 6103, failover="{ attempts: 2, on: [500, 480], retry-budget: 100% }"),
    pool("progress", 6104, failover="{ attempts: 2, after: 300ms, progress: 400ms }"),
    pool("budget", 6105, failover="{ attempts: 2, retry-budget: 0% }"),
    pool("three", 6106, hosts=(21, 22, 23), failover="{ attempts: 3, after: 200ms, after-max: 400ms, retry-budget: 100% }"),
    pool("closed", 6107, hosts=(31, 32), **FAST), pool("killed", 6108),
    pool("watched", 6109, health="{ method: OPTIONS, interval: 500ms, timeout: 400ms, down-after: 3, up-after: 2 }",
         failover="{ attempts: 2, after: 3s, after-max: 4s }"),
]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(
    ("two", "two6", "on500", "progress", "budget", "three", "closed", "killed", "watched"), 1)) + """
"""
PORTS = {name: 6100 + n for n, name in enumerate(("", "two", "two6", "on500", "progress", "budget", "three", "closed", "killed",
                                                 "watched"))}


class Pair:
    """A caller, its INVITE to a pool, and the gateways in the order in which they were tried."""

    def __init__(self, family, name, hosts=(21, 22), v6=False):
        self.caller = family.peer("callers", 11, v6=v6)
        self.gateways = [family.peer("gateways", host, PORTS[name], v6) for host in hosts]
        self.setup = Setup(self.caller, f"sip:+{PORTS[name] - 6100}5551234@pstn.test")
        self.began = time.monotonic()
        self.invites = []

    def heard(self, gateway):
        """What has come to it of this call."""
        return [m for m in gateway.pending() if m.get("call-id") == self.setup.call_id]

    def next(self, seconds=3):
        """The gateway that gets the INVITE next, and that INVITE."""
        found = []

        def arrived():
            for gateway in self.gateways:
                found.extend((gateway, m) for m in self.heard(gateway) if m.method == "INVITE")
            return found
        until(arrived, seconds, "no gateway got the INVITE")
        gateway, invite = found[0]
        self.gateways.remove(gateway)
        self.invites.append(invite)
        return gateway, invite

    def answer(self, gateway, invite, tag="b"):
        """200, ACK, BYE: the call works at this gateway."""
        gateway.answer(invite, 200, "OK", tag=tag)
        ok = self.caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
        assert ok.tag("to") == tag
        self.talk(gateway, ok)
        return ok

    def talk(self, gateway, ok):
        self.setup.request("ACK", ok, 1)
        assert gateway.request("ACK").tag("to") == ok.tag("to")
        self.setup.request("BYE", ok)
        gateway.answer(gateway.request("BYE"), 200, "OK")
        self.caller.receive(where=lambda m: m.status == 200 and m.get("cseq").endswith("BYE"))


def codes(wire, pair):
    """What the caller saw of its INVITE."""
    return [m.status for m in wire.of(pair.setup.call_id)
            if m.dst == (pair.caller.ip, pair.caller.port) and m.get("cseq").endswith("INVITE")]


def cancel_of(gateway, invite, status=487):
    """The gateway gets a CANCEL for that INVITE and ends it with `status`, which Weir acknowledges."""
    cancel = gateway.request("CANCEL")
    assert cancel.via_param("branch") == invite.via_param("branch")
    gateway.answer(cancel, 200, "OK", tag="x")
    gateway.answer(invite, status, tag="x")
    assert gateway.request("ACK").via_param("branch") == invite.via_param("branch")


# ---- a gateway answers 503

@pytest.mark.parametrize("v6", [False, True])
def test_g2_503_is_tried_elsewhere(family, wire, v6):
    pair = Pair(family, "two6" if v6 else "two", v6=v6)
    first, invite = pair.next()
    first.answer(invite, 503, "Service Unavailable", "Retry-After: 60\n", tag="no")
    ack = first.request("ACK")
    assert ack.via_param("branch") == invite.via_param("branch") and ack.tag("to") == "no"
    second, again = pair.next()
    assert again.via_param("branch") != invite.via_param("branch")
    assert again.get("call-id") == invite.get("call-id") and again.uri == invite.uri and again.body == invite.body
    assert again.all("via")[1:] == invite.all("via")[1:] and again.get("max-forwards") == invite.get("max-forwards")
    second.answer(again, 180, "Ringing", tag="b")
    pair.answer(second, again)
    assert codes(wire, pair) == [100, 180, 200]
    assert not pair.heard(first)


def test_g2_codes_of_the_pool(family, wire):
    """failover.on: 500 and 480 send the call on, too."""
    pair = Pair(family, "on500")
    first, invite = pair.next()
    first.answer(invite, 500, "Server Internal Error", tag="no")
    pair.answer(*pair.next())
    assert codes(wire, pair) == [100, 200]


@pytest.mark.parametrize("answers, best", [((503, 503), 500), ((503, 486), 486), ((480, 404), 404), ((500, 603), 603),
                                           ((500, 480), 480)])
def test_g2_best_answer(family, wire, answers, best):
    """RFC 3261 16.7: 6xx, else the lowest class, and a 503 of a gateway is never relayed."""
    pair = Pair(family, "on500")
    for status in answers:
        gateway, invite = pair.next()
        gateway.answer(invite, status, tag=f"t{status}")
        gateway.request("ACK")
    final = pair.caller.response()
    pair.setup.ack(final)
    assert final.status == best or {final.status, best} == {480, 404}, "any of the same class"
    assert codes(wire, pair)[:2] == [100, final.status]


@pytest.mark.parametrize("status", [486, 600, 603])
def test_c7_busy_is_never_tried_elsewhere(family, wire, status):
    pair = Pair(family, "two")
    gateway, invite = pair.next()
    gateway.answer(invite, status, "Busy", tag="b")
    gateway.request("ACK")
    pair.setup.ack(pair.caller.response(status))
    time.sleep(0.5)
    assert not pair.heard(pair.gateways[0])


def test_g2_retry_budget(family):
    """The burst of 10 is used up; then the answer of the first gateway is the call's: 500 for a 503."""
    moved = 0
    for _ in range(13):
        pair = Pair(family, "budget")
        gateway, invite = pair.next()
        gateway.answer(invite, 503, "Service Unavailable", tag="no")
        gateway.request("ACK")
        try:
            other, again = pair.next(0.5)
        except TimeoutError:
            final = pair.caller.response()
            assert final.status in (500, 503)
            pair.setup.ack(final)
        else:
            moved += 1
            other.answer(again, 486, "Busy Here", tag="b")
            pair.setup.ack(pair.caller.response(486))
        while family.peers:
            family.peers.pop().close()
    assert moved == 10


# ---- a gateway is silent

def took(wire, pair, where):
    """Seconds from the caller's INVITE to the first message for which `where` holds, by the kernel's clock."""
    invite, *rest = wire.of(pair.setup.call_id)
    return next(m.at for m in rest if where(m)) - invite.at


def moved_after(wire, pair, second):
    """The same to the INVITE at the gateway that was asked second."""
    return took(wire, pair, lambda m: m.method == "INVITE" and m.dst == (second.ip, second.port))


def test_g4_silent_gateway(family, wire):
    """Nothing at all from it: after `after` (350 ms) the other one is tried, not after `after-max`."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    assert 0.34 <= moved_after(wire, pair, second) < 1.15
    pair.answer(second, again)
    assert codes(wire, pair) == [100, 200]
    repeats = [m for m in first.pending() if m.method == "INVITE"]
    assert all(m.data == invite.data for m in repeats)


def test_g4_gateway_that_answers_others(family, wire):
    """It was heard since this INVITE left, so it is given `after-max` (1.2 s)."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    first.send(first.make("OPTIONS", "sip:198.51.100.10:5060"))
    first.response(200)
    second, again = pair.next()
    assert 1.15 <= moved_after(wire, pair, second)
    pair.answer(second, again)


def test_g4_progress(family, wire):
    """100 and nothing more, with `progress: 400ms`: the other is tried, the first is cancelled at once."""
    pair = Pair(family, "progress")
    first, invite = pair.next()
    first.answer(invite, 100, "Trying")
    second, again = pair.next()
    assert 0.38 <= moved_after(wire, pair, second) < 2  # and not the default of `after-max`
    cancel_of(first, invite)
    pair.answer(second, again)


def test_g4_late_provisional_of_the_silent_one(family, wire):
    """Its branch is abandoned: CANCEL at its first provisional, and its 487 is not relayed."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    second.answer(again, 180, "Ringing", tag="b")
    pair.caller.response(180)
    first.answer(invite, 180, "Ringing", tag="late")
    cancel_of(first, invite)
    pair.answer(second, again)
    assert 487 not in codes(wire, pair) and codes(wire, pair)[-1] == 200


def test_g4_late_482_is_not_relayed(family, wire):
    """The second gateway passed the call on to the first, which sees it twice and says so (RFC 3261 8.2.2.2)."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    first.answer(invite, 482, "Loop Detected", tag="late")
    first.request("ACK")
    pair.answer(second, again)
    assert codes(wire, pair) == [100, 200]


def test_g4_late_ok_of_the_silent_one_wins(family, wire):
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    second.answer(again, 180, "Ringing", tag="b")
    pair.caller.response(180)
    first.answer(invite, 200, "OK", tag="late")
    ok = pair.caller.response(200)
    assert ok.tag("to") == "late"
    cancel_of(second, again)
    pair.talk(first, ok)
    assert 487 not in codes(wire, pair)


def test_c3_ok_of_both_gateways(family, wire):
    """Both answer before either can be cancelled: both are relayed, and A ends the one that it does not want."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    first.answer(invite, 200, "OK", tag="one")
    second.answer(again, 200, "OK", tag="two")
    oks = [pair.caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE") for _ in range(2)]
    for ok in oks:
        pair.talk(first if ok.tag("to") == "one" else second, ok)


def test_g4_third_gateway(family, wire):
    """attempts: 3."""
    pair = Pair(family, "three", hosts=(21, 22, 23))
    pair.next()
    pair.next()
    pair.answer(*pair.next())
    assert len({m.via_param("branch") for m in pair.invites}) == 3


def test_g6_everybody_is_silent(family):
    """No attempt is left and Timer B fires: 408."""
    pair = Pair(family, "two")
    pair.next()
    pair.next()
    final = pair.caller.response(seconds=5)
    assert final.status == 408
    pair.setup.ack(final)


# ---- the caller's CANCEL after fail-over

def test_c6_cancel_reaches_every_live_branch(family, wire):
    pair = Pair(family, "two")
    first, invite = pair.next()
    second, again = pair.next()
    second.answer(again, 180, "Ringing", tag="b")
    pair.caller.response(180)
    pair.setup.cancel()
    cancel_of(second, again)
    final = pair.caller.response(487, seconds=5)
    pair.setup.ack(final)
    first.answer(invite, 180, "Ringing", tag="late")
    cancel_of(first, invite)
    assert codes(wire, pair).count(487) >= 1


def test_c6_cancelled_call_is_not_tried_elsewhere(family):
    """Between attempts: the gateway says 503 to a call that its caller has given up."""
    pair = Pair(family, "two")
    first, invite = pair.next()
    pair.setup.cancel()
    pair.caller.response(200)
    first.answer(invite, 503, "Service Unavailable", tag="no")
    first.request("ACK")
    final = pair.caller.receive(where=lambda m: m.status >= 300)
    assert final.status == 487
    pair.setup.ack(final)
    time.sleep(0.5)
    assert not pair.heard(pair.gateways[0])


# ---- ports that are closed, gateways that die

def test_g4_closed_port(family, wire):
    """One gateway's kernel says that nobody listens: the other has the call in no time."""
    for _ in range(6):  # the first choice is either
        pair = Pair(family, "closed", hosts=(32,))
        gateway, invite = pair.next()
        assert took(wire, pair, lambda m: m.dst[0] == gateway.ip) < 0.34, "the kernel's word was not taken for it"
        pair.answer(gateway, invite)
        while family.peers:
            family.peers.pop().close()


def test_g6_all_ports_closed(family, wire):
    """Refused at once, and counted as refused."""
    refused = family.weir.ended("full", "sent")
    pair = Pair(family, "closed", hosts=())
    final = pair.caller.response(seconds=1)
    assert final.status == 503 and took(wire, pair, lambda m: m.status == 503) < 0.34, "not before `after`"
    until(lambda: family.weir.ended("full", "sent") == refused + 1, 2, "not counted")
    pair.setup.ack(final)


SETUP_ONLY = "A>B INVITE sdp\nB>A 180\nB>A 200 sdp\nA>B ACK"


def test_g4_killed_in_mid_run(family, wire):
    """sipp at one gateway is killed between two calls: every later call is set up on the other, once."""
    calls, ladder = 60, family.ladder(SETUP_ONLY)
    ends = {host: family.sipp(family.gateways, (f"killed.{host}", ladder.scenario("B")), ip_of("gateways", host), 6108)
            for host in (21, 22)}
    caller = family.sipp(family.callers, ("killed.A", ladder.scenario("A")), ip_of("callers", 11), 7108, calls=calls, rate=20,
                         target=hostport(*WEIR["callers", False]),
                         keys={"uri": "sip:+855@pstn.test", "from_uri": "sip:a@callers.test"})
    until(lambda: caller.successful >= calls // 4, 10, "calls did not begin")

    def between_calls():
        """Stopped with no call half answered, which nobody could save: an answer that has begun goes on at its gateway."""
        ends[21].proc.send_signal(signal.SIGSTOP)
        said = collections.defaultdict(set)
        for m in wire.seen(lambda m: m.src == (ip_of("gateways", 21), 6108)):
            said[m.get("call-id")].add(m.status)
        if all(200 in statuses for statuses in said.values()):
            return True
        ends[21].proc.send_signal(signal.SIGCONT)
    until(between_calls, 5, "never between two calls")
    ends[21].kill()
    code = caller.wait()
    ends[22].stop()
    assert code == 0 and caller.successful == calls, caller.trouble()
    answered = {}
    for m in wire.seen(lambda m: m.status == 200 and m.dst == WEIR["gateways", False] and m.src[1] == 6108):
        answered.setdefault(m.get("call-id"), set()).add(m.src[0])
    assert len(answered) == calls and all(len(who) == 1 for who in answered.values())


def test_g4_down_moves_what_is_unanswered(family):
    """`after` is long here, but who is found down loses every unanswered call at once."""
    gateways = [family.peer("gateways", host, PORTS["watched"]) for host in (21, 22)]
    names = {gateway: f"watched-{gateway.ip.rpartition('.')[2]}" for gateway in gateways}
    got = {}

    def step():
        for gateway in gateways:
            for m in gateway.pending():
                if m.method == "INVITE":
                    got.setdefault(gateway, m)
                elif m.method == "OPTIONS" and gateway is not next(iter(got), None):
                    gateway.answer(m, 200, "OK", tag="g")
        return True

    def state(gateway):
        return step() and family.weir.ask("show", "gateway", names[gateway])["state"]
    until(lambda: all(state(gateway) != "down" for gateway in gateways), 8, "down")
    caller = family.peer("callers", 11)
    setup, began = Setup(caller, "sip:+95551234@pstn.test"), time.monotonic()
    until(lambda: step() and len(got) == 2, 2.9, "the call did not move")
    assert time.monotonic() - began > 0.5
    mute, alive = got
    assert state(mute) == "down"
    alive.answer(got[alive], 486, "Busy Here", tag="b")
    setup.ack(caller.response(486))
