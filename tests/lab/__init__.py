# SPDX-License-Identifier: BSD-3-Clause
"""A SIP laboratory in network namespaces: callers, Weir, gateways. Used by tests/e2e and demo."""
