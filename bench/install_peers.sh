#!/usr/bin/env bash
# Installs the missing peers of the benchmarks, from Debian's packages and npm.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES=(nginx-light libnginx-mod-http-brotli-static haproxy caddy h2o wrk fio gcc libc6-dev python3-minimal
  default-jre-headless util-linux)

missing=()
for name in "${PACKAGES[@]}"; do dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name"); done
if ((${#missing[@]} > 0)); then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # nginx and HAProxy must not start by themselves: the benchmarks start their own.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
npm install --no-save --no-audit --no-fund
npm run --silent bench -- peers
