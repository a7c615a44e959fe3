# SPDX-License-Identifier: BSD-3-Clause
"""Ladders of the flows, by the names that the tests use. A is the caller, B the called side (see lab/ladder.py)."""

BASIC = """
A>B INVITE sdp | Max-Forwards: ^ *69 *$
B>A 100
B>A 180
B>A 200 sdp
A>B ACK | Max-Forwards: ^ *69 *$
A>B BYE | Max-Forwards: ^ *69 *$
B>A 200
"""

# Phones that ignore Record-Route: what is in the dialog still comes to Weir, without a Route (B) or to its proxy (A).
NO_ROUTES_A = BASIC.replace("A>B ACK", "A>B ACK noroute").replace("A>B BYE", "A>B BYE noroute")
NO_ROUTES_B = """
A>B INVITE sdp
B>A 180
B>A 200 sdp
A>B ACK noroute
B>A BYE noroute
A>B 200
"""

HANG_UP_BY_B = """
A>B INVITE sdp
B>A 180
B>A 200 sdp
A>B ACK
B>A BYE | Max-Forwards: ^ *69 *$
A>B 200
"""

# 3GPP TS 24.229: reliable 183, preconditions in PRACK and UPDATE, ringing after that.
VOLTE = """
A>B INVITE sdp / Supported: 100rel, precondition
B>A 100
B>A 183 sdp / Require: 100rel / RSeq: 9021
A>B PRACK sdp / RAck: 9021 1 INVITE | RAck: 9021 1 INVITE
B>A 200 sdp
A>B UPDATE sdp
B>A 200 sdp
B>A 180 / Require: 100rel / RSeq: 9022
A>B PRACK / RAck: 9022 1 INVITE
B>A 200
B>A 200
A>B ACK
{bye}
"""
VOLTE_A = VOLTE.format(bye="A>B BYE\nB>A 200")
VOLTE_B = VOLTE.format(bye="B>A BYE\nA>B 200")

# UPDATE in the early dialog from the called side too.
EARLY_UPDATE_B = """
A>B INVITE sdp / Supported: 100rel
B>A 183 sdp / Require: 100rel / RSeq: 1
A>B PRACK / RAck: 1 1 INVITE
B>A 200
B>A UPDATE sdp
A>B 200 sdp
B>A 200
A>B ACK
A>B BYE
B>A 200
"""

# Hold and retrieve from both sides, refused, and cancelled.
SESSION_CHANGE = """
A>B INVITE sdp
B>A 200 sdp
A>B ACK
A>B INVITE sdp=hold | body: a=sendonly
B>A 200 sdp=recvonly | body: a=recvonly
A>B ACK
B>A INVITE sdp=hold | body: a=sendonly
A>B 200 sdp=recvonly
B>A ACK
A>B INVITE sdp
B>A 488 / Warning: 304 pstn.test "Media type not available" | Warning: 304 pstn.test "Media type not available"
A>B ACK
B>A INVITE sdp
A>B 491
B>A ACK
A>B INVITE sdp
B>A 100
B>A 180
A>B CANCEL
B>A 200 CANCEL
B>A 487
A>B ACK
A>B INVITE sdp
B>A 200 sdp
A>B ACK
A>B BYE
B>A 200
"""

CANCELLED = """
A>B INVITE sdp
B>A 100
B>A 180
A>B CANCEL
B>A 200 CANCEL
B>A 487
A>B ACK
"""

REFUSED = """
A>B INVITE sdp
B>A 100
B>A {code} {extra}
A>B ACK
"""

AUTHENTICATED = """
A>B INVITE sdp
B>A 407 / Proxy-Authenticate: Digest realm="pstn.test", nonce="5ccc069c403ebaf9f0171e9517f40e41"
A>B ACK
A>B INVITE sdp auth | Proxy-Authorization: username="joe"
B>A 200 sdp
A>B ACK
A>B BYE
B>A 200
"""

# Three answers with different To tags, the last of them taken (RFC 3261 13.2.2.4).
MANY_PROVISIONALS = """
A>B INVITE sdp
B>A 183 sdp
B>A 180
B>A 183 sdp
B>A 200 sdp
A>B ACK
A>B BYE
B>A 200
"""

