# SPDX-License-Identifier: MIT
#
# Prints the data of a message about a job, one line of JSON. It is made of environment
# variables (JOB, STATE, COMMAND, and for STATE=done STATUS, SIGNAL, MS) and of standard
# input, which is the end of the command's output: at most WINDOW bytes, then a "|", which
# tells an unfinished last line from a whole one. Prints nothing if there is no progress.
# Run it with LC_ALL=C: characters are bytes here.

BEGIN {
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    tail_lines = 20
    longest_line = 400       # bytes
    longest_command = 1000   # bytes
    ellipsis = "\342\200\246"
}

# Keeps a line, unless it is blank.
function took(line) {
    if (line ~ /[^ \t]/) lines[count++ % tail_lines] = line
}

{
    if (NR > 1) took(last)
    last = $0
    size += length($0) + 1
}

# The length of the UTF-8 character at `at`, if it has two bytes or more; 0: there is none.
function character(bytes, at,    first, second, size, i) {
    first = code[substr(bytes, at, 1)]
    second = code[substr(bytes, at + 1, 1)]
    if (first < 194 || first > 244) return 0
    size = first < 224 ? 2 : first < 240 ? 3 : 4
    # An overlong form, half of a UTF-16 pair, or beyond the last character: not UTF-8.
    if (first == 224 && second < 160 || first == 237 && second > 159) return 0
    if (first == 240 && second < 144 || first == 244 && second > 143) return 0
    for (i = 1; i < size; i++) {
        second = code[substr(bytes, at + i, 1)]
        if (second < 128 || second > 191) return 0
    }
    return size
}

# Any bytes as a JSON string. Each byte that is not UTF-8 becomes U+FFFD.
function text(bytes,    result, at, byte, size) {
    for (at = 1; at <= length(bytes); at++) {
        byte = substr(bytes, at, 1)
        if (byte == "\"" || byte == "\\") result = result "\\" byte
        else if (byte == "\t") result = result "\\t"
        else if (byte == "\n") result = result "\\n"
        else if (code[byte] < 32 || code[byte] == 127) result = result sprintf("\\u%04x", code[byte])
        else if (code[byte] < 128) result = result byte
        else if (size = character(bytes, at)) {
            result = result substr(bytes, at, size)
            at += size - 1
        } else result = result "\357\277\275"
    }
    return "\"" result "\""
}

# At most `limit` bytes of a text, and an ellipsis if more were cut off. No character is cut
# in two.
function cut(bytes, limit,    at) {
    if (length(bytes) <= limit) return bytes
    bytes = substr(bytes, 1, limit)
    for (at = limit; at > limit - 3 && code[substr(bytes, at, 1)] > 127 && code[substr(bytes, at, 1)] < 192; at--) ;
    if (code[substr(bytes, at, 1)] > 191 && character(bytes, at) != limit - at + 1) bytes = substr(bytes, 1, at - 1)
    return bytes ellipsis
}

# A line whose beginning was lost: an ellipsis and the whole characters that are left.
function rest_of(bytes) {
    while (code[substr(bytes, 1, 1)] > 127 && code[substr(bytes, 1, 1)] < 192) bytes = substr(bytes, 2)
    return ellipsis bytes
}

# The last "42%" or "42.5 %" of a line as a JSON number.
function percent(line,    found, number) {
    found = "null"
    while (match(line, /[0-9]+([.,][0-9]+)? ?%/)) {
        number = substr(line, RSTART, RLENGTH)
        sub(",", ".", number)
        if (number + 0 <= 100) found = number + 0
        line = substr(line, RSTART + RLENGTH)
    }
    return found
}

function print_line(line) {
    print ",\"line\":" text(cut(line, longest_line)) ",\"percent\":" percent(line)
}

function print_tail(    first, i) {
    first = count > tail_lines ? count - tail_lines : 0
    print ",\"tail\":["
    for (i = first; i < count; i++) print (i > first ? "," : "") text(cut(lines[i % tail_lines], longest_line))
    print "]"
}

END {
    ORS = ""
    state = ENVIRON["STATE"]
    unfinished = substr(last, 1, length(last) - 1)
    # Progress shows a whole line if there is one: an unfinished line may be cut anywhere.
    if (state == "done" || count == 0) took(unfinished)
    if (state == "progress" && count == 0) exit
    if (size - 2 >= ENVIRON["WINDOW"] && count <= tail_lines) lines[0] = rest_of(lines[0])
    print "{\"job\":" text(ENVIRON["JOB"]) ",\"state\":\"" state "\",\"command\":" text(cut(ENVIRON["COMMAND"], longest_command))
    if (state == "progress") print_line(lines[(count - 1) % tail_lines])
    if (state == "done") {
        print ",\"status\":" ENVIRON["STATUS"] ",\"signal\":" (ENVIRON["SIGNAL"] == "" ? "null" : text(ENVIRON["SIGNAL"])) ",\"ms\":" ENVIRON["MS"]
        print_tail()
    }
    print "}"
}
