#!/usr/bin/env bash
# Builds the guests for the WASI targets, on the std that rustup has for them.
#
#   ./build-wasi.sh             all targets
#   ./build-wasi.sh TARGET...   wasip1 is the crate in wasip1/, for wasm32-wasip1
#
# A target is a crate of its own beside this script, named as the target is without its `wasm32-`: each
# src/bin/NAME.rs becomes wasm/NAME.wasm there, and wasm/sources.sha256 says what they were made from.
#
# Guests in which something is to be found have line tables, their own and of what is inlined into them. Those
# of std and of wasi-libc, several times as large as the guests, are taken out of a copy of what rustup has,
# before it is linked: linkers keep the DWARF of functions that they drop.
set -euo pipefail
cd "$(dirname "$0")"

programs=$PWD
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
host=$(rustc --print host-tuple)

# Prints the directory of a sysroot for TARGET whose libraries have no debug information.
without_debug_information() { # TARGET
    local target=$1 copy=$programs/target/sysroot library
    mkdir -p "$copy/lib/rustlib"
    ln -sfn "$sysroot/lib/rustlib/$host" "$copy/lib/rustlib/$host"
    rm -rf "$copy/lib/rustlib/$target"
    cp -R "$sysroot/lib/rustlib/$target" "$copy/lib/rustlib/"
    while IFS= read -r library; do
        LD_LIBRARY_PATH=$sysroot/lib DYLD_LIBRARY_PATH=$sysroot/lib \
            "$copy/lib/rustlib/$host/bin/rust-objcopy" --strip-debug "$library"
    done < <(find "$copy/lib/rustlib/$target" -name '*.rlib' -o -name '*.a' -o -name '*.o')
    echo "$copy"
}

if [ $# -gt 0 ]; then
    targets=("$@")
else
    targets=()
    for manifest in wasip1*/Cargo.toml; do
        targets+=("$(dirname "$manifest")")
    done
fi

for target in "${targets[@]}"; do
    tuple=wasm32-$target
    stripped=$(without_debug_information "$tuple")
    # No path of this machine gets into the modules; see build.sh.
    flags=(
        "--sysroot=$stripped"
        "--remap-path-prefix=$cargo_home/registry/src=/cargo"
        "--remap-path-prefix=$(dirname "$programs")="
        "--remap-path-prefix=$programs/$target/="
        "--remap-path-prefix=$programs/$target=."
    )
    (
        cd "$target"
        build() { # BIN...
            local bins=()
            for bin in "$@"; do
                bins+=(--bin "$bin")
            done
            CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}") \
                RUSTC_WRAPPER=$programs/rustc-wrapper.sh \
                cargo build --release --locked --target "$tuple" --target-dir ../target "${bins[@]}"
            mkdir -p wasm
            for bin in "$@"; do
                install -m 644 "../target/$tuple/release/$bin.wasm" wasm/
            done
        }
        with_lines=() without_lines=()
        for source in src/bin/*.rs; do
            name=$(basename "$source" .rs)
            if [[ $name == clean_* ]]; then
                without_lines+=("$name")
            else
                with_lines+=("$name")
            fi
        done
        build "${with_lines[@]}"
        if [ ${#without_lines[@]} -gt 0 ]; then
            CARGO_PROFILE_RELEASE_DEBUG=false build "${without_lines[@]}"
        fi
        sources=(src Cargo.toml Cargo.lock ../build-wasi.sh ../rustc-wrapper.sh)
        if grep -q '^threadlink' Cargo.toml; then
            sources+=(../../threadlink/Cargo.toml ../../threadlink/src)
        fi
        find "${sources[@]}" -type f | LC_ALL=C sort | xargs sha256sum >wasm/sources.sha256
    )
done
