# SPDX-License-Identifier: BSD-3-Clause
"""
What was on the wire of both sides, in the order of the kernel's clock, and the ladder that a person would draw of it.
Nothing is read until somebody asks, so that a capture costs the run nothing; it is for tens of calls, not thousands.
"""
import dataclasses
import re
import socket
import struct

from .wire import Message

SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
ETH_P_ALL, IPV4, IPV6 = 3, 0x0800, 0x86dd
WIDTH = 34   # of a column of the ladder
SHOWN = {name.lower(): name for name in (
    "Contact", "Require", "RSeq", "RAck", "Retry-After", "Warning", "Session-Expires", "Min-SE", "Refer-To", "Replaces",
    "Diversion", "History-Info", "Subscription-State", "Expires", "Event", "Unsupported")}


@dataclasses.dataclass
class Seen:
    """One SIP message on the wire: when (s), from where, to where."""
    at: float
    src: tuple
    dst: tuple
    message: Message

    def __getattr__(self, name):
        return getattr(self.message, name)

    def __repr__(self):
        return f"{self.src[0]}:{self.src[1]} > {self.dst[0]}:{self.dst[1]} {self.message.start}"


class Capture:
    """Both sides of a lab from now on."""

    def __init__(self, *sides):
        self.socks, self.messages = [], []
        for side in sides:
            with side.ns.entered():
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sock.bind((side.far_dev, ETH_P_ALL))
            sock.setblocking(False)
            self.socks.append(sock)

    def close(self):
        for sock in self.socks:
            sock.close()

    def seen(self, where=None):
        """Every message so far for which `where` holds."""
        for sock in self.socks:
            while True:
                try:
                    packet, ancillary, _, address = sock.recvmsg(65535, 64)
                except BlockingIOError:
                    break
                seconds, ns = struct.unpack("qq", ancillary[0][2])
                message = sip_of(packet, address[1])
                if message:
                    self.messages.append(Seen(seconds + ns / 1e9, *message))
        self.messages.sort(key=lambda m: m.at)
        return [m for m in self.messages if where is None or where(m)]

    def of(self, call_id):
        return self.seen(lambda m: m.get("call-id") == call_id)


def sip_of(packet, protocol):
    """Source, destination and message of an IP packet that carries one, else None."""
    if protocol == IPV4:
        start, family, src, dst, proto = (packet[0] & 15) * 4, socket.AF_INET, packet[12:16], packet[16:20], packet[9]
        if struct.unpack("!H", packet[6:8])[0] & 0x3fff:
            return None  # a fragment
    elif protocol == IPV6:
        start, family, src, dst, proto = 40, socket.AF_INET6, packet[8:24], packet[24:40], packet[6]
    else:
        return None
    payload = packet[start + 8:]
    if proto != socket.IPPROTO_UDP or b"SIP/2.0" not in payload[:1000]:
        return None
    ports = struct.unpack("!HH", packet[start:start + 4])
    return ((socket.inet_ntop(family, src), ports[0]), (socket.inet_ntop(family, dst), ports[1]), Message(payload))


class Drawing:
    """Messages as a ladder: who first spoke at the left, Weir next to it, then the others as they came."""

    def __init__(self, messages, weir):
        self.weir = set(weir)
        self.columns, self.branches, self.tags, self.sent = ["A", "W"], {}, {}, set()
        self.names = {ip: "W" for ip in weir}
        self.messages = self._in_order(messages)
        for m in self.messages:
            for ip in (m.src[0], m.dst[0]):
                if ip not in self.names:
                    self.names[ip] = "A" if "A" not in self.names.values() else chr(ord("A") + len(self.columns) - 1)
                    if self.names[ip] not in self.columns:
                        self.columns.append(self.names[ip])

    def _in_order(self, messages):
        """What Weir sends in one go has no order: to those first who came first, so that two runs draw the same."""
        ordered, burst, came = [], [], {}

        def end_burst():
            burst.sort(key=lambda m: (came.get(m.dst[0], len(came)), m.status, m.at))
            for m in burst:
                came.setdefault(m.dst[0], len(came))
            ordered.extend(burst)
            burst.clear()
        for m in sorted(messages, key=lambda m: m.at):
            from_weir = m.src[0] in self.weir
            if burst and (not from_weir or m.at - burst[0].at > 0.005):
                end_burst()
            if from_weir:
                burst.append(m)
            else:
                came.setdefault(m.src[0], len(came))
                ordered.append(m)
        end_burst()
        return ordered

    def text(self):
        head = "".join(name.ljust(WIDTH) for name in self.columns).rstrip()
        lines = ["    " + head]
        for m in self.messages:
            lines.append("    " + self._arrow(m).ljust(WIDTH * (len(self.columns) - 1) + 3) + self._note(m))
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def _arrow(self, m):
        a, b = (self.columns.index(self.names[ip]) for ip in (m.src[0], m.dst[0]))
        row = [" "] * (WIDTH * (len(self.columns) - 1) + 1)
        for column in range(len(self.columns)):
            row[column * WIDTH] = "|"
        low, high = min(a, b) * WIDTH + 1, max(a, b) * WIDTH
        row[low:high] = "-" * (high - low)
        row[high - 1 if b > a else low] = ">" if b > a else "<"
        label = (f" {m.status} {m.reason} " if m.status else f" {m.method} ")[:high - low - 4]
        row[low + 2:low + 2 + len(label)] = label
        return "".join(row)

    def _note(self, m):
        notes = []
        if m.data in self.sent:
            return "repeated"
        self.sent.add(m.data)
        method = (m.get("cseq") or "").split()[-1]
        if m.status and method != "INVITE":
            notes.append(f"to {method}")
        branch = m.via_param("branch")
        if branch and self.names[m.src[0]] == "W" and not m.status and method in ("INVITE", "CANCEL", "ACK"):
            notes.append(f"branch {self.branches.setdefault(branch, len(self.branches) + 1)}")
        if m.tag("to") and m.status:
            notes.append(f"to-tag {self.tags.setdefault(m.tag('to'), len(self.tags) + 1)}")
        if m.get("max-forwards") == "0":
            notes.append("Max-Forwards: 0")
        notes += [f"{SHOWN[name]}: {self._plain(value)}" for name, value in m.headers
                  if name in SHOWN and (name != "contact" or 300 <= m.status < 400)]
        return ", ".join(notes)

    def _plain(self, value):
        """Addresses by the names of their columns or as another; tags and Call-IDs left out."""
        for ip, name in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
            value = re.sub(rf"\[?{re.escape(ip)}\]?(:\d+)?", name, value)
        value = re.sub(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?", "another", value)
        value = re.sub(r"(tag|branch)=[^;>\s]+", r"\1=...", value)
        return value if len(value) < 60 else value[:57] + "..."