# Forks: each answer has a To tag of its own; the call is the last one's.
FORKS = """
A>B INVITE sdp
B>A 180 tag=f1
B>A 183 sdp tag=f2
B>A 180 tag=f3
B>A 200 sdp tag={answers}
A>B ACK
A>B BYE
B>A 200
"""
ANSWERED_AT_ONCE = """
A>B INVITE sdp
B>A 200 sdp
A>B ACK
A>B BYE
B>A 200
"""
PROGRESS_ONLY = ANSWERED_AT_ONCE.replace("B>A 200 sdp", "B>A 183 sdp\nB>A 200 sdp", 1)

# Session timers (RFC 4028): too small, then agreed on, refreshed by both sides; nobody on the way touches them.
SESSION_TIMER = """
A>B INVITE sdp / Supported: timer / Session-Expires: 30;refresher=uac
B>A 422 / Min-SE: 1800 | Min-SE: ^ *1800 *$
A>B ACK
A>B INVITE sdp / Supported: timer / Session-Expires: 1800;refresher=uac / Min-SE: 1800 | Session-Expires: ^ *1800;refresher=uac *$
B>A 200 sdp / Require: timer / Session-Expires: 1800;refresher=uac | Session-Expires: ^ *1800;refresher=uac *$
A>B ACK
A>B UPDATE / Supported: timer / Session-Expires: 1800;refresher=uac
B>A 200 / Session-Expires: 1800;refresher=uac
B>A INVITE sdp / Supported: timer / Session-Expires: 1800;refresher=uas
A>B 200 sdp / Session-Expires: 1800;refresher=uas
B>A ACK
A>B BYE
B>A 200
"""

# Transfer (RFC 3515, RFC 3892, RFC 4488): B sends A elsewhere; a Refer-To as long as transfer URIs of Direct Routing are.
LONG_URI = "<sip:+82105550199@pstn.test;user=phone?Replaces=" + "7" * 300 + "%3Bto-tag%3Dx%3Bfrom-tag%3Dy>"
REFERRED = """
A>B INVITE sdp
B>A 180
B>A 200 sdp
A>B ACK
B>A REFER / Refer-To: {to} / Referred-By: <sip:b@pstn.test> | Refer-To: Replaces=7+%3Bto-tag | Referred-By: sip:b@pstn.test
A>B 202
A>B NOTIFY / Event: refer / Subscription-State: active;expires=60
B>A 200
A>B NOTIFY / Event: refer / Subscription-State: terminated;reason=noresource
B>A 200
B>A BYE
A>B 200
""".format(to=LONG_URI)
REFERRED_A = """
A>B INVITE sdp
B>A 200 sdp
A>B ACK
A>B REFER / Refer-To: {to} / Referred-By: <sip:a@pstn.test> | Refer-To: Replaces=7+%3Bto-tag
B>A 202
B>A NOTIFY / Event: refer / Subscription-State: terminated;reason=noresource
A>B 200
A>B BYE
B>A 200
""".format(to=LONG_URI)

REGISTERED = """
A>B REGISTER / Expires: 600
B>A 401 / WWW-Authenticate: Digest realm="pstn.test", nonce="5ccc069c403ebaf9f0171e9517f40e41"
A>B REGISTER auth / Expires: 600 | Authorization: username="joe"
B>A 200 / Expires: 600
A>B REGISTER auth / Expires: 600
B>A 200 / Expires: 600
A>B REGISTER auth / Expires: 0 | Expires: ^ *0 *$
B>A 200
"""

ONE_REQUEST = """
A>B {method} {words}
B>A 200
"""

SUBSCRIBED = """
A>B SUBSCRIBE / Event: presence / Expires: 600
B>A 200 / Expires: 600
B>A NOTIFY / Event: presence / Subscription-State: active
A>B 200
A>B SUBSCRIBE / Event: presence / Expires: 0
B>A 200 / Expires: 0
B>A NOTIFY / Event: presence / Subscription-State: terminated
A>B 200
"""

# A long call: both sides wait for the word of the test before anybody speaks again.
HELD_OPEN = """
A>B INVITE sdp
B>A 180
B>A 200 sdp
A>B ACK
A wait
A>B INVITE sdp=hold
B>A 200 sdp
A>B ACK
B wait
B>A INVITE sdp
A>B 200 sdp
B>A ACK
{bye}
"""
