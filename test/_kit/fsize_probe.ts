/** Writes past RLIMIT_FSIZE by every possible call; started with that limit. @module */

import * as sys from "../../src/sys/mod.ts";

const path = process.argv.at(-1)!;
const codes: (string | number)[] = [];
const out = sys.open(path, sys.OpenFlag.RDWR | sys.OpenFlag.CREAT);
const from = sys.open("/dev/zero", sys.OpenFlag.RDONLY);
for (
  const call of [() => sys.sendfile(out, from, 0, 1 << 20), () => sys.write(out, new Uint8Array(1))]
) {
  for (let moved = 1; moved > 0;) {
    try {
      moved = call();
      codes.push(moved);
    } catch (error) {
      moved = 0;
      codes.push((error as sys.SyscallError).code);
    }
  }
}
console.log(JSON.stringify({ codes, size: sys.lseek(out, 0, sys.Whence.END) }));
