#!/bin/sh
# Asks pip-audit for known vulnerabilities in everything that constraints.txt pins. Fails only if there are some: where
# the vulnerability data cannot be had, it says so, loudly, and nothing was checked.
set -eu

if told=$("$1" --requirement constraints.txt --no-deps --disable-pip --strict --progress-spinner off 2>&1); then
    echo "$told" | tail -n 1
    exit 0
fi
case "$told" in
*"Found "*" known vulnerabilit"*)
    echo "$told"
    exit 1
    ;;
esac
echo "NOTHING WAS CHECKED: the vulnerability data cannot be reached from here. pip-audit said:"
echo "$told" | tail -n 1
