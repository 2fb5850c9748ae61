#!/usr/bin/env bash
# Builds the guests to wasm/*.wasm.
#
#   ./build.sh              all of them, and wasm/sources.sha256
#   ./build.sh NAME...      only these, by the names of their sources in src/bin; `subjects` is src/subjects
#
# Needs rustup's `rust-src`, for std is built with atomics. RUSTC_BOOTSTRAP=1 allows that on a stable
# toolchain, so that std is the pinned one. The same toolchain gives the same modules anywhere: no path of
# this machine gets into them, see the flags and rustc-wrapper.sh.
set -euo pipefail
cd "$(dirname "$0")"

programs=$PWD
repository=$(dirname "$programs")
sysroot=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}

flags=(
    -C target-feature=+atomics,+bulk-memory,+mutable-globals
    -C link-arg=--shared-memory
    -C link-arg=--import-memory
    -C link-arg=--max-memory=67108864
)
# What a host may want to see or, for guests without thread_start in assembly, to set.
for symbol in __wasm_init_tls __tls_size __tls_align __tls_base __stack_pointer __heap_base; do
    flags+=(-C "link-arg=--export=$symbol")
done
# Longest prefix last: of those that match, rustc takes the last. Paths in the modules are relative to
# this directory.
flags+=(
    "--remap-path-prefix=$cargo_home/registry/src=/cargo"
    "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc"
    "--remap-path-prefix=$repository=.."
    "--remap-path-prefix=$programs/="
    "--remap-path-prefix=$programs=."
)

build() { # DIRECTORY FEATURES BIN...
    local directory=$1 features=$2 bin
    shift 2
    local bins=()
    for bin in "$@"; do
        bins+=(--bin "$bin")
    done
    # Encoded, because a path may have a space in it.
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}") RUSTC_BOOTSTRAP=1 \
        RUSTC_WRAPPER=$programs/rustc-wrapper.sh \
        cargo build --release --locked --target wasm32-unknown-unknown \
        -Z build-std=std,panic_abort --no-default-features --features "$features" "${bins[@]}"
    mkdir -p "$directory"
    for bin in "$@"; do
        install -m 644 "target/wasm32-unknown-unknown/release/$bin.wasm" "$directory/"
    done
}

subjects=no
if [ $# -gt 0 ]; then
    guests=()
    for guest in "$@"; do
        if [ "$guest" = subjects ]; then
            subjects=yes
        else
            guests+=("$guest")
        fi
    done
else
    subjects=yes
    guests=()
    for source in src/bin/*.rs; do
        guests+=("$(basename "$source" .rs)")
    done
fi

# Guests that no finding is expected in, and that are mostly instances of std's generics, each with its
# line table.
generic=" clean_std_channel clean_task_local clean_task_threads clean_thread_semantics "

with_lines=() without_lines=()
for guest in "${guests[@]}"; do
    if [[ $generic == *" $guest "* ]]; then
        without_lines+=("$guest")
    else
        with_lines+=("$guest")
    fi
done
if [ ${#with_lines[@]} -gt 0 ]; then
    build wasm tracing "${with_lines[@]}"
fi
if [ ${#without_lines[@]} -gt 0 ]; then
    CARGO_PROFILE_RELEASE_DEBUG=false build wasm tracing "${without_lines[@]}"
fi

# They use nothing of threadlink.
if [ $subjects = yes ]; then
    build wasm/subjects "" subjects
fi
if [ $# -eq 0 ]; then
    # Those that only a host of their own runs.
    build wasm/hosted tracing hosted_calls
    # A few without hooks, to compare their imports.
    build wasm/untraced "" clean_counter_mutex clean_try_locks norace_annotated_order
    # What all of this was made from, so that a test can say that it is out of date.
    find src build.sh rustc-wrapper.sh Cargo.toml Cargo.lock ../threadlink/Cargo.toml ../threadlink/src \
        ../threadlink/tests/semantics -type f |
        LC_ALL=C sort | xargs sha256sum >wasm/sources.sha256
fi
