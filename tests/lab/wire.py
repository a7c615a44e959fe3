# SPDX-License-Identifier: BSD-3-Clause
"""
A SIP end point of bytes, for messages that sipp would never send: write any text, read what comes, ask its parts.
"""
import itertools
import re
import select
import socket
import time

from .ladder import REASONS

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\n"
_serial = itertools.count(1)
COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "k": "supported",
           "c": "content-type", "s": "subject", "o": "event", "u": "allow-events", "r": "refer-to", "x": "session-expires"}


class Message:
    """A received message, its parts by name."""

    def __init__(self, data, source=None):
        self.data, self.source = data, source
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.start, *lines = re.sub("\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        self.headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))

    @property
    def status(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def reason(self):
        return self.start.split(" ", 2)[2] if self.status else ""

    @property
    def method(self):
        return "" if self.status else self.start.split()[0]

    @property
    def uri(self):
        return self.start.split()[1]

    def get(self, name):
        """First value of a header as it stands, or None."""
        return next((value for n, value in self.headers if n == name.lower()), None)

    def all(self, name):
        """Every value of a header, comma lists taken apart (commas in <> and quotes are no separators)."""
        values = []
        for n, value in self.headers:
            if n == name.lower():
                values += [v.strip() for v in re.findall(r'(?:[^,<"]|<[^>]*>|"(?:[^"\\]|\\.)*")+', value)]
        return values

    def tag(self, name):
        match = re.search(r";\s*tag=([^;\s]+)", self.get(name) or "")
        return match.group(1) if match else None

    def via_param(self, name, index=0):
        match = re.search(rf";\s*{name}(?:=([^;,\s]*))?(?=[;,\s]|$)", self.all("via")[index])
        return (match.group(1) or "") if match else None

    def __repr__(self):
        return self.data.decode("utf-8", "replace")


class Peer:
    """A UDP socket in a namespace that speaks SIP as the test says. `weir` is where it sends by default."""

    def __init__(self, ns, ip, port=0, weir=None):
        self.sock = ns.udp(ip, port)
        self.ip, self.port = self.sock.getsockname()[:2]
        self.weir = weir
        self.host = f"[{ip}]" if ":" in ip else ip
        self.pace = 0.0  # s before each message
        self.open = {}  # INVITEs without a final response of ours, by branch

    @property
    def hostport(self):
        return f"{self.host}:{self.port}"

    def close(self):
        self.sock.close()

    def send(self, message, to=None):
        """Text (line ends become CRLF) or bytes."""
        if isinstance(message, str):
            message = message.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        time.sleep(self.pace)
        self.sock.sendto(message, to or self.weir)

    def _next(self):
        data, source = self.sock.recvfrom(65535)
        message = Message(data, source[:2])
        if message.start and message.method == "INVITE" and message.get("via"):
            self.open[message.via_param("branch")] = message
        return message

    def end_calls(self):
        """Refuse the INVITEs that the test has left open, so that nobody repeats them."""
        for invite in list(self.open.values()):
            self.answer(invite, 480, tag="end")

    def receive(self, seconds=3.0, where=None):
        """The next message for which `where` holds; others are put aside. TimeoutError if none comes."""
        end = time.monotonic() + seconds
        aside = []
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError(f"{self.hostport}: nothing that fits; came: {aside}")
            message = self._next()
            if message.start and (where is None or where(message)):
                return message
            aside.append(message)

    def request(self, method, seconds=3.0):
        return self.receive(seconds, lambda m: m.method == method)

    def response(self, status=None, seconds=3.0):
        """The next response, or the next with this status (100 is passed over unless asked for)."""
        return self.receive(seconds, lambda m: m.status and (m.status == status if status else m.status > 100))

    def pending(self):
        """Every message that is already here, but 100s: every INVITE gets one."""
        messages = []
        while select.select([self.sock], [], [], 0)[0]:
            messages.append(self._next())
        return [m for m in messages if m.status != 100]

    def make(self, method, uri, headers="", body="", **parts):
        """
        A request of this peer; every part can be replaced: via, frm, to, call_id, cseq, contact, forwards ("" leaves
        the header out). `headers` are whole lines.
        """
        serial = next(_serial)
        lines = [f"{method} {uri} SIP/2.0"]
        default = {"via": f"SIP/2.0/UDP {self.hostport};branch=z9hG4bK-wire-{serial}-{time.monotonic_ns()};rport",
                   "frm": f"<sip:wire@{self.host}>;tag=w{serial}", "to": f"<{uri}>",
                   "call_id": f"wire-{serial}-{time.monotonic_ns()}@{self.host}", "cseq": f"1 {method}",
                   "contact": f"<sip:wire@{self.hostport}>", "forwards": "70"}
        names = {"via": "Via", "frm": "From", "to": "To", "call_id": "Call-ID", "cseq": "CSeq", "contact": "Contact",
                 "forwards": "Max-Forwards"}
        for part, name in names.items():
            value = parts.get(part, default[part])
            if value != "":
                lines.append(f"{name}: {value}")
        lines += [line for line in headers.strip().splitlines() if line]
        lines.append(f"Content-Length: {len(body)}")
        return "\n".join(lines) + "\n\n" + body

    def answer(self, request, status, reason=None, headers="", body="", tag=None, to=None):
        """Answer a request the way RFC 3261 8.2.6 says, to where it came from."""
        lines = [f"SIP/2.0 {status} {reason or REASONS.get(status, 'Because')}"]
        if request.method == "INVITE" and status >= 200:
            self.open.pop(request.via_param("branch"), None)
        for name, value in request.headers:
            if name in ("via", "from", "call-id", "cseq", "record-route"):
                lines.append(f"{name.title()}: {value}")
            elif name == "to":
                lines.append(f"To: {value}" + (f";tag={tag}" if tag and "tag=" not in value else ""))
        lines += [f"Contact: <sip:{self.hostport}>"]
        lines += [line for line in headers.strip().splitlines() if line]
        lines.append(f"Content-Length: {len(body)}")
        self.send("\n".join(lines) + "\n\n" + body, to or request.source)


class Setup:
    """An INVITE of a raw caller, and the requests that belong to its transaction (RFC 3261 9.1, 17.1.1.3)."""

    def __init__(self, caller, uri, headers="", body=SDP, **parts):
        self.caller, self.uri = caller, uri
        self.text = caller.make("INVITE", uri, headers, body, **parts)
        sent = Message(self.text.replace("\n", "\r\n").encode())
        self.call_id, self.branch = sent.get("call-id"), sent.via_param("branch")
        self.parts = {"via": sent.get("via"), "frm": sent.get("from"), "call_id": self.call_id, "contact": ""}
        self.cseq = sent.get("cseq").split()[0]
        self.repeat()

    def repeat(self):
        self.caller.send(self.text)

    def cancel(self):
        self.caller.send(self.caller.make("CANCEL", self.uri, cseq=f"{self.cseq} CANCEL", **self.parts))

    def ack(self, final):
        """The ACK to a final that is no 2xx."""
        self.caller.send(self.caller.make("ACK", self.uri, cseq=f"{self.cseq} ACK", to=final.get("to"), **self.parts))

    def request(self, method, ok, cseq=2, **parts):
        """A request in the dialog that `ok` made: the ACK to it (with the INVITE's number), BYE and so on."""
        routes = "".join(f"Route: {route}\n" for route in reversed(ok.all("record-route")))
        target = re.search("<(.*)>", ok.get("contact")).group(1)
        parts = {"frm": self.parts["frm"], "to": ok.get("to"), "call_id": self.call_id, "cseq": f"{cseq} {method}"} | parts
        self.caller.send(self.caller.make(method, target, routes, **parts))


class Call:
    """An answered call between two raw peers that follow RFC 3261 section 12."""

    def __init__(self, caller, gateway, uri, **parts):
        self.caller, self.gateway = caller, gateway
        self.text = caller.make("INVITE", uri, body=SDP, **parts)
        caller.send(self.text)
        self.invite = gateway.request("INVITE")
        gateway.answer(self.invite, 200, "OK", tag="gw1")
        self.ok = caller.response(200)
        self.call_id = self.ok.get("call-id")
        self.a, self.b = self.ok.get("from"), self.ok.get("to")
        self.a_routes = list(reversed(self.ok.all("record-route")))
        self.b_routes = self.invite.all("record-route")
        self.a_contact = re.search("<(.*)>", self.invite.get("contact")).group(1)
        self.b_contact = f"sip:{gateway.hostport}"
        caller.send(self.from_caller("ACK", cseq="1 ACK"))
        gateway.request("ACK")

    def from_caller(self, method, routes=None, **parts):
        parts = {"frm": self.a, "to": self.b, "call_id": self.call_id, "cseq": f"2 {method}"} | parts
        routes = self.a_routes if routes is None else routes
        return self.caller.make(method, parts.pop("uri", self.b_contact), "".join(f"Route: {r}\n" for r in routes), **parts)

    def from_gateway(self, method, routes=None, **parts):
        parts = {"frm": self.b, "to": self.a, "call_id": self.call_id, "cseq": f"7 {method}"} | parts
        routes = self.b_routes if routes is None else routes
        return self.gateway.make(method, parts.pop("uri", self.a_contact), "".join(f"Route: {r}\n" for r in routes), **parts)
