#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# check_installed.sh BUILD: what the manual pages speak of is installed with them.
set -euo pipefail

installed=$(meson introspect --installed "$1")
for file in bin/weir bin/weirctl share/bash-completion/completions/weirctl; do
	grep -q "/$file\"" <<<"$installed" || {
		echo "not installed: $file" >&2
		exit 1
	}
done
