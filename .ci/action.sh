#!/usr/bin/env bash
# What action.yml runs: lints, writes SARIF, annotations and a summary of the job, and says how it went.
#
# TORCHLOSSLINT   the command (default: the one on PATH)
# INPUT_PATHS     files and folders, one a line (default: the working directory)
# INPUT_ARGS      further options, one a line
# INPUT_SARIF     where the SARIF file goes
# GITHUB_OUTPUT   gets status=0|1|2 and sarif=FILE; GITHUB_STEP_SUMMARY gets the findings as text
#
# Ends with 0 even if there are findings: the next steps upload the file and fail the job.
set -euo pipefail

# Lines of a text without blanks around them, and without empty ones, to the array `lines`.
split() {
    local line
    lines=()
    while IFS= read -r line || [ -n "$line" ]; do
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line%"${line##*[![:space:]]}"}"
        if [ -n "$line" ]; then lines+=("$line"); fi
    done <<<"$1"
}

command="${TORCHLOSSLINT:-torchlosslint}"
sarif="${INPUT_SARIF:-torchlosslint.sarif}"
output="${GITHUB_OUTPUT:-/dev/stdout}"
summary="${GITHUB_STEP_SUMMARY:-/dev/null}"
text="$(mktemp)"
trap 'rm -f "$text"' EXIT

split "${INPUT_ARGS:-}"
options=(${lines[@]+"${lines[@]}"})
split "${INPUT_PATHS:-.}"
paths=(${lines[@]+"${lines[@]}"})

# A file of an earlier run must not pass for this one's.
rm -f "$sarif"
status=0
NO_COLOR=1 COLUMNS=100 "$command" check ${options[@]+"${options[@]}"} \
    --format "sarif:$sarif,text:$text,github" -- ${paths[@]+"${paths[@]}"} || status=$?
# Anything else than these (a killed process, a command that is not there) is a failed run.
case "$status" in 0 | 1) ;; *) status=2 ;; esac

{
    echo "status=$status"
    if [ -f "$sarif" ]; then echo "sarif=$sarif"; else echo "sarif="; fi
} >>"$output"

{
    echo "### torchlosslint"
    echo
    if [ "$status" = 2 ]; then
        echo "The run failed; the log of the job says why."
    else
        # A fence longer than any in the code that is shown. A summary holds one megabyte.
        echo '````````text'
        head -c 900000 "$text"
        echo '````````'
    fi
} >>"$summary"
