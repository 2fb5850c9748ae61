#!/usr/bin/env bash
# Runs a module ($MODULE), or else the tests of a cargo package ($PACKAGE), under the seeds $SEEDS with the options $ARGS.
# Reports go to $OUT, and a trace of the first run of each program that fails. Ends with grind's exit code.
set -euo pipefail

mkdir -p "$OUT"
read -r -a options <<< "${ARGS-}"
options+=(--format human --report github=- --report "json=$OUT/grind.json" --report "sarif=$OUT/grind.sarif")
if [[ -n ${SEEDS-} ]]; then
    options+=(--seeds "$SEEDS")
fi

code=0
if [[ -n ${MODULE-} ]]; then
    grind run "${options[@]}" "$MODULE" || code=$?
else
    cargo grind test ${PACKAGE:+-p "$PACKAGE"} "${options[@]}" || code=$?
fi
if [[ $code == 0 ]]; then
    exit 0
fi

shopt -s nullglob
for report in "$OUT"/*.json; do
    # The command that shows the first finding again, in the words of a shell, within the quotes of JSON.
    again=$(sed -n 's/^ *"reproduce": "grind run \(.*\)",\{0,1\}$/\1/p' "$report" | sed 's/\\\(["\\]\)/\1/g')
    if [[ -z $again ]]; then
        continue
    fi
    eval "words=($again)"
    trace=${report%.json}.grind
    if grind run --trace-file "$trace" --embed-module "${words[@]}" > /dev/null 2>&1; then
        rm -f "$trace"
    fi
done
exit "$code"
