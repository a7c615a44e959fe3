# SPDX-License-Identifier: BSD-3-Clause
"""
A call flow written as the ladder that a person would draw, made into the two sipp scenarios that play it.

    A>B INVITE sdp / Supported: 100rel | Max-Forwards: 69
    B>A 100 ?
    B>A 200 sdp
    A>B ACK

A is the caller, B the called side, W Weir itself (only the other end gets a step). After METHOD or CODE come words:
`sdp` or `text` (a body), `sdp=hold`, `?` (the receiver may not see it), `auth` (answer the challenge), `pause=MS`
(before sending), `noroute` (no Route header), `tag=X` (a To tag of its own, as a fork has). ` / Header: value` adds a header, ` | Header: regexp` is checked by the
receiver. `A wait` and `B wait` stop that side until the test sends it an INFO with its Call-ID (see go()).
"""
import re
from xml.sax.saxutils import quoteattr

REASONS = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK",
           202: "Accepted", 302: "Moved Temporarily", 401: "Unauthorized", 404: "Not Found",
           407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable",
           481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 422: "Session Interval Too Small",
           486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
           503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline"}

SDP = """v=0
o={side} 53655765 235368763{version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={mode}"""

# sipp takes a repetition for an error once it has answered twice: rather late than because the machine was busy.
REPEAT_MS = 2000
LINE = re.compile(r"^([ABW])>([ABW])\s+(\S+)(.*)$")
LINE_OF = "{}:[ -~]*[[:cntrl:]]+"
RECORD_ROUTES = f"({LINE_OF.format('Record-Route')})+"
# The topmost Via and, after lines of other headers perhaps, all others. Subexpressions 1 and 4.
VIAS = f"({LINE_OF.format('Via')})(([^V[:cntrl:]][ -~]*[[:cntrl:]]+)*)(({LINE_OF.format('Via')})*)"


class Transaction:
    def __init__(self, number, side, method, cseq, in_dialog):
        self.number, self.side, self.method, self.cseq, self.in_dialog = number, side, method, cseq, in_dialog
        self.final = 0  # status of its final response, 0: none yet


