# SPDX-License-Identifier: BSD-3-Clause
"""The ports and what stands around them: ARP, ND and ping by the kernel's twin, next hops, checksums, fragments."""
import re
import socket
import struct

import pytest

from conftest import ip_of, pool
from lab.net import until
from lab.wire import Peer

CONFIG = """
peers:
  callers: { from: [192.0.2.0/24, "2001:db8:1::/64"] }
pools:
""" + pool("fresh", 5901, hosts=(31,)) + "\n" + pool("fresh6", 5902, hosts=(32,), v6=True) + "\n" + pool("near", 5903, hosts=(21,)) + """
  behind:
    via: core4
    health: { method: off }
    gateways:
      behind-1: { address: 203.0.113.21:5904 }
  nobody:
    health: { method: off }
    gateways:
      nobody-1: { address: 198.51.100.99:5905 }
routes:
  - { match: { number: "+1" }, pool: fresh }
  - { match: { number: "+2" }, pool: fresh6 }
  - { match: { number: "+3" }, pool: near }
  - { match: { number: "+4" }, pool: behind }
  - { match: { number: "+5" }, pool: nobody }
"""


def mac_of_port(family, name):
    return next(p["mac"] for p in family.weir.ask("show", "ports")["ports"] if p["name"] == name)


@pytest.mark.parametrize("side, port", [("callers", "access"), ("gateways", "core")])
@pytest.mark.parametrize("v6", [False, True])
def test_ping_and_neighbour(family, side, port, v6):
    """ARP or ND, then ICMP: answered by the kernel behind the port, with the port's own MAC."""
    ns, address = getattr(family, side).ns, ip_of(side, 10, v6)
    ns.ip("neigh", "flush", "all")
    assert " 0% packet loss" in ns.run("ping", "-c3", "-i0.2", "-W2", address)
    assert mac_of_port(family, port) in ns.ip("neigh", "show", address)


def test_big_ping_both_ways(family):
    """A frame of the port's full MTU, to Weir and from it."""
    assert " 0% packet loss" in family.callers.ns.run("ping", "-c1", "-W2", "-M", "do", "-s", "1472", ip_of("callers", 10))
    assert " 0% packet loss" in family.lab.weir.run("ping", "-c1", "-W2", "-M", "do", "-s", "1472", ip_of("callers", 11))


def test_closed_port_is_refused_by_the_kernel(family):
    """What is not for a listener belongs to the kernel: it says that nobody listens there."""
    sock = family.callers.ns.udp(ip_of("callers", 11))
    sock.settimeout(3)
    sock.connect((ip_of("callers", 10), 9))
    sock.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        sock.recv(100)
    sock.close()


@pytest.mark.parametrize("number, host, port, v6", [("+1", 31, 5901, False), ("+2", 32, 5902, True)])
def test_unresolved_gateway_resolves(family, number, host, port, v6):
    """Messages to a gateway whose MAC nobody knows: the kernel asks for it, and they arrive."""
    family.lab.weir.ip("neigh", "flush", "all")
    gateway = family.peer("gateways", host, port, v6)
    caller = family.peer("callers", 11)
    text = caller.make("OPTIONS", f"sip:{number}5551234@pstn.test")
    until(lambda: send_until_seen(caller, gateway, text), 5, "never resolved")


def send_until_seen(caller, gateway, text):
    """SIP repeats over UDP; so does this."""
    caller.send(text)
    try:
        return gateway.request("OPTIONS", 0.3)
    except TimeoutError:
        return None


def test_gateway_behind_a_router(family):
    """A route that the kernel learns while Weir runs, over a twin, is a route for calls."""
    family.gateways.ns.ip("addr", "replace", "203.0.113.21/32", "dev", "lo")
    twin = next(p["twin"] for p in family.weir.ask("show", "ports")["ports"] if p["name"] == "core")
    family.lab.weir.ip("route", "add", "203.0.113.0/24", "via", ip_of("gateways", 21), "dev", twin)
    gateway = Peer(family.gateways.ns, "203.0.113.21", 5904)
    caller = family.peer("callers", 11)
    text = caller.make("OPTIONS", "sip:+45551234@pstn.test")
    until(lambda: send_until_seen(caller, gateway, text), 5, "route not learned", step=0.2)


def test_gateway_that_does_not_exist_costs_no_more_than_its_messages(family):
    """Nobody answers ARP: its messages end, the others go on."""
    caller, gateway = family.peer("callers", 11), family.peer("gateways", 21, 5903)
    until(lambda: send_until_seen(caller, gateway, caller.make("OPTIONS", "sip:+35551234@pstn.test")), 5, "near unknown")
    for n in range(200):
        caller.send(caller.make("OPTIONS", "sip:+55551234@pstn.test"))
    caller.send(caller.make("OPTIONS", "sip:+35551234@pstn.test"))
    assert gateway.request("OPTIONS")


def udp4(src, dst, payload, wrong=0, proto=socket.IPPROTO_UDP, fragment=0):
    """A whole IPv4 packet; `wrong` is added to its UDP checksum, `fragment` is the field of offset and flags."""
    header = struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, 8 + len(payload))
    data = pseudo + header + payload + b"\0" * (len(payload) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    check = ((~total & 0xffff) + wrong) & 0xffff
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 7, fragment, 64, proto, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    return ip + header[:6] + struct.pack("!H", check or 0xffff) + payload


@pytest.mark.parametrize("reason, change", [("checksum", {"wrong": 1}), ("fragment", {"fragment": 0x2000}), (None, {})])
def test_bad_packets_are_dropped_and_counted(family, reason, change):
    """The same packet, whole and right, is forwarded."""
    caller, gateway = family.peer("callers", 14, 5060), family.peer("gateways", 21, 5903)
    text = caller.make("OPTIONS", "sip:+35551234@pstn.test").replace("\n", "\r\n").encode()
    with family.callers.ns.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    before = family.weir.ended(reason) if reason else 0
    sock.sendto(udp4(ip_of("callers", 14), ip_of("callers", 10), text, **change), (ip_of("callers", 10), 0))
    if reason:
        until(lambda: family.weir.ended(reason) == before + 1, 3, f"{reason} not counted")
        assert not gateway.pending()
    else:
        assert gateway.request("OPTIONS")
    sock.close()


@pytest.mark.parametrize("v6", [False, True])
def test_checksums_that_leave_are_right(family, v6):
    """A kernel that verifies takes what Weir sends; its own counter of bad datagrams stands still."""
    name = "Udp6InErrors" if v6 else "UdpInErrors"

    def errors():
        return re.findall(rf"{name}\s+(\d+)", family.gateways.ns.run("nstat", "-asz", name))
    number, host, port = ("+2", 32, 5902) if v6 else ("+1", 31, 5901)
    gateway, caller = family.peer("gateways", host, port, v6), family.peer("callers", 11)
    before = errors()
    for size in range(0, 40):
        text = caller.make("OPTIONS", f"sip:{number}5551234@pstn.test", f"X-Pad: {'x' * size}\n")
        until(lambda: send_until_seen(caller, gateway, text), 5, f"nothing with padding {size}")
    assert errors() == before
