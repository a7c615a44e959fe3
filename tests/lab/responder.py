# SPDX-License-Identifier: BSD-3-Clause
"""
A gateway for a network that loses messages, where sipp takes late and repeated ones for faults: answers INVITE with 180
and 200, repeats the 200 until its ACK (RFC 3261 13.3.1.4), answers BYE whenever it comes. A program of its own:

    python3 responder.py ADDRESS PORT      ends with SIGTERM and says in JSON what it saw
"""
import heapq
import json
import re
import select
import signal
import socket
import sys
import time

T1, T2 = 0.5, 4.0
KEPT = re.compile(rb"^(?:Via|Record-Route|From|To|Call-ID|CSeq):.*\r\n", re.M | re.I)
CALL = re.compile(rb"^Call-ID: *(\S+)", re.M | re.I)
BRANCH = re.compile(rb"branch=([^;,\s]+)")


class Responder:
    def __init__(self, ip, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((ip, port))
        self.contact = f"Contact: <sip:{ip}:{port}>\r\nContent-Length: 0\r\n\r\n".encode()
        self.invites = {}     # (Call-ID, branch) of every INVITE -> its 200
        self.waiting = set()  # those without an ACK
        self.ended = set()    # Call-IDs with a BYE
        self.due = []         # (when, interval, INVITE, where to)

    def answer(self, data, status, to):
        lines = [line.replace(b"\r\n", b";tag=b\r\n") if line[:3].lower() == b"to:" and b"tag=" not in line else line
                 for line in KEPT.findall(data.partition(b"\r\n\r\n")[0] + b"\r\n")]
        text = b"SIP/2.0 " + status + b"\r\n" + b"".join(lines) + self.contact
        self.sock.sendto(text, to)
        return text

    def handle(self, data, source):
        call = CALL.search(data)
        if not call:
            return
        call, method = call.group(1), data[:data.find(b" ")]
        if method == b"INVITE":
            key = (call, BRANCH.search(data).group(1))
            if key not in self.invites:
                self.answer(data, b"180 Ringing", source)
                self.invites[key] = self.answer(data, b"200 OK", source)
                self.waiting.add(call)
                heapq.heappush(self.due, (time.monotonic() + T1, T1, key, source))
            else:
                self.sock.sendto(self.invites[key], source)
        elif method == b"ACK":
            self.waiting.discard(call)
        elif method in (b"BYE", b"OPTIONS"):
            if method == b"BYE":
                self.waiting.discard(call)
                self.ended.add(call)
            self.answer(data, b"200 OK", source)

    def repeat(self):
        while self.due and self.due[0][0] <= time.monotonic():
            at, interval, key, source = heapq.heappop(self.due)
            if key[0] in self.waiting:
                self.sock.sendto(self.invites[key], source)
                interval = min(2 * interval, T2)
                heapq.heappush(self.due, (at + interval, interval, key, source))

    def serve(self):
        while not self.stop:
            if select.select([self.sock], [], [], 0.05)[0]:
                self.handle(*self.sock.recvfrom(65535))
            self.repeat()

    stop = False


def main():
    gateway = Responder(sys.argv[1], int(sys.argv[2]))

    def end(*_):
        gateway.stop = True
    signal.signal(signal.SIGTERM, end)
    gateway.serve()
    calls = [call for call, _ in gateway.invites]
    print(json.dumps({"invites": len(calls), "calls": len(set(calls)), "ended": len(gateway.ended)}))


if __name__ == "__main__":
    main()
