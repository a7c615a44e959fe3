# SPDX-License-Identifier: BSD-3-Clause
"""The modes that are compared: what stands between, and what the gateways are like. A table; nothing happens here."""
from .paths import Direct, Kamailio, WeirPath

SERVERS, SERVICE_MS = 32, 400   # of each of four gateways: 80 calls/s
GATEWAY_CPS = SERVERS * 1000 / SERVICE_MS
CAPACITY = 4 * GATEWAY_CPS      # calls/s of the pool; Weir is told only where it says so
REJECT, ABSORB = 0.1, 0.05      # what a refusal costs a gateway, and a repetition or something thrown away, in calls

# Gateways of every mode, before its own words. The queue holds 0.8 s of work.
GATEWAY = {"servers": SERVERS, "service": f"{SERVICE_MS}ms", "reject": REJECT, "absorb": ABSORB, "queue": 64,
           "full": "503", "100": "on-receipt", "options": "queue"}
HEALTH = "health: { interval: 1s, timeout: 900ms, down-after: 3, up-after: 2 }"


def weir(overload, gateway=""):
    return {"path": WeirPath, "gateway": gateway, "pool": f"{HEALTH}\n{overload}"}


# name -> title, and what makes it: path (with its own arguments), words for gwsim, words for the callers' peers
MODES = {
    "A": {"title": "no control, silent drop", "path": Direct, "gwsim": {"full": "drop", "queue": 640}},
    "B": {"title": "gateway's own 503", "path": Direct},
    "C": {"title": "503 + Retry-After 5, ignored", "path": Direct, "gwsim": {"retry_after": 5}},
    "C-obey": {"title": "503 + Retry-After 5, obeyed", "path": Direct, "gwsim": {"retry_after": 5},
               "peer": {"retry_after": "hold"}},
    "D-cc": {"title": "Kamailio 5.6, alg 11, cc=1", "path": Kamailio, "algorithm": 11},
    "D-load": {"title": "Kamailio 5.6, alg 10, call load", "path": Kamailio, "algorithm": 10},
    "E": {"title": "Weir, told the capacity"} | weir("overload: { learn: off, oc: off }", f"max-cps: {GATEWAY_CPS:g}/s"),
    "F-loss": {"title": "Weir, obeys oc (loss)", "gwsim": {"oc": "loss"}} | weir("overload: { learn: off, oc: on }"),
    "F-rate": {"title": "Weir, obeys oc (rate)", "gwsim": {"oc": "rate"}} | weir("overload: { learn: off, oc: on }"),
    "G": {"title": "Weir learns, 100 on receipt"} | weir("overload: { learn: on }"),
    "G-dequeue": {"title": "Weir learns, 100 on dequeue", "gwsim": {"100": "on-dequeue"}} | weir("overload: { learn: on }"),
    "G-never": {"title": "Weir learns, never 100", "gwsim": {"100": "never"}} | weir("overload: { learn: on }"),
}
