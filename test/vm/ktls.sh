#!/usr/bin/env bash
# HTTPS with kernel TLS, and RDMA, on every runtime; run.sh starts it in a virtual machine: ktls.sh PROJECT.
# Ends with "N passed, N failed".
set -uo pipefail
cd "$1" || exit 1
. test/vm/checks.sh
script=test/vm/server.ts others=0

# Each connection of this runtime was encrypted by the kernel, but those of `same_file` with a cipher
# that the kernel does not know; the server and the kernel agree on their number.
counted() {
  local handshakes kernel truncated
  handshakes=$(sed -n 's/.*"handshakes":\([0-9]*\).*/\1/p' "$work/log")
  kernel=$(sed -n 's/.*"kernel":\([0-9]*\).*/\1/p' "$work/log")
  truncated=$(sed -n 's/.*"truncated":\([0-9]*\).*/\1/p' "$work/log")
  echo "handshakes $handshakes, by the kernel $kernel, TlsTxSw $1, truncated $truncated"
  cat "$work/log"
  [[ -n $kernel && $kernel == "$1" && $handshakes == "$((kernel + others))" && $truncated == 2 ]]
}

# suite NAME COMMAND...
suite() {
  runtime=$1
  shift
  local cipher before=$SECONDS count
  count=$(kernel_tls)
  if ! start "$@"; then
    failed=$((failed + 1))
    printf 'not ok: %s: the server starts\n' "$runtime"
    return
  fi
  check "all files, TLS 1.3" kept_alive
  check "all files, TLS 1.2" kept_alive --tls-max 1.2
  check "a connection of its own" same_file k1
  check "first byte" same_range m1 0 0
  check "across records" same_range m1 16383 49152
  check "last bytes" same_range m8 8000000 8388616
  check "clients at the same time" together
  check "KeyUpdate" key_update
  check "KeyUpdate that asks for one" key_update_asked
  check "end, TLS 1.3" ends_in_order -tls1_3
  check "end, TLS 1.2" ends_in_order -tls1_2
  check "truncated file, TLS 1.3" truncated -tls1_3
  check "truncated file, TLS 1.2" truncated -tls1_2
  others=0
  if [[ $runtime == *koffi* ]]; then
    # The ciphers and the calls are those of OpenSSL and the kernel: once is enough.
    for cipher in TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
      check "$cipher" same_file k100 --tls13-ciphers "$cipher"
    done
    for cipher in AES128-GCM-SHA256 AES256-GCM-SHA384 CHACHA20-POLY1305 AES128-SHA256; do
      check "ECDHE-ECDSA-$cipher" same_file k100 --tls-max 1.2 --ciphers "ECDHE-ECDSA-$cipher"
    done
    # The kernel has no CBC for TLS: this connection stays with OpenSSL.
    others=1
    check "sendfile in strace" traced m8
    echo "$runtime: $output"
  fi
  stop
  check "connections of the kernel" counted $(($(kernel_tls) - count))
  printf '%s: %d s; %s\n' "$runtime" $((SECONDS - before)) "${output%%$'\n'*}"
}

# sandboxed NAME COMMAND...: OpenSSL must still be able to send tickets and alerts.
sandboxed() {
  runtime=$1
  shift
  local count
  count=$(kernel_tls)
  if ! start "$@"; then
    failed=$((failed + 1))
    printf 'not ok: %s: the server starts\n' "$runtime"
    return
  fi
  check "a file, TLS 1.3" same_file m8
  check "a file, TLS 1.2" same_file m8 --tls-max 1.2
  check "end, TLS 1.3" ends_in_order -tls1_3
  check "end, TLS 1.2" ends_in_order -tls1_2
  stop
  check "connections of the kernel" test $(($(kernel_tls) - count)) -eq 4
}

printf 'Linux %s\n' "$(uname -r)"
bin=node_modules/.bin
suite "Node.js, koffi" env SLUICE_FFI=koffi $bin/node
sandboxed "Node.js in a sandbox" env SLUICE_FFI=koffi SANDBOX=yes $bin/node
# node:ffi is left out: in this emulated machine Node.js 26.10 itself crashed at about every second
# start (a segmentation fault or a fatal error of V8), on real processors in none of 30.
suite "Bun" $bin/bun
suite "Deno" $bin/deno run --allow-all --no-check
. test/vm/node_https.sh
. test/vm/rdma.sh
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
