#!/usr/bin/env bash
# Runs a script as root under Debian's own kernel, in a virtual machine: run.sh [SCRIPT [SECONDS]].
# The guest sees this machine's files; what it writes stays in its memory. It has no disk and no
# network but its loopback. The processor is emulated: everything takes several times as long, and no
# figure of speed means anything. Exits with the script's code, 124 after SECONDS.
# Needs: qemu-system-x86 busybox-static kmod cpio, and Debian's package lists (apt-get update).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=$(realpath "${1:-$here/ktls.sh}") limit=${2:-900}

if [[ $(uname -m) != x86_64 ]]; then
  echo "The virtual machine runs on x86-64 only; this machine is $(uname -m)." >&2
  exit 1
fi

# apt-get downloads as a user of its own, which has to get into the folder.
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-vm-XXXXXX")
chmod 755 "$work"
machine=
finish() {
  # timeout(1) passes the signal on; killed, it would leave the machine running.
  [[ -z $machine ]] || { kill -TERM "$machine" && wait "$machine"; } 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Debian's kernel and those of its modules that the guest needs, in the order in which they load. kTLS
# asks the crypto API for gcm, ctr, ghash and chacha20poly1305. The last two lines are soft-RoCE: RDMA
# over a network interface that is none.
MODULES=(
  virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  9pnet 9pnet_virtio netfs fscache 9p overlay
  gf128mul ghash-generic ctr gcm seqiv tls cryptd crypto_simd
  libchacha chacha_generic libpoly1305 poly1305_generic chacha20poly1305
  crc32_generic udp_tunnel ip6_udp_tunnel configfs ib_core ib_cm iw_cm rdma_cm
  ib_uverbs rdma_ucm rdma_rxe dummy
)
version=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
if [[ -z $version ]]; then
  echo "Cannot find the package of the kernel: run \`apt-get update\` on Debian first." >&2
  exit 1
fi
(cd "$work" && apt-get download -qq "$version" 2>"$work/apt.log") || { cat "$work/apt.log" >&2; exit 1; }
dpkg -x "$work"/linux-image-*.deb "$work/kernel"

# A checkout in /tmp must stay in sight.
temporary="; \$B mount -t tmpfs tmp /new/tmp"
[[ $here != /tmp/* ]] || temporary=

root=$work/root
mkdir -p "$root"/{bin,modules,proc,sys,dev,host,overlay,new}
project=$(realpath "$here/../..")
# Node.js loads these sources in the guest, where checks.sh says so: see there.
"$project/node_modules/.bin/node" --disable-warning=ExperimentalWarning \
  "$project/test/_kit/strip_types.js" "$root/stripped"
cp "$(command -v busybox)" "$root/bin/busybox"
for module in "${MODULES[@]}"; do
  # Not every version has each of them as a module.
  file=$(find "$work/kernel" -name "$module.ko*" | head -n 1)
  case $file in
    "") ;;
    *.xz) xz -dc "$file" >"$root/modules/$module.ko" ;;
    *) cp "$file" "$root/modules/$module.ko" ;;
  esac
done
cat >"$root/init" <<INIT
#!/bin/busybox sh
B=/bin/busybox
\$B mount -t proc p /proc; \$B mount -t sysfs s /sys; \$B mount -t devtmpfs d /dev
for m in ${MODULES[*]}; do [ -f /modules/\$m.ko ] && \$B insmod /modules/\$m.ko; done
\$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
\$B mount -t tmpfs t /overlay; \$B mkdir -p /overlay/u /overlay/w
\$B mount -t overlay -o lowerdir=/host,upperdir=/overlay/u,workdir=/overlay/w o /new
\$B mount -t proc p /new/proc; \$B mount -t sysfs s /new/sys; \$B mount -t devtmpfs d /new/dev
\$B mkdir -p /new/dev/shm; \$B mount -t tmpfs sh /new/dev/shm$temporary
\$B mkdir -p /new/run/stripped; \$B mount --bind /stripped /new/run/stripped
\$B mkdir -p /new/run/sluice; \$B mount -t 9p -o trans=virtio,version=9p2000.L,ro script /new/run/sluice
\$B ln -s /proc/self/fd /new/dev/fd; \$B ip link set lo up
\$B chroot /new /usr/bin/env HOME=/tmp PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \\
  /bin/bash /run/sluice/$(basename "$script") "$project"
echo "VM-EXIT \$?"
\$B poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"

: >"$work/console"
# no_timer_check: on a busy machine the emulated timer may be late, and the kernel would give up.
# Always emulated: KVM is missing on most machines that build, and where it is nested in another machine
# it may abort instead of failing.
timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 2G -smp 2 \
  -nodefaults -display none -serial stdio -no-reboot \
  -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initrd.gz" \
  -append "console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable no_timer_check" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -virtfs "local,path=$(dirname "$script"),mount_tag=script,security_model=none,readonly=on,multidevs=remap" \
  </dev/null >"$work/console" 2>"$work/qemu.log" &
machine=$!
# What the guest prints goes on as it comes, without what the BIOS does to a terminal.
tail -n +1 -f --pid="$machine" "$work/console" | sed -u -e 's/\r//g' -e 's/\x1b[^ ]*//g' -e '/^SeaBIOS/d; /^Booting from/d; /^VM-EXIT/d; /reboot: Power down/d; /^$/d' &
shown=$!
code=0
wait "$machine" || code=$?
machine=
wait "$shown" || true
ended=$(sed -n 's/^VM-EXIT \([0-9]*\).*/\1/p' "$work/console" | tail -n 1)
if [[ -n $ended ]]; then exit "$ended"; fi
cat "$work/qemu.log" >&2
echo "The virtual machine ended before the script did (exit code $code; limit $limit s)." >&2
echo "0 passed, 1 failed"
exit $((code == 0 ? 1 : code))
