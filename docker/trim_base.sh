#!/bin/sh
# Takes from the base what no server needs: it runs once, as root, inside the image that is being built.
# A shell, the programs of coreutils, certificates, time zones and Python stay, and dpkg's list of what is there, for scanners.
set -eu

# Installs packages, logs people in, mounts disks, makes certificates. What a base does not have is passed over.
PACKAGES="
    adduser apt bash bsdutils debconf debian-archive-keyring diffutils e2fsprogs gpgv gzip hostname init-system-helpers
    libapt-pkg6.0 libapt-pkg7.0 libaudit-common libaudit1 libblkid1 libcap-ng0 libext2fs2 libext2fs2t64 libgcrypt20
    libgnutls30 libgnutls30t64 libgpg-error0 libhogweed6 libhogweed6t64 libidn2-0 libmount1 libnettle8 libnettle8t64
    libp11-kit0 libpam-modules libpam-modules-bin libpam-runtime libpam0g libseccomp2 libsemanage-common libsemanage2
    libsepol2 libsmartcols1 libss2 libsystemd0 libtasn1-6 libudev1 libunistring2 libunistring5 login login.defs logsave
    mawk mount ncurses-bin openssl openssl-provider-legacy passwd perl-base sysvinit-utils tar usr-is-merged util-linux
    util-linux-extra
    python3-distutils python3-lib2to3 python3-pip-whl python3-setuptools-whl python3-venv python3.11-venv python3.13-venv
"

stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

present=$(dpkg-query --show --showformat '${db:Status-Status} ${Package} ${binary:Package}\n')
for package in $PACKAGES; do
    binary=$(echo "$present" | sed -n "s/^installed $package //p")
    [ -n "$binary" ] || continue
    # nothing is left for their scripts to tidy up
    rm -f "/var/lib/dpkg/info/$binary".prerm "/var/lib/dpkg/info/$binary".postrm
    set -- "$@" "$binary"
done
dpkg --purge --force-all "$@" >/var/log/trim 2>&1 || { cat /var/log/trim >&2; exit 1; }

find /usr/share/doc ! -type d ! -name copyright -delete
find /usr/share/doc -type d -empty -delete
rm -rf /usr/share/info /usr/share/lintian /usr/share/locale /usr/share/man /var/cache/* /var/lib/apt /var/log/*
# character sets of the C library: Python has its own
find /usr/lib -type d -name gconv -prune -exec rm -rf {} +

cd "$stdlib"
rm -rf ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo
# the virtual environment does not look there
rm -rf "${packages:?}"/* /usr/local/include
rm -f /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc*
# some bases leave this to the first start, which here may not write
python3 -m compileall -q .
