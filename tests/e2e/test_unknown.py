# SPDX-License-Identifier: BSD-3-Clause
"""Sources that are neither peer nor gateway, where the operator wants them answered (unknown: 403) or served (allow)."""
import pytest

from conftest import pool
from lab.net import until
from lab.wire import Call, Setup

CONFIG = """
unknown: 403
peers:
  trunk: { from: [192.0.2.11] }
pools:
""" + pool("one", 6701, hosts=(21,), gateway="max-calls: 10") + """
routes:
  - { pool: one }
"""
URI = "sip:+15551234@pstn.test"


@pytest.fixture
def stranger(family):
    return family.peer("callers", 12)


@pytest.fixture
def gateway(family):
    return family.peer("gateways", 21, 6701)


def serves_the_trunk(family, gateway):
    call = Call(family.peer("callers", 11), gateway, URI)
    until(lambda: family.in_use("one-21") == 1, 3)
    call.caller.send(call.from_caller("BYE"))
    gateway.answer(gateway.request("BYE"), 200)
    call.caller.response(200)
    until(lambda: family.in_use("one-21") == 0, 3)


def test_a_stranger_is_told_403(family, stranger, gateway):
    """Without state: its ACK and its CANCEL end in Weir, what comes again gets the same, and no gateway hears of it."""
    said, acks = family.weir.ended("unknown-source", "reply"), family.weir.ended("ack")
    setup = Setup(stranger, URI)
    refusal = stranger.response(403)
    assert refusal.reason == "Forbidden" and refusal.tag("to") and refusal.get("retry-after") is None
    setup.repeat()
    assert stranger.response(403).data == refusal.data
    setup.cancel()
    setup.ack(refusal)
    until(lambda: family.weir.ended("ack") == acks + 1, 3, "ACK not absorbed")
    stranger.send(stranger.make("OPTIONS", "sip:192.0.2.10"))
    assert stranger.response(403).get("cseq") == "1 OPTIONS"
    until(lambda: family.weir.ended("unknown-source", "reply") == said + 3, 2, "not counted")
    serves_the_trunk(family, gateway)
    assert not stranger.pending() and not gateway.pending()


def test_an_ack_of_a_stranger_is_never_answered(family, stranger):
    dropped = family.weir.ended("unknown-source", "drop")
    stranger.send(stranger.make("ACK", URI, to=f"<{URI}>;tag=x"))
    until(lambda: family.weir.ended("unknown-source", "drop") == dropped + 1, 3, "not dropped")
    assert not stranger.pending()


@pytest.fixture(scope="module")
def allowed(family):
    """The same daemon, started again with `unknown: allow`."""
    assert family.weir.stop() == 0
    family.weir.configure(family.base + CONFIG.replace("unknown: 403", "unknown: allow"))
    family.start()


def test_a_stranger_is_served_where_allowed(family, allowed, stranger, gateway):
    """By the routes, counted at the gateway, refused when that is full, and both sides end their calls."""
    calls = [Call(stranger, gateway, URI) for _ in range(10)]
    until(lambda: family.in_use("one-21") == 10, 3)
    Setup(stranger, URI)
    assert stranger.response(503).get("retry-after")
    for n, call in enumerate(calls):
        near, far, make = (stranger, gateway, call.from_caller) if n % 2 else (gateway, stranger, call.from_gateway)
        near.send(make("BYE"))
        far.answer(far.request("BYE"), 200)
        near.response(200)
    until(lambda: family.in_use("one-21") == 0, 3)
    stranger.send(stranger.make("OPTIONS", "sip:192.0.2.10"))
    assert stranger.response(200).get("cseq") == "1 OPTIONS"
