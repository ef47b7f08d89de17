/** Runs other servers for files: Caddy and h2o. @module */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./nginx.ts";
import { type Server, startServerOn } from "./processes.ts";

/** How to install them. */
export const REMEDY: string =
  "Caddy or h2o is not installed (Debian: apt-get install caddy h2o): " +
  "its row is left out";

/**
 * Starts Caddy on one processor; it sends precompressed files. Its own files go to `folder`.
 *
 * @param root The folder to serve.
 */
export async function startCaddy(folder: string, root: string): Promise<Server> {
  const port = await freePort();
  const config = join(folder, `caddy-${port}`);
  writeFileSync(
    config,
    `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  root * ${root}
  file_server {
    precompressed br gzip
  }
}
`,
  );
  const argv = ["timeout", "900", "caddy", "run", "--config", config, "--adapter", "caddyfile"];
  // Go's scheduler would use the processor of the clients, too.
  const env = { GOMAXPROCS: "1", XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  return await startServerOn(port, { argv, env });
}

/** Starts h2o with one thread; it sends precompressed files. */
export async function startH2o(folder: string, root: string): Promise<Server> {
  const port = await freePort();
  const config = join(folder, `h2o-${port}.yaml`);
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? "user: root\n" : ""}num-threads: 1
listen:
  host: 127.0.0.1
  port: ${port}
hosts:
  default:
    paths:
      /:
        file.dir: ${root}
        file.send-compressed: ON
`,
  );
  return await startServerOn(port, { argv: ["timeout", "900", "h2o", "-c", config] });
}
