# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the program behind a socket says, past nginx: for scripts/service and scripts/letterbox.

# fcgi_answer SOCKET METHOD PATH: its answer, the line with the status first; nothing if nobody
# answers. cgi-fcgi sends its environment.
fcgi_answer() {
    env -i "PATH=$PATH" "REQUEST_METHOD=$2" "PATH_INFO=$3" \
        timeout 5 cgi-fcgi -bind -connect "$1" </dev/null 2>/dev/null
}

fcgi_status() {
    fcgi_answer "$@" | sed -n '1s/^Status: \([0-9]*\).*/\1/p'
}
