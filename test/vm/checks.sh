# shellcheck shell=bash
# What the scripts in the virtual machine have in common. They name their server in `script`.
work=$(mktemp -d)
# Node.js strips no types here: its stripper is WebAssembly, takes half of the start on an emulated
# processor, and V8 sometimes fails there when it compiles that again ("it->second.Size() > offset").
export SLUICE_TEST_MODULES=/run/stripped
export NODE_OPTIONS=--import=file://$PWD/test/_kit/modules.js
export NODE_COMPILE_CACHE=$work/compiled
passed=0 failed=0 server='' output=''
trap '[[ -z $server ]] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT

# check WHAT COMMAND...: one check; what the command prints is shown if it fails.
check() {
  local what=$1
  shift
  if output=$("$@" 2>&1 | tr -d "\\000"); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'not ok: %s: %s\n%s\n' "$runtime" "$what" "$(tail -c 1000 <<<"$output")"
  fi
}

# Connections that the kernel has begun to encrypt in software.
kernel_tls() { awk '$1 == "TlsTxSw" { print $2 }' /proc/net/tls_stat; }

# Time limit for one command: an emulated processor is slow.
quickly() { timeout -k 5 30 "$@"; }

fetch() { quickly curl -sS --cacert "$work/cert.pem" --resolve "localhost:$port:127.0.0.1" "$@"; }
url() { printf 'https://localhost:%d/%s' "$port" "$1"; }

# same_file NAME CURL-ARGS...: whether the whole file arrives.
same_file() {
  local name=$1
  shift
  fetch "$@" -o "$work/got" "$(url "$name")" && cmp "$work/got" "$work/site/$name"
}

# same_range NAME FIRST LAST
same_range() {
  fetch -f -r "$2-$3" -o "$work/got" "$(url "$1")" || return 1
  cmp "$work/got" <(tail -c +$(($2 + 1)) "$work/site/$1" | head -c $(($3 - $2 + 1)))
}

# Every file over one connection; a second connection would be told as "1".
kept_alive() {
  local args=("$@") name total=0
  for name in "${FILES[@]}"; do args+=(-o "$work/kept-$name" "$(url "$name")"); done
  total=$(fetch -w '%{num_connects}\n' "${args[@]}" | awk '{ n += $1 } END { print n }') || return 1
  for name in "${FILES[@]}"; do cmp "$work/kept-$name" "$work/site/$name" || return 1; done
  [[ $total == 1 ]] || { echo "$total connections"; return 1; }
}

# Four clients at a time, the last of which reads slowly.
together() {
  local jobs=() n
  for n in 1 2 3; do
    fetch -o "$work/got-$n" "$(url m1)" &
    jobs+=($!)
  done
  fetch --limit-rate 1M -o "$work/got-4" "$(url m1)" &
  jobs+=($!)
  for n in "${jobs[@]}"; do wait "$n" || return 1; done
  for n in 1 2 3 4; do cmp "$work/got-$n" "$work/site/m1" || return 1; done
}

REQUEST=$'GET /k1 HTTP/1.1\r\nHost: localhost\r\n\r'
# s_client ARGS... <INPUT
s_client() { quickly openssl s_client -connect "127.0.0.1:$port" -servername localhost -msg "$@"; }

# until_printed PATTERN COUNT: waits until s_client has printed that, at most 10 seconds.
until_printed() {
  local n
  for n in {1..100}; do
    (($(grep -ac "$1" "$work/update") >= $2)) && return
    sleep 0.1
  done
}

# update LETTER: a request, s_client's command for a KeyUpdate, and another request.
update() {
  : >"$work/update"
  {
    echo "$REQUEST"
    until_printed '^HTTP/1.1 200' 1
    sleep 0.3
    echo "$1"
    until_printed '>>> TLS 1.3.*KeyUpdate' 1
    sleep 0.3
    echo "$REQUEST"
    until_printed 'HTTP/1.1 200' 2
    sleep 0.3
  } | s_client -tls1_3 >>"$work/update" 2>&1
  # The body before it may end without a line break.
  [[ $(grep -ao 'HTTP/1.1 200' "$work/update" | wc -l) == 2 ]] || { strings "$work/update"; return 1; }
  grep -aq '>>> TLS 1.3.*KeyUpdate' "$work/update"
}

