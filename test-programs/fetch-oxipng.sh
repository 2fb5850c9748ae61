#!/usr/bin/env bash
# Fetches oxipng as @jsquash/oxipng ships it, a threaded module of wasm-bindgen-rayon, and runs it under the detectors.
#
#   ./fetch-oxipng.sh PNG [THREADS [SEED]]
#
# The package is that of npm, under the Apache License 2.0 (oxipng itself under MIT), and stays in target/: nothing of it
# is committed. Needs npm. docs/guests.md says what came of it.
set -euo pipefail
cd "$(dirname "$0")"

if [ $# -lt 1 ]; then
    echo "fetch-oxipng.sh: which picture?" >&2
    exit 2
fi
png=$(realpath "$1")
shift
work=$PWD/target/oxipng
mkdir -p "$work"
if [ ! -d "$work/package" ]; then
    (cd "$work" && npm pack --silent @jsquash/oxipng@2.3.0 && tar -xzf jsquash-oxipng-2.3.0.tgz)
fi
module=$work/package/codec/pkg-parallel/squoosh_oxipng_bg.wasm
sha256sum --check --quiet <<<"2f579c4be8d88aaa44ee5db950df97e15c49738f92c690bb6aa9cbf49caaa8eb  $module"
cd ..
cargo run --release -p grind-runtime --example oxipng -- "$module" "$png" "$@"
