#!/bin/sh
# `prebrush` inside the container, whoever calls it: the server, the health check, `docker exec`.
# numba loads compiled kernels only for the very processor they were made for, and only from a folder it may write to.
# So it is told the most that this processor and the kernels of the image share, and finds them linked in /tmp.
set -eu

can() {
    for feature in "$@"; do
        case " $features " in *" $feature "*) ;; *) return 1 ;; esac
    done
}

if [ -z "${NUMBA_CPU_NAME:-}" ]; then
    NUMBA_CPU_NAME=generic
    if [ "$(uname -m)" = x86_64 ]; then
        features=$(sed -n '/^flags/{s/^[^:]*://p;q}' /proc/cpuinfo)
        if can avx avx2 bmi1 bmi2 f16c fma abm movbe; then
            NUMBA_CPU_NAME=x86-64-v3
        elif can cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3; then
            NUMBA_CPU_NAME=x86-64-v2
        fi
    fi
fi
export NUMBA_CPU_NAME NUMBA_CPU_FEATURES="${NUMBA_CPU_FEATURES-}"

if [ -z "${NUMBA_CACHE_DIR:-}" ]; then
    export NUMBA_CACHE_DIR="/tmp/prebrush-$(id -u)-$NUMBA_CPU_NAME"
    if [ ! -d "$NUMBA_CACHE_DIR" ]; then
        if ! made=$(mktemp -d "$NUMBA_CACHE_DIR.XXXXXX"); then
            echo "prebrush: /tmp must be writable; with a read-only root, mount a tmpfs there (--tmpfs /tmp)" >&2
            exit 2
        fi
        if [ -d "/opt/kernels/$NUMBA_CPU_NAME" ]; then
            cp -rs "/opt/kernels/$NUMBA_CPU_NAME/." "$made"
        fi
        # of two that start at once, one comes second and takes the other's
        mv -T "$made" "$NUMBA_CACHE_DIR" 2>/dev/null || rm -rf "$made"
    fi
fi
exec /opt/venv/bin/python -m prebrush "$@"
