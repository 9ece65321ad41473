# SPDX-License-Identifier: MIT
#
# Prints one field of each message. A message is one line, as in an answer of /poll:
#   {"id":"…","type":"…","data":…,"time":…}
# -v field=id, type or time: its value. -v field=data: a text as it is, anything else as
# JSON, followed by a newline. Run it with LC_ALL=C: characters are bytes here.

BEGIN { ORS = "" }

# The length of the JSON string at the beginning of `json`, quotes included.
function string_length(json,    at, char) {
    for (at = 2; (char = substr(json, at, 1)) != "\""; at++) {
        if (char == "\\") at++
        if (at > length(json)) exit 1
    }
    return at
}

function hex(digits,    i, number) {
    for (i = 1; i <= 4; i++) number = number * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
    return number
}

# A character in UTF-8. A shell's text can't contain code 0, which becomes U+FFFD.
function utf8(code) {
    if (code == 0) code = 65533
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
}

# The text of a JSON string.
function text(json,    rest, result, at, char, code) {
    rest = substr(json, 2, length(json) - 2)
    while (at = index(rest, "\\")) {
        result = result substr(rest, 1, at - 1)
        char = substr(rest, at + 1, 1)
        rest = substr(rest, at + 2)
        if (char == "u") {
            code = hex(rest)
            rest = substr(rest, 5)
            # One half of a UTF-16 surrogate pair; the other half follows.
            if (code >= 55296 && code < 56320) {
                code = 65536 + (code - 55296) * 1024 + hex(substr(rest, 3)) - 56320
                rest = substr(rest, 7)
            }
            result = result utf8(code)
        } else if (char == "n") result = result "\n"
        else if (char == "t") result = result "\t"
        else if (char == "r") result = result "\r"
        else if (char == "b") result = result "\b"
        else if (char == "f") result = result "\f"
        else result = result char
    }
    return result rest
}

{
    rest = substr($0, length("{\"id\":") + 1)
    size = string_length(rest)
    id = substr(rest, 1, size)
    rest = substr(rest, size + length(",\"type\":") + 1)
    size = string_length(rest)
    type = substr(rest, 1, size)
    rest = substr(rest, size + length(",\"data\":") + 1)
    match(rest, /,"time":[0-9]+}$/)
    if (field == "id") print text(id)
    if (field == "type") print text(type)
    if (field == "time") print substr(rest, RSTART + 8, RLENGTH - 9)
    if (field != "data") next
    data = substr(rest, 1, RSTART - 1)
    print (data ~ /^"/ ? text(data) : data) "\n"
}
