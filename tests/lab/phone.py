# SPDX-License-Identifier: BSD-3-Clause
"""A call made by hand: a raw caller, and whichever raw gateway it comes to."""
from lab.net import until
from lab.wire import Setup


class Phone:
    """One call of a raw caller, to one of these gateways."""

    def __init__(self, caller, gateways, uri, headers=""):
        self.caller, self.gateways = caller, gateways
        self.setup = Setup(caller, uri, headers)
        self.gateway = self.invite = self.refusal = None

        def decided():
            for gateway in gateways:
                for m in gateway.pending():
                    if m.method == "INVITE" and m.get("call-id") == self.setup.call_id:
                        self.gateway, self.invite = gateway, m
            for m in caller.pending():
                if m.status >= 300 and m.get("call-id") == self.setup.call_id:
                    self.refusal = m
            return self.invite or self.refusal
        until(decided, 3, "neither forwarded nor refused")

    def answer(self, tag="b", headers=""):
        self.gateway.answer(self.invite, 200, "OK", headers, tag=tag)
        self.ok = self.caller.receive(where=lambda m: m.status == 200 and m.get("call-id") == self.setup.call_id)
        self.setup.request("ACK", self.ok, 1)
        self.gateway.request("ACK")
        return self

    def refuse(self, status):
        self.gateway.answer(self.invite, status, tag="b")
        self.gateway.request("ACK")
        self.setup.ack(self.caller.response(status))

    def end(self, status=200, ok=None, **parts):
        self.setup.request("BYE", ok or self.ok, **parts)
        self.gateway.answer(self.gateway.request("BYE"), status, None)
        self.caller.response(status)
