#!/usr/bin/env bash
# examples/rdma_copy.ts over soft-RoCE, on every runtime. ktls.sh includes it; run.sh can also start it
# alone, in a virtual machine: rdma.sh PROJECT.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -uo pipefail
  cd "$1" || exit 1
  . test/vm/checks.sh
  alone=yes
fi

# Loopback has no route for RDMA.
ADDRESS=10.9.9.1
device() {
  ip link add roce0 type dummy && ip address add $ADDRESS/24 dev roce0 && ip link set roce0 up &&
    rdma link add rxe0 type rxe netdev roce0
}

# Whether the device works, by the tool of librdmacm itself.
pings() {
  local answers
  quickly rping -s -a $ADDRESS -C 2 &
  sleep 0.5
  answers=$(quickly rping -c -a $ADDRESS -C 2 -v) || return 1
  wait
  [[ $(grep -c '^ping data' <<<"$answers") == 2 ]] || { echo "$answers"; return 1; }
}

# sends NAME ARGS...: whether the receiver gets the file.
sends() {
  local name=$1
  shift
  patiently "${program[@]}" send "$work/site/$name" $ADDRESS "$@" && cmp "$work/site/$name" "$work/received/$name"
}

# What is refused: the receiver has the file already.
again() { [[ $(patiently "${program[@]}" send "$work/site/ring" $ADDRESS 2>&1) == *"is a file ring already"* ]]; }

# Waits until the receiver has written some of a file, and until it has removed what it could not complete.
begun() { await_partial -n "nothing arrives"; }
removed() { await_partial -z "a part of a file is left"; }
await_partial() {
  local n
  for n in {1..900}; do
    test "$1" "$(find "$work/received" -name '*.partial' -size +1023k)" && return
    sleep 0.1
  done
  echo "$2"
  return 1
}

# A sender that is interrupted in the middle says so. The receiver keeps nothing.
interrupted() {
  local sender code=0
  "${program[@]}" send "$work/site/large" $ADDRESS >"$work/sender" 2>&1 &
  sender=$!
  begun || { kill -KILL $sender; cat "$work/sender"; return 1; }
  kill -TERM $sender
  wait $sender || code=$?
  [[ $code == 143 && $(<"$work/sender") == *Interrupted* ]] && removed || { echo "$code"; cat "$work/sender"; return 1; }
}

# A sender that is killed leaves nothing with the receiver, which takes the next file.
killed_sender() {
  local sender
  "${program[@]}" send "$work/site/large" $ADDRESS >"$work/sender" 2>&1 &
  sender=$!
  begun || { kill -KILL $sender; cat "$work/sender"; return 1; }
  kill -KILL $sender
  wait $sender
  removed && sends k100
}

# A receiver that is killed: the sender says so and ends. The next receiver removes what was left.
killed_receiver() {
  local sender code=0
  patiently "${program[@]}" send "$work/site/large" $ADDRESS >"$work/sender" 2>&1 &
  sender=$!
  begun || { kill -KILL $sender; cat "$work/sender"; return 1; }
  kill -KILL $receiver
  wait $sender || code=$?
  [[ $code == 1 ]] && grep -Eq 'the peer has closed the connection|The peer did nothing|^E[A-Z]+: Cannot ' "$work/sender" ||
    { echo "$code"; cat "$work/sender"; return 1; }
}

# The disk of the receiver is full: the sender learns why, and nothing is left of the file.
overfills() {
  local code=0
  mount -t tmpfs -o size=2m small "$work/received" || return 1
  patiently "${program[@]}" send "$work/site/ring" $ADDRESS "$@" >"$work/sender" 2>&1 || code=$?
  [[ $code == 1 && -z $(ls "$work/received") ]] && grep -q 'The receiver: ENOSPC' "$work/sender" || code=bad
  [[ $code == 1 ]] || { ls -l "$work/received"; cat "$work/sender" "$work/log"; }
  umount "$work/received" && [[ $code == 1 ]]
}

# Time limit for one command. The programs load the whole library, which takes long here.
patiently() { timeout -k 5 120 "$@"; }

# Starts a receiver, and waits until it listens.
receive() {
  "${program[@]}" serve $ADDRESS "$work/received" >"$work/log" 2>&1 &
  receiver=$!
  for _ in {1..1200}; do
    grep -q '"port"' "$work/log" && break
    sleep 0.1
  done
}

# rdma_suite NAME COMMAND...
rdma_suite() {
  runtime=$1
  shift
  receiver=''
  local before=$SECONDS program=("$@" examples/rdma_copy.ts)
  rm -rf "$work/received"
  receive
  check "rsend" sends m1
  echo "$runtime: $output"
  check "riomap and riowrite" sends ring --map
  echo "$runtime: $output"
  [[ $runtime != *Node* ]] || check "a name that is taken" again
  check "the receiver's disk is full" overfills
  check "a sender that is interrupted" interrupted
  check "a sender that is killed" killed_sender
  check "a receiver that is killed" killed_receiver
  check "it leaves a partial file" test "$(ls "$work/received" | grep -c 'large.*partial')" == 1
  receive
  check "the next one has removed it" test "$(ls "$work/received")" == $'k100\nm1\nring'
  check "riomap and riowrite to the next one" sends record --map
  kill -TERM $receiver
  wait $receiver
  check "the receiver ends" test $? == 143
  check "it says why" grep -qx Interrupted "$work/log"
  check "the receiver left no partial file" test "$(ls "$work/received")" == $'k100\nm1\nrecord\nring'
  check "the receiver's report" grep -c "^record: .* stored by the sender" "$work/log"
  printf '%s, RDMA: %d s\n' "$runtime" $((SECONDS - before))
}

# More than the two pieces of memory, and no multiple of them.
file ring 3145731
truncate -s 1G "$work/site/large"
runtime=RDMA
check "a device" device
check "rping" pings
bin=node_modules/.bin
rdma_suite "Node.js, koffi" env SLUICE_FFI=koffi $bin/node
rdma_suite "Bun" $bin/bun
rdma_suite "Deno" $bin/deno run --allow-all --no-check

if [[ -n ${alone-} ]]; then
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
fi
