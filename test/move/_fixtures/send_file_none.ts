// Sends one file to everything that this runtime offers but descriptors; prints what happened.
import { noise, sha256 } from "../../_kit/bytes.ts";
import { TARGETS, withPair } from "../../_kit/targets.ts";
import { sendFile } from "../../../src/move/send_file/send_file.ts";

const [path] = process.argv.slice(2);
const expected = sha256(noise(3_000_001));
const rows: [string, string, number, boolean][] = [];
for (const row of TARGETS.filter(({ skip, kind }) => !skip && kind !== "descriptor")) {
  await withPair(row, async ({ target, reader, end }) => {
    const { method, bytes } = await sendFile(target, path!, { kernelTls: true });
    end();
    await reader.closed;
    rows.push([row.name, method, bytes, sha256(reader.bytes()) === expected]);
  });
}
console.log(JSON.stringify(rows));
