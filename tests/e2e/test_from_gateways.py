# SPDX-License-Identifier: BSD-3-Clause
"""Calls that gateways begin: to the pool of a trunk (O1, O3) and to other gateways (O2)."""
import pytest

import flows
from conftest import pool
from lab.net import until

# name: (number, port of B, IPv6, ladder); the trunk's proxies stand among the callers
TO_TRUNK = {
    "o1": ("+3301", 5201, False, flows.BASIC),
    "o1-bye-by-b": ("+3302", 5202, False, flows.HANG_UP_BY_B),
    "o1-6": ("+3303", 5203, True, flows.HANG_UP_BY_B),
    "o3-volte-a": ("+3304", 5204, False, flows.VOLTE_A),
    "o3-volte-b": ("+3305", 5205, False, flows.VOLTE_B),
    "o3-update-b": ("+3306", 5206, False, flows.EARLY_UPDATE_B),
    "o3-change": ("+3307", 5207, False, flows.SESSION_CHANGE),
    "o1-cancel": ("+3308", 5208, False, flows.CANCELLED),
    "o1-busy": ("+3309", 5209, False, flows.REFUSED.format(code=486, extra="")),
}
TO_GATEWAY = {
    "o2": ("+4401", 5221, False, flows.BASIC),
    "o2-bye-by-b": ("+4402", 5222, False, flows.HANG_UP_BY_B),
    "o2-change": ("+4403", 5223, False, flows.SESSION_CHANGE),
    "o2-6": ("+4404", 5224, True, flows.SESSION_CHANGE),
}


def phones():
    """The gateway that every call here comes from, on each of the source ports that play() uses."""
    lines = ["  phones:", "    health: { method: off }", "    gateways:"]
    for name, (_, port, v6, _) in (TO_TRUNK | TO_GATEWAY).items():
        address = f"[2001:db8:2::39]:{port + 1000}" if v6 else f"198.51.100.39:{port + 1000}"
        lines.append(f'      phone-{name}: {{ address: "{address}" }}')
    return "\n".join(lines)


CONFIG = f"""
peers:
  trunk: {{ from: [192.0.2.0/24, "2001:db8:1::/64"] }}
pools:
{phones()}
""" + "\n".join([pool(name, port, hosts=(12, 13), v6=v6, side="callers") for name, (_, port, v6, _) in TO_TRUNK.items()]
                + [pool(name, port, v6=v6) for name, (_, port, v6, _) in TO_GATEWAY.items()]) + """
routes:
  - { match: { from: trunk }, pool: phones }
""" + "\n".join(f'  - {{ match: {{ from: phones, number: "{number}" }}, pool: {name} }}'
                for name, (number, *_) in (TO_TRUNK | TO_GATEWAY).items())


@pytest.mark.parametrize("name", TO_TRUNK)
def test_gateway_to_trunk(family, name):
    number, port, v6, ladder = TO_TRUNK[name]
    family.play(name, ladder, number + "55", port, hosts=(12, 13), v6=v6, sides=("gateways", "callers"))


@pytest.mark.parametrize("name", TO_GATEWAY)
def test_gateway_to_gateway(family, name):
    number, port, v6, ladder = TO_GATEWAY[name]
    family.play(name, ladder, number + "55", port, v6=v6, sides=("gateways", "gateways"))


@pytest.mark.flow("O2")
def test_counted_at_both_gateways(family):
    """A call from a gateway is seen as coming from it, and as new at the one it goes to."""
    number, port, _, ladder = TO_GATEWAY["o2"]
    before = {way: family.weir.metric("weir_gateway_requests_total", gateway="phone-o2", direction=way)
              for way in ("in", "out")}
    calls = family.weir.metric("weir_gateway_new_calls_total", pool="o2")
    family.play("o2-counted", ladder, number + "66", port, calls=5, sides=("gateways", "gateways"))
    until(lambda: family.weir.metric("weir_gateway_new_calls_total", pool="o2") == calls + 5, 2, "not counted")
    until(lambda: family.weir.metric("weir_gateway_requests_total", gateway="phone-o2", direction="in") == before["in"] + 15,
          2, "not counted")
    assert family.weir.metric("weir_gateway_requests_total", gateway="phone-o2", direction="out") == before["out"]
