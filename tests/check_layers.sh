#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The rules of the house that a compiler does not check: who may include whom, no DPDK in pure rooms, one door header
# per room, a licence line in every file. Errors end with exit 1; long functions and files are only reported.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

errors=0
error() {
	echo "$*" >&2
	errors=$((errors + 1))
}

# room: the headers of other rooms that it may include
declare -A allowed=(
	[conf]=""
	[stats]="conf/limits.h conf/types.h conf/methods.def"
	[lb]="conf/limits.h conf/types.h conf/methods.def stats/stats.h"
	[dataplane/sip]="conf/limits.h conf/types.h conf/methods.def"
	[dataplane/net]="conf/limits.h conf/types.h stats/stats.h"
	[dataplane]="conf/limits.h conf/types.h conf/methods.def stats/stats.h lb/lb.h dataplane/sip/sip.h dataplane/net/net.h"
	[control]="conf/limits.h conf/types.h conf/conf.h conf/methods.def stats/stats.h lb/lb.h lb/govern/govern.h dataplane/dataplane.h dataplane/net/net.h"
	[control/cli]="conf/limits.h conf/types.h conf/conf.h"
)

# The room of a path: the longest key of `allowed` that is a folder above it.
room_of() {
	local dir
	dir=$(dirname "$1")
	while [ "$dir" != . ]; do
		[ -n "${allowed[$dir]+x}" ] && echo "$dir" && return
		dir=$(dirname "$dir")
	done
	echo none
}

while read -r file; do
	room=$(room_of "$file")
	[ "$room" != none ] || continue
	while read -r header; do
		there=$(room_of "$header")
		[ "$there" = "$room" ] && continue
		[[ " ${allowed[$room]} " == *" $header "* ]] || error "$file: room $room must not include \"$header\""
	done < <(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file")
	case $room in
	conf | stats | lb | dataplane/sip | control/cli)
		grep -Hn 'rte_' "$file" >&2 && error "$file: no DPDK in room $room" ;;
	esac
done < <(git ls-files '*.c' '*.h' '*.def')

while read -r file; do
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || error "$file: no SPDX line"
done < <(git ls-files '*.c' '*.h' '*.def' '*.py' '*.sh' '*.xml' '*meson.build' dev .ci .clang-format)

if command -v ctags >/dev/null; then
	git ls-files '*.c' '*.h' | xargs ctags -x --c-kinds=f --fields=+ne --_xformat='%{end} %{line} %N %{input}' |
		awk '$1 - $2 + 1 > 60 { printf "long function: %d lines, %s in %s\n", $1 - $2 + 1, $3, $4 }' | sort -t: -k2 -rn
fi
git ls-files '*.c' '*.h' '*.py' '*.sh' dev | xargs wc -l | awk '$2 != "total" && $1 > 500 { print "long file: " $1 " lines, " $2 }'

[ "$errors" -eq 0 ] || { echo "$errors broken rules" >&2; exit 1; }
