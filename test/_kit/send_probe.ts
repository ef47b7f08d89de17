/** Sends a file into a pipe; prints the result as JSON. @module */

import { sendFile } from "../../src/mod.ts";
import { pipe2 } from "../../src/sys/mod.ts";

const [, writeFd] = pipe2();
try {
  const { bytes } = await sendFile(writeFd, process.argv[2]!);
  console.log(JSON.stringify({ bytes }));
} catch (error) {
  const { name, code } = error as Error & { code?: string };
  console.log(JSON.stringify({ name, code }));
}
