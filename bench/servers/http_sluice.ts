/** sluice behind `node:http`. @module */

import { createServer } from "node:http";
import { sendFile } from "../../src/mod.ts";
import { fileOf, ignoreGone, listen } from "./harness.ts";

listen(createServer((req, res) => {
  sendFile(res, fileOf(req.url!)).catch(ignoreGone);
}));
