#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# stale.sh GENERATE WHAT PAGE: fails if PAGE is not what GENERATE writes now.
fresh=$(mktemp) || exit 1
trap 'rm -f "$fresh"' EXIT
"$1" "$2" "$fresh" && diff -u "$3" "$fresh" && exit 0
echo "stale: run ninja -C build docs" >&2
exit 1
