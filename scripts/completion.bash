# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion in bash for the command letterbox, and for the scripts that a user calls: their
# options, values that are of a closed list, and files. `make install` puts it where bash looks;
# source it from the repository:
#
#   . scripts/completion.bash
#
# Nothing is called to find out, since what stands on a command line is not to be run by a
# press of TAB: tests/e2e/test_completion.py compares the lists with what --help says.

_letterbox_options() {
    case $1 in
        run) echo --port --dir --cluster --help --version ;;
        service) echo --port --dir --cluster --programs --help --version ;;
        test) echo --unit --redis --e2e --rare --cluster --client --clients --published --streams --browser --smoke --fuzz --model --package -k --help --version ;;
        letterbox) echo --help --version ;;
        push) echo --type --ttl --delay --at --file --json --wait --idempotency-key --url --help --version ;;
        poll) echo --client --exec --tries --json --text --once --stream --since --timeout --token-file --url --cursor-file --help --version ;;
        run-job) echo --type --id --title --ttl --quiet --wait --url --help --version ;;
    esac
}

# Puts files, or by -d directories alone, that begin so into COMPREPLY.
_letterbox_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# _letterbox NAME: completes a command line of the script of this name.
_letterbox() {
    local name=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at
    COMPREPLY=()

    # Of --option=VALUE bash makes three words, and of --option= two.
    if [ "$word" = = ]; then
        word=
    elif [ "$before" = = ] && ((COMP_CWORD > 2)); then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    # Behind -- stands what run-job is to run: a command, and its own arguments.
    if [ "$name" = run-job ]; then
        for ((at = 1; at < COMP_CWORD; at++)); do
            [ "${COMP_WORDS[at]}" = -- ] || continue
            if declare -F _command_offset >/dev/null; then
                _command_offset $((at + 1))
            elif ((at + 1 == COMP_CWORD)) && [[ $word != */* ]]; then
                mapfile -t COMPREPLY < <(compgen -c -- "$word")
            else
                _letterbox_files -f "$word"
            fi
            return
        done
    fi

    case $name,$before in
        *,--dir) _letterbox_files -d "$word" && return ;;
        *,--file | *,--cursor-file | *,--token-file) _letterbox_files -f "$word" && return ;;
        poll,--exec)
            mapfile -t COMPREPLY < <(compgen -c -- "$word")
            return
            ;;
        # Values that nobody can guess.
        *,--port | *,-k | *,--type | *,--ttl | *,--delay | *,--at | *,--url | *,--client | *,--tries | *,--since | *,--timeout | *,--id | *,--title | *,--wait | *,--idempotency-key) return ;;
    esac

    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_letterbox_options "$name")" -- "$word")
    elif [ "$name" = service ] && ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'start stop restart status' -- "$word")
    fi
}

# The name that bash passes on is the command as it was typed.
_letterbox_script() {
    _letterbox "${1##*/}"
}

# letterbox VERB …: what stands behind push, poll and job is completed as those scripts' own line.
_letterbox_command() {
    local name
    if ((COMP_CWORD == 1)); then
        case ${COMP_WORDS[1]} in
            -*) mapfile -t COMPREPLY < <(compgen -W "$(_letterbox_options letterbox)" -- "${COMP_WORDS[1]}") ;;
            *) mapfile -t COMPREPLY < <(compgen -W 'push poll job status check' -- "${COMP_WORDS[1]}") ;;
        esac
        return
    fi
    case ${COMP_WORDS[1]} in
        push | poll) name=${COMP_WORDS[1]} ;;
        job) name=run-job ;;
        *) return ;;
    esac
    COMP_WORDS=("${COMP_WORDS[@]:1}")
    COMP_CWORD=$((COMP_CWORD - 1))
    _letterbox "$name"
}
complete -F _letterbox_command letterbox

# In the repository, by their names alone only those that are nobody else's: `service` and `test`
# are commands of the system.
complete -F _letterbox_script push poll run-job
for _letterbox_place in scripts ./scripts "$(cd -- "${BASH_SOURCE[0]%/*}" 2>/dev/null && pwd -P)"; do
    complete -F _letterbox_command "$_letterbox_place/letterbox"
    complete -F _letterbox_script "$_letterbox_place"/{run,service,test,push,poll,run-job}
done
unset _letterbox_place