class Ladder:
    def __init__(self, text, pace=0):
        self.pace = pace       # ms before each message
        self.lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
        self.steps = {"A": [], "B": []}
        self.variables = {"A": [], "B": []}
        self.cseq = {"A": 0, "B": 0}
        self.transactions = []
        self.dialog = False    # A knows B's tag
        self.bodies = 0
        for line in self.lines:
            self._line(line)

    def scenario(self, side):
        """The sipp XML of side "A" or "B"."""
        refs = ",".join(self.variables[side])
        ref = f'<Reference variables="{refs}"/>\n' if refs else ""
        return (f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{side}">\n'
                + "\n".join(self.steps[side]) + f"\n{ref}</scenario>\n")

    def _line(self, line):
        if line in ("A wait", "B wait"):
            self.steps[line[0]].append('<recv request="INFO"/>')
            return
        match = LINE.match(line)
        if not match:
            raise ValueError(f"not a ladder line: {line}")
        src, dst, what, rest = match.groups()
        rest, *checks = rest.split(" | ")
        rest, *headers = rest.split(" / ")
        words = dict(word.partition("=")[::2] for word in rest.split())
        if what.isdigit():
            self._response(src, dst, int(what), words, headers, checks)
        else:
            self._request(src, dst, what, words, headers, checks)

    # ---- requests

    def _request(self, src, dst, method, words, headers, checks):
        t = self._transaction(src, method)
        if src in self.steps:
            self._pause(src, words)
            text = self._request_text(t, method, words, headers)
            again = "" if method == "ACK" else f' retrans="{REPEAT_MS}"'
            self.steps[src].append(f"<send{again}><![CDATA[\n{text}\n]]></send>")
            if method == "INVITE":
                self.steps[src].append('<recv response="100" optional="true"/>')
        if dst in self.steps:
            self.steps[dst].append(self._recv_request(dst, t, method, words, checks))

    def _transaction(self, src, method):
        if method in ("ACK", "CANCEL"):
            return next(t for t in reversed(self.transactions) if t.side == src and t.method == "INVITE")
        self.cseq[src] += 1
        t = Transaction(len(self.transactions), src, method, self.cseq[src], self.dialog or src == "B")
        self.transactions.append(t)
        return t

    def _request_text(self, t, method, words, headers):
        branch = f"z9hG4bK-[pid]-[call_number]-{t.side}{t.cseq}"
        inside = t.in_dialog
        if method == "ACK" and t.final < 300:
            branch, inside = branch + "ack", True
        if t.side == "A":
            tag = "[peer_tag_param]" if inside or method == "ACK" else ""
            parties = f"From: <[from_uri]>;tag=a[pid]-[call_number]\nTo: <[uri]>{tag}"
        else:
            parties = "From:[$to0];tag=b[pid]-[call_number]\nTo:[$from0]"
        lines = [f"{method} {'[next_url]' if inside else '[uri]'} SIP/2.0",
                 f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch={branch};rport", parties,
                 "Call-ID: [call_id]", f"CSeq: {t.cseq} {method}", "Max-Forwards: 70"]
        if method not in ("ACK", "CANCEL"):
            lines.append("Contact: <sip:[local_ip]:[local_port]>")
        if inside and "noroute" not in words:
            lines.append("[routes]")
        if "auth" in words:
            lines.append("[authentication username=joe password=secret]")
        return self._finish(lines, t.side, words, headers)

    def _recv_request(self, dst, t, method, words, checks):
        attrs = f'request="{method}"' + (' optional="true"' if "?" in words else "")
        if not t.in_dialog and method == t.method:
            attrs += ' rrs="true"'
        n = t.number if method == t.method else f"{t.number}{method}"
        actions = self._checks(dst, checks)
        if method != "ACK":
            for names, regexp, where in ((("all", "top", "between", "line", "vias"), VIAS, 'search_in="msg"'),
                                         (("rr",), RECORD_ROUTES, 'search_in="msg"'),
                                         (("from",), ".*", 'search_in="hdr" header="From:"'),
                                         (("to",), ".*", 'search_in="hdr" header="To:"'),
                                         (("cseq",), ".*", 'search_in="hdr" header="CSeq:"')):
                variables = [f"{name}{n}" for name in names]
                self.variables[dst] += variables
                actions.append(f'<ereg regexp={quoteattr(regexp)} {where} assign_to="{",".join(variables)}"/>')
        return self._recv(attrs, actions)

    # ---- responses

    def _response(self, src, dst, code, words, headers, checks):
        cancel = "CANCEL" in words
        asker = {"A": "B", "B": "A"}.get(src) or dst
        t = next(t for t in reversed(self.transactions)
                 if t.side == asker and (t.method == words["of"] if "of" in words else cancel or not t.final))
        if code >= 200 and not cancel:
            t.final = code
        if t.side == "A" and code > 100 and t.method in ("INVITE", "SUBSCRIBE", "REFER") and not cancel:
            self.dialog = self.dialog or code < 300
        if src in self.steps:
            self._pause(src, words)
            again = f' retrans="{REPEAT_MS}"' if t.method == "INVITE" and code >= 200 and not cancel else ""
            n = f"{t.number}CANCEL" if cancel else t.number
            tag = f";tag={words.get('tag', src.lower())}[pid]-[call_number]" if not t.in_dialog and code > 100 else ""
            lines = [f"SIP/2.0 {code} {REASONS.get(code, 'Because')}",
                     f"[$top{n}][$vias{n}][$rr{n}]From:[$from{n}]", f"To:[$to{n}]{tag}", "Call-ID: [call_id]", f"CSeq:[$cseq{n}]",
                     "Contact: <sip:[local_ip]:[local_port]>"]
            self.steps[src].append(f"<send{again}><![CDATA[\n{self._finish(lines, src, words, headers)}\n]]></send>")
        if dst in self.steps and code != 100:  # every INVITE is followed by an optional 100, whoever makes it
            attrs = f'response="{code}"' + (' optional="true"' if "?" in words else "")
            if not t.in_dialog and 100 < code < 300 and not cancel:
                attrs += ' rrs="true"'
            if code in (401, 407):
                attrs += ' auth="true"'
            self.steps[dst].append(self._recv(attrs, self._checks(dst, checks)))

    # ---- pieces

    def _pause(self, side, words):
        if "pause" in words or self.pace:
            self.steps[side].append(f'<pause milliseconds="{words.get("pause", self.pace)}"/>')

    def _checks(self, side, checks):
        """Each ` | Header: regexp` as an action that fails the call when it does not match."""
        actions = []
        for check in checks:
            header, _, regexp = check.strip().partition(":")
            where = 'search_in="body"' if header == "body" else f'search_in="hdr" header="{header}:"'
            actions.append(f'<ereg regexp={quoteattr(regexp.strip())} {where} check_it="true" assign_to="seen"/>')
        if actions and "seen" not in self.variables[side]:
            self.variables[side].append("seen")
        return actions

    @staticmethod
    def _recv(attrs, actions):
        if not actions:
            return f"<recv {attrs}/>"
        return f"<recv {attrs}><action>\n" + "\n".join(actions) + "\n</action></recv>"

    def _finish(self, lines, side, words, headers):
        lines = lines + [header.strip() for header in headers]
        body = ""
        if "sdp" in words:
            self.bodies += 1
            mode = {"": "sendrecv", "hold": "sendonly"}.get(words["sdp"], words["sdp"])
            body = SDP.format(side=side.lower(), version=self.bodies, mode=mode)
            lines.append("Content-Type: application/sdp")
        elif "text" in words:
            body = "Watson, come here."
            lines.append("Content-Type: text/plain")
        lines.append("Content-Length: [len]" if body else "Content-Length: 0")
        return "\n".join(lines) + "\n\n" + body
