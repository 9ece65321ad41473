# SPDX-License-Identifier: MIT
#
# Makes a man page of what a command says to --help, so that there is one text. For make:
#
#   letterbox-poll --help | awk -f scripts/lib/man.awk -v name=letterbox-poll -v section=8 \
#       -v version=0.1.0 -v see='letterbox(1)'
#
# It knows the form that our usages have: lines with `usage:`, then paragraphs. A line that begins
# with two blanks is a term, if it is an option or has text behind two blanks more; further text of
# the term is indented. Other indented lines, and those with `example:`, stay as they are.

function text(line) {
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    if (line ~ /^[.']/) line = "\\&" line
    return line
}

function say(line) { print text(line) }

# As it stands, in the middle of filled text.
function begin_plain() {
    if (!plain) print ".PP\n.nf"
    plain = 1
}

function end_plain() {
    if (plain) print ".fi"
    plain = 0
}

function title(words) {
    if (section_now == words) return
    end_plain()
    print ".SH " words
    section_now = words
}

# A sentence as the name's line has it: without its end, and small.
function summary(line) {
    sub(/\.( .*)?$/, "", line)
    return tolower(substr(line, 1, 1)) substr(line, 2)
}

{ line[NR] = $0 }

END {
    printf ".TH %s %s \"\" \"Letterbox %s\"\n", toupper(name), section, version
    # The usage, up to its first empty line or to a line that is no continuation.
    for (at = 1; at <= NR; at++) {
        if (at > 1 && line[at] !~ /^ /) break
        usage[at] = substr(line[at], 8)
    }
    usages = at - 1
    while (line[at] == "") at++
    first = at
    print ".SH NAME"
    for (words = line[at]; line[at] !~ /[.:]$|\. / && line[at + 1] != ""; words = words " " line[at]) at++
    say(name " - " summary(words))
    print ".SH SYNOPSIS\n.nf"
    for (i = 1; i <= usages; i++) say(usage[i])
    print ".fi"
    title("DESCRIPTION")
    for (at = first; at <= NR; at++) body(line[at])
    end_plain()
    print ".SH SEE ALSO"
    say(see)
}

function body(now,    term, rest) {
    if (now == "") {
        end_plain()
        print ".PP"
        in_term = 0
    } else if (now ~ /^example:/) {
        title("EXAMPLES")
        begin_plain()
        say(substr(now, 10))
        in_example = 1
    } else if (in_example && now ~ /^ /) {
        say(now)
    } else if (now ~ /^  [^ ]/) {
        in_example = 0
        # A term is divided from its text by two blanks; without text it may stand alone.
        term = substr(now, 3)
        if (match(term, /  +/)) {
            rest = substr(term, RSTART + RLENGTH)
            term = substr(term, 1, RSTART - 1)
            end_plain()
            print ".TP"
            print ".B " text(term)
            say(rest)
            in_term = 1
        } else if (term ~ /^-/) {
            end_plain()
            print ".TP"
            print ".B " text(term)
            in_term = 1
        } else {
            begin_plain()
            say(now)
        }
    } else if (now ~ /^ / && in_term) {
        sub(/^ +/, "", now)
        if (now ~ /^LETTERBOX_/) print ".br"
        say(now)
    } else if (now ~ /^ /) {
        begin_plain()
        say(now)
    } else {
        in_example = 0
        if (in_term) print ".PP"
        in_term = 0
        end_plain()
        say(now)
    }
}
