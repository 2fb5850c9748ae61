#!/usr/bin/env bash
# Calls rustc so that two checkouts, in different places, give the same modules.
#
# Cargo makes `-C metadata` and `-C extra-filename` from, among others, the place of the sources. The
# first gets into the names of symbols, the second, of a bin, into the name that the linker gives to the
# module. Here the name of the crate is the metadata, which is enough, for no two versions of one crate
# are in a guest; and a bin gets its longer file name only after it is linked.
set -euo pipefail

rustc=$1
shift
crate='' kind='' out='' extra='' target='' previous=''
for argument in "$@"; do
    case $previous in
    --crate-name) crate=$argument ;;
    --crate-type) kind=$argument ;;
    --out-dir) out=$argument ;;
    --target) target=$argument ;;
    esac
    case $argument in
    extra-filename=*) extra=${argument#extra-filename=} ;;
    esac
    previous=$argument
done

# Not a build script, which is a bin too.
guest=no
if [ "$kind" = bin ] && [ -n "$target" ] && [ -n "$extra" ]; then
    guest=yes
fi

arguments=()
for argument in "$@"; do
    case $argument in
    metadata=*) argument=metadata=$crate ;;
    extra-filename=*)
        if [ "$guest" = yes ]; then
            argument=extra-filename=
        fi
        ;;
    esac
    arguments+=("$argument")
done
"$rustc" "${arguments[@]}"

if [ "$guest" = yes ]; then
    for file in "$out/$crate".*; do
        mv "$file" "$out/$crate$extra.${file##*.}"
    done
fi
