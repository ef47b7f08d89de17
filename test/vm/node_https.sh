#!/usr/bin/env bash
# sendFile over node:https with kernel TLS, on Node.js. ktls.sh includes it; run.sh can also start it
# alone, in a virtual machine: node_https.sh PROJECT.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -uo pipefail
  cd "$1" || exit 1
  . test/vm/checks.sh
fi
script=test/vm/node_server.ts

# Two handshakes, the second of which resumes the session of the first.
resumed() {
  printf 'GET /k1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
    s_client -tls1_3 -ign_eof -sess_out "$work/session" >"$work/end" 2>&1
  printf 'GET /m1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
    quickly openssl s_client -connect "127.0.0.1:$port" -tls1_3 -ign_eof -sess_in "$work/session" \
      >"$work/resumed" 2>/dev/null
  grep -aq '^Reused, TLSv1.3' "$work/resumed" || return 1
  # What s_client prints itself precedes the file.
  has_file "$work/resumed" m1
}

# has_file OUTPUT NAME: whether the output of s_client has the whole file.
has_file() {
  "$node" -e 'const { readFileSync: r } = require("fs"); const [, a, b] = process.argv;
    process.exit(r(a).includes(r(b)) ? 0 : 1)' "$1" "$work/site/$2"
}

# Ten requests over one connection of Node.js's own client.
node_client() {
  "$node" -e '
    const { readFileSync } = require("fs"), https = require("https");
    const [, port, ca, root] = process.argv;
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(ca) });
    const ports = new Set();
    const get = (name) => new Promise((done, fail) => https.get(
      { host: "localhost", family: 4, port, path: "/" + name, agent }, (res) => {
        ports.add(res.socket.localPort);
        const parts = [];
        res.on("data", (part) => parts.push(part)).on("error", fail).on("end", () =>
          Buffer.concat(parts).equals(readFileSync(root + "/" + name)) ? done() : fail(name));
      }).on("error", fail));
    (async () => {
      for (const name of ["empty", "b1", "k1", "record", "k100", "m1", "k1", "empty", "m1", "b1"]) {
        await get(name);
      }
      if (ports.size !== 1) throw new Error(ports.size + " connections");
      process.exit();
    })().catch((error) => { console.log(error); process.exit(1); });
  ' "$port" "$work/cert.pem" "$work/site"
}

# A stream that the server pipes into the response.
piped() { fetch -o "$work/got" "$(url piped/m1)" && cmp "$work/got" "$work/site/m1"; }

# A client that goes away in the middle; the server answers the next one.
aborted() {
  fetch --max-time 1 --limit-rate 100K -o /dev/null "$(url m8)"
  [[ $? == 28 ]] && same_file k100
}

# slow: a client that reads 8 MiB at 2 MiB a second.
slow() { same_file m8 --limit-rate 2M; }

# How each response was sent. Copied: the first one, those over TLS 1.2, and ChaCha20.
METHODS='{"copy":8,"none":4,"ktls-sendfile":33,"EPIPE":1,"ERR_SLUICE_TRUNCATED":1}'
# The same if the kernel has taken all bytes for the client that goes away.
WHOLE='{"copy":8,"none":4,"ktls-sendfile":34,"ERR_SLUICE_TRUNCATED":1}'
# methods COUNT: what the server counted; COUNT is the kernel's number of connections.
methods() {
  local counted
  # A client that goes away is reported in two ways.
  counted=$(tail -n 1 "$work/log" | sed 's/ECONNRESET/EPIPE/')
  echo "TlsTxSw $1; $counted"
  [[ $1 == 22 && ($counted == "$METHODS" || $counted == "$WHOLE") ]]
}

# node_suite NAME COMMAND...
node_suite() {
  runtime=$1
  shift
  local before=$SECONDS count
  count=$(kernel_tls)
  if ! start "$@"; then
    failed=$((failed + 1))
    printf 'not ok: %s: the server starts\n' "$runtime"
    return
  fi
  check "the first response is copied" same_file k1
  check "all files" kept_alive
  check "all files, TLS 1.2" kept_alive --tls-max 1.2
  check "AES-256" same_file m1 --tls13-ciphers TLS_AES_256_GCM_SHA384
  check "AES-128" same_file m1 --tls13-ciphers TLS_AES_128_GCM_SHA256
  check "ChaCha20" same_file m1 --tls13-ciphers TLS_CHACHA20_POLY1305_SHA256
  check "first byte" same_range m1 0 0
  check "across records" same_range m1 16383 49152
  check "last bytes" same_range m8 8000000 8388616
  check "clients at the same time" together
  check "ten requests of Node.js" node_client
  check "a resumed session" resumed
  check "a stream piped" piped
  check "slow reader" slow
  check "abort" aborted
  check "KeyUpdate" key_update_once
  check "KeyUpdate that asks for one" key_update_asked
  check "end" ends_in_order -tls1_3
  check "truncated file" truncated -tls1_3
  # Some bytes go through the runtime's write, to wait for room.
  check "sendfile in strace" traced m8 64
  echo "$runtime: $output"
  stop
  check "methods" methods $(($(kernel_tls) - count))
  printf '%s: %d s; %s\n' "$runtime" $((SECONDS - before)) "${output//$'\n'/ }"
}

# Any KeyUpdate may be one that asks for another: the connection ends in order after the next answer.
key_update_once() { update k && closed_in_order "$work/update"; }

node=node_modules/.bin/node
node_suite "node:https, koffi" env SLUICE_FFI=koffi "$node"

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
fi
