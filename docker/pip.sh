#!/bin/sh
# pip while the image is built: with what the machine lends to the build.
set -eu
if [ -s /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
exec /opt/pip/bin/pip "$@"
