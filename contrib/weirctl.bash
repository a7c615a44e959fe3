# SPDX-License-Identifier: BSD-3-Clause
# bash completion of weirctl: the program itself knows its words and the daemon's names.
complete -o default -C 'weirctl --bash-complete' weirctl
