#!/bin/sh
# Rebuilds mixed.wasm. Needs `rustup target add wasm32-unknown-unknown`.
set -eu
cd "$(dirname "$0")"
exec rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib \
    -C opt-level=3 -C panic=abort -C codegen-units=1 -C lto=fat -C debuginfo=0 -C strip=debuginfo \
    --remap-path-prefix "$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc" -o mixed.wasm mixed.rs