# The client changes its key, and the connection goes on.
key_update() { update k && ! grep -aiq '^connection: close' "$work/update"; }

# It asks for another key of the server, too, which the kernel cannot give: the connection ends in order
# after the next answer.
key_update_asked() {
  update K && grep -aiq '^connection: close' "$work/update" && closed_in_order "$work/update"
}

closed_in_order() { grep -aq '<<< TLS.*close_notify' "$1"; }

ends_in_order() {
  printf 'GET /k1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
    s_client "$1" -ign_eof >"$work/end" 2>&1
  grep -aq '^HTTP/1.1 200' "$work/end" && closed_in_order "$work/end"
}

# The file shrinks while it is sent: the client must see that the end is missing.
truncated() {
  truncate -s 64M "$work/site/shrinks"
  { printf 'GET /shrinks HTTP/1.1\r\nHost: localhost\r\n\r\n'; } |
    s_client "$1" -ign_eof 2>"$work/cut.log" |
    { head -c 65536; sleep 1; truncate -s 1M "$work/site/shrinks"; cat; } >"$work/cut"
  local bytes
  bytes=$(stat -c %s "$work/cut")
  rm "$work/site/shrinks"
  ((bytes > 65536 && bytes < 64 << 20)) || { echo "$bytes bytes"; return 1; }
  if closed_in_order "$work/cut"; then echo "close_notify"; return 1; fi
}

# traced NAME [BYTES]: sends the file under strace; the body has to leave by sendfile(2), all but that many
# bytes.
traced() {
  local tracer size moved copied
  strace -f -y -qq -e trace=sendfile,sendto,write,writev,sendmsg -e signal=none -o "$work/trace" \
    -p "$server" &
  tracer=$!
  sleep 3
  same_file "$1" || { kill "$tracer"; return 1; }
  kill -INT "$tracer"
  wait "$tracer"
  size=$(stat -c %s "$work/site/$1")
  # Into connections: the thread that reads ahead sends what was not cached to /dev/null. A call that
  # strace shows in two lines names its descriptors in the first.
  moved=$(awk '
    /sendfile\(/ { null[$1] = /sendfile\([0-9]+<\/dev\/null/ }
    /sendfile/ && / = [0-9]+$/ && !null[$1] { n += $NF }
    END { print n + 0 }' "$work/trace")
  copied=$(grep -v sendfile "$work/trace" | sed -n 's/.*) = \([0-9]*\)$/\1/p' | awk '{ n += $1 } END { print n + 0 }')
  echo "$moved bytes by sendfile, $copied by other calls"
  # What is left is the handshake, the tickets and the head.
  ((moved <= size && moved >= size - ${2:-0} && copied > 0 && copied < 8192))
}

# start COMMAND...
start() {
  "$@" "$script" "$work/site" "$work/cert.pem" "$work/key.pem" >"$work/log" 2>&1 &
  server=$!
  for _ in {1..300}; do
    port=$(sed -n 's/^\([0-9][0-9]*\)$/\1/p' "$work/log")
    [[ -z $port ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/log"
  return 1
}

# Ends the server with its own words.
stop() {
  kill -TERM "$server"
  for _ in {1..100}; do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$server" 2>/dev/null && echo "The server had to be killed."
  wait "$server" 2>/dev/null
  server=''
}

FILES=(empty b1 k1 record k100 m1 m8)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
mkdir "$work/site"
# file NAME BYTES
file() { head -c "$2" /dev/urandom >"$work/site/$1"; }
file empty 0
file b1 1
file k1 1024
file record 16385
file k100 102400
file m1 1048593
file m8 8388617
