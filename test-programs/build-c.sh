#!/usr/bin/env bash
# Builds the guests in C, c/src/NAME.c to c/wasm/NAME.wasm, and those in Zig, zig/src/NAME.zig to zig/wasm.
#
# The compiler is Zig's, from PyPI: pip install ziglang==0.15.2, and ZIG=.../ziglang/zig if it is not in the path.
# C is compiled against the headers of musl that it brings, and linked with the wasi-libc and the linker that rustup
# has: rustup target add wasm32-wasip1-threads. Zig 0.15 itself has no threads in its wasi-libc.
set -euo pipefail
cd "$(dirname "$0")"

zig=$(command -v "${ZIG:-zig}")
if [ "$("$zig" version)" != 0.15.2 ]; then
    echo "build-c.sh: the modules are made by Zig 0.15.2" >&2
    exit 1
fi
sysroot=$(rustc --print sysroot)
host=$(rustc --print host-tuple)
bin=$sysroot/lib/rustlib/$host/bin
work=$PWD/target/c
mkdir -p "$work" c/wasm zig/wasm

# What the compiler calls for arithmetic that wasm has no instructions for.
builtins=$(echo "$sysroot"/lib/rustlib/wasm32-wasip1-threads/lib/libcompiler_builtins-*.rlib)

# As linkers keep the DWARF of functions that they drop, wasi-libc goes without.
cp "$sysroot"/lib/rustlib/wasm32-wasip1-threads/lib/self-contained/{crt1-command.o,libc.a} "$work/"
for library in crt1-command.o libc.a; do
    LD_LIBRARY_PATH=$sysroot/lib DYLD_LIBRARY_PATH=$sysroot/lib "$bin/rust-objcopy" --strip-debug "$work/$library"
done

for source in c/src/*.c; do
    name=$(basename "$source" .c)
    # Lines are enough but where a test is about variables, or about how locks are called.
    debug=-gline-tables-only
    case $name in *_globals | *_stack | deadlock_[lprsw]*) debug=-g ;; esac
    (
        cd c
        "$zig" cc -target wasm32-wasi -mcpu=generic+atomics+bulk_memory -pthread -std=gnu17 -Wall -Wextra -Werror \
            -O1 "$debug" -fno-sanitize=all -ffile-compilation-dir=. -ffile-prefix-map="$(dirname "$(realpath "$zig")")=zig" -c "src/$name.c" -o "$work/$name.o"
    )
    "$bin/rust-lld" -flavor wasm --import-memory --export-memory --shared-memory --max-memory=67108864 \
        "$work/crt1-command.o" "$work/$name.o" "$work/libc.a" "$builtins" \
        -o "c/wasm/$name.wasm"
done
(cd c && find src meeting.h ../build-c.sh -type f | LC_ALL=C sort | xargs sha256sum >wasm/sources.sha256)

for source in zig/src/*.zig; do
    name=$(basename "$source" .zig)
    (
        cd zig
        "$zig" build-exe "src/$name.zig" -target wasm32-wasi -mcpu=generic+atomics+bulk_memory -OReleaseSafe \
            -fno-strip -fno-single-threaded --import-memory --export-memory --shared-memory --max-memory=67108864 \
            --export=wasi_thread_start -femit-bin="wasm/$name.wasm" \
            --cache-dir "$work/cache" --global-cache-dir "$work/cache"
    )
    # Zig has no way to say what paths are to be called. What replaces them must be as long.
    lib=$("$zig" env | sed -n 's/.*lib_dir = "\(.*\)",/\1/p')
    for prefix in "$lib" "$work" "$PWD/zig"; do
        PREFIX=$prefix perl -pi -e 's|\Q$ENV{PREFIX}\E|"zig" . "/" x (length($ENV{PREFIX}) - 3)|ge' "zig/wasm/$name.wasm"
    done
    rm -f "zig/wasm/$name.wasm.o"
done
(cd zig && find src ../build-c.sh -type f | LC_ALL=C sort | xargs sha256sum >wasm/sources.sha256)
