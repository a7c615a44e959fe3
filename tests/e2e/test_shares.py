# SPDX-License-Identifier: BSD-3-Clause
"""
Many calls (G1): how they spread over gateways by weight, within 5 % over 10,000 calls, and over workers by Call-ID.
Four standard deviations of a fair draw are 200 of the 4,000 calls that the lighter gateway is due.
"""
import pytest

from conftest import WEIR, ip_of
from lab.sipp import SCENARIOS

WEIGHTS = {21: 2, 22: 3}
PORT, CALLS, USERS = 5601, 10000, 40

CONFIG = """
peers:
  trunk: { from: [192.0.2.11] }
pools:
  weighted:
    overload: { learn: off } # spread is what is looked at; a machine that is busy makes gateways slow
    health: { method: off }
    gateways:
""" + "\n".join(f"      gw-{host}: {{ address: 198.51.100.{host}:{PORT}, weight: {weight} }}"
                for host, weight in WEIGHTS.items()) + """
routes:
  - { match: { from: trunk }, pool: weighted }
"""


@pytest.fixture(scope="module")
def played(family):
    """All calls from one address and port: one peer, as a carrier's trunk is."""
    gateways = {host: family.sipp(family.gateways, SCENARIOS / "gateway.xml", ip_of("gateways", host), PORT, trace=False)
                for host in WEIGHTS}
    caller = family.sipp(family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), PORT, trace=False, calls=CALLS,
                         users=USERS, target="%s:%d" % WEIR["callers", False], args=["-d", "1"],  # sipp may sleep 0 ms for ever
                         keys={"uri": "sip:+15551234@pstn.test", "from_uri": "sip:a@callers.test"})
    code = caller.wait()
    counts = {host: gateway.stop() for host, gateway in gateways.items()}
    assert code == 0 and caller.counts()["answered(C)"] == CALLS, caller.trouble()
    return counts


@pytest.mark.flow("G1")
def test_calls_split_by_weight(played):
    for host, weight in WEIGHTS.items():
        fair = CALLS * weight / sum(WEIGHTS.values())
        assert 0.95 * fair <= played[host]["calls(C)"] <= 1.05 * fair


@pytest.mark.flow("G1")
def test_every_call_stays_on_its_gateway(family, played):
    """A call whose ACK or BYE went elsewhere would not have ended well there; and Weir counted what they saw."""
    for host in WEIGHTS:
        counts = played[host]
        assert counts["SuccessfulCall(C)"] == counts["calls(C)"] and not counts.get("FailedCall(C)")
        assert family.weir.metric("weir_gateway_new_calls_total", gateway=f"gw-{host}") == counts["calls(C)"]
        # INVITE, ACK, BYE of each call, and whatever sipp repeated on its way
        assert family.weir.metric("weir_gateway_requests_total", gateway=f"gw-{host}", direction="out") \
            >= 3 * counts["calls(C)"]


def test_one_peer_loads_both_workers_alike(family, played):
    workers = [worker["messages"] for worker in family.weir.ask("show", "workers")["workers"]]
    assert len(workers) == 2 and max(workers) <= 1.15 * min(workers)


@pytest.mark.flow("G1")
def test_nothing_was_lost(family, played):
    """Every drop counter is at zero after thousands of calls (but the tap's own queue, on a machine that is busy)."""
    drops = {end["reason"]: end["count"] for end in family.weir.ask("show", "drops")["ends"]
             if end["outcome"] == "drop" and end["count"] and end["reason"] != "tx-full"}
    assert not drops
