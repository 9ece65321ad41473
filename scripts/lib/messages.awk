# SPDX-License-Identifier: MIT
#
# Reads one answer of /poll and prints the elements of its "messages" unchanged, one a
# line. It parses no more of JSON than that needs: it counts brackets, except in strings.
# Run it with LC_ALL=C.

BEGIN {
    RS = "\""      # so records are alternately outside and inside of strings
    ORS = ""       # the program prints the quotes and line ends itself
}

# True if a record ends in a backslash that is not itself escaped: then the quote
# behind the record belongs to the string.
function quote_is_escaped(record,    at) {
    at = length(record)
    while (at > 0 && substr(record, at, 1) == "\\") at--
    return (length(record) - at) % 2 == 1
}

in_string {
    if (depth >= 3) print $0 "\""
    in_string = quote_is_escaped($0)
    next
}

# The answer is { "messages": [ {…}, {…} ] … }: a message begins at the third open
# bracket and ends where that closes.
{
    from = 1
    for (at = 1; at <= length($0); at++) {
        char = substr($0, at, 1)
        if (char == "{" || char == "[") {
            if (++depth == 3) from = at
        } else if (char == "}" || char == "]") {
            if (depth-- == 3) print substr($0, from, at - from + 1) "\n"
        }
    }
    if (depth >= 3) print substr($0, from) "\""
    in_string = 1
}
