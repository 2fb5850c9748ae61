#!/usr/bin/env bash
# Builds the package for npm, and the page, into grind-web/dist. Needs the target wasm32-unknown-unknown and node.
#
# `wasm-opt` makes the module smaller where it is installed, and is not needed.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
dist=grind-web/dist

# Only so is it optimised as a whole; see Cargo.toml.
cargo rustc --locked --package grind-web --lib --crate-type cdylib --profile web --target wasm32-unknown-unknown
# Of the version in the lock file, whatever is installed.
rm -rf "$dist"
mkdir -p "$dist"
cargo run --locked --quiet --package grind-web --example bindgen -- \
    "$target/wasm32-unknown-unknown/web/grind_web.wasm" "$dist"
if command -v wasm-opt >/dev/null; then
    wasm-opt -Oz --all-features "$dist/grind_bg.wasm" -o "$dist/grind_bg.wasm"
fi
cp grind-web/js/index.mjs grind-web/js/index.d.ts grind-web/README.md LICENSE-APACHE LICENSE-MIT "$dist/"
node grind-web/page/build.mjs "$dist"
gzip -9 --stdout "$dist/grind_bg.wasm" | wc -c | sed 's/$/ bytes, gzipped: grind_bg.wasm/'
gzip -9 --stdout "$dist/grind.html" | wc -c | sed 's/$/ bytes, gzipped: grind.html/'
