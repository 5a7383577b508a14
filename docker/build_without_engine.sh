#!/bin/sh
# Builds the image on a Debian machine where no container engine runs: debootstrap makes a base, buildah builds on it by
# chroot. Needs root, the packages buildah and debootstrap, Debian's mirror and a package index; nothing else.
#   sh docker/build_without_engine.sh              makes localhost/prebrush, and once localhost/prebrush-base and -compiler
#   sh docker/build_without_engine.sh --possible   says what stands in the way, if anything does
set -eu
cd "$(dirname "$0")/.."

BASE=localhost/prebrush-base
BUILD_BASE=localhost/prebrush-compiler
IMAGE=${IMAGE:-localhost/prebrush}
export BUILDAH_ISOLATION=chroot

find_obstacle() {
    [ "$(uname -s)" = Linux ] || { echo "this is not Linux"; return; }
    [ "$(id -u)" = 0 ] || { echo "it takes root"; return; }
    for program in buildah debootstrap unshare; do
        command -v $program >/dev/null || { echo "$program is not installed"; return; }
    done
    unshare --mount true 2>/dev/null || { echo "the kernel lets us make no mount namespace"; return; }
    [ "$(df -Pk "${TMPDIR:-/tmp}" | awk 'NR == 2 {print $4}')" -gt 8000000 ] || echo "it takes 8 GB of disk"
}

# Debian with Python and certificates under a name, with more packages after a comma.
make_base() {
    echo "making $1 with debootstrap"
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # the mirror that this machine uses itself
    mirror=${MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' | awk -v r="$release" '$1 == r {print $2; exit}')}
    container=$(buildah from scratch)
    root=$(buildah mount "$container")
    debootstrap --variant=minbase --include="python3,python3-venv,ca-certificates$2" "$release" "$root" "$mirror" >"$log" 2>&1 ||
        { tail -20 "$log" >&2; buildah rm "$container" >/dev/null; exit 1; }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/etc/apt/sources.list \
        "$root"/etc/resolv.conf
    buildah umount "$container" >/dev/null
    buildah config --cmd /bin/sh --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit --quiet --rm --format docker "$container" "$1" >/dev/null
}

has_image() {
    buildah inspect --type image "$1" >/dev/null 2>&1
}

if [ "${1:-}" = --possible ]; then
    obstacle=$(find_obstacle)
    [ -z "$obstacle" ] || { echo "The image cannot be built on this machine: $obstacle."; exit 1; }
    exit 0
fi
obstacle=$(find_obstacle)
[ -z "$obstacle" ] || { echo "The image cannot be built on this machine: $obstacle." >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
has_image "$BASE" || make_base "$BASE" ""
has_image "$BUILD_BASE" || make_base "$BUILD_BASE" ,python3-dev,binutils,cmake,g++,nasm,ninja-build

# the index and certificates that pip uses on this machine are lent to the build
set --
for bundle in "${PIP_CERT:-}" /etc/ssl/certs/ca-certificates.crt; do
    if [ -f "$bundle" ]; then set -- "$@" --secret "id=certificates,src=$bundle"; break; fi
done
if [ -f "${PIP_CONFIG_FILE:-}" ]; then set -- "$@" --secret "id=pip,src=$PIP_CONFIG_FILE"; fi

echo "building $IMAGE"
buildah bud --quiet --format docker --layers --build-arg BASE="$BASE" --build-arg BUILD_BASE="$BUILD_BASE" "$@" \
    --file docker/Dockerfile --tag "$IMAGE" . >"$log" 2>&1 || { tail -40 "$log" >&2; exit 1; }
