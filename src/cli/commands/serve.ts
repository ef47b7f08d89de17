/** `sluice serve [DIR]`: serves a folder over HTTP, without copying. @module */

import { Command, InvalidArgumentError } from "commander";
import { addNote } from "../notes.ts";
import type { ServeOptions } from "../serve/serve.ts";

const NOTE = "Ctrl-C waits for downloads to end; press it again to stop at once.";

/** The command. */
export const serve: Command = addNote(serveCommand(), NOTE);

/** Declares the options. */
function serveCommand(): Command {
  return new Command("serve")
    .description("serves a folder over HTTP or HTTPS by sendfile")
    .argument("[dir]", "folder to serve", ".")
    .option("-p, --port <n>", "port to listen on (default: 3000, or the next free one)", port)
    .option(
      "-H, --host [address]",
      "address to listen on; without a value, all interfaces",
      "127.0.0.1",
    )
    .option("-t, --threads <n>", "server threads", threads, 1)
    .option("--spa", "send index.html for missing paths (single-page application)", false)
    .option(
      "--fallback <address>",
      "forward requests for missing files to a server: [host]:port, https://host",
    )
    .option("--tls-cert <file>", "serve HTTPS with this certificate (PEM, with its chain)")
    .option("--tls-key <file>", "private key of the certificate (PEM)")
    .option("--tls", "serve HTTPS with a certificate made for this machine", false)
    .option("--redirect-http <port>", "with HTTPS: redirect HTTP requests on this port", port)
    .option(
      "--sandbox",
      "restrict the server threads to reading below the folder (Landlock, seccomp)",
      false,
    )
    .option("--cors", "let pages of other origins read the files", false)
    .option("-o, --open", "open the folder in the browser", false)
    .option("--json", "print JSON, one object a line", false)
    .option("-q, --quiet", "print the address and errors only", false)
    .action(async (dir: string, options: ServeOptions) => {
      const { serveFolder } = await import("../serve/serve.ts");
      await serveFolder(dir, options);
    });
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Expected a port in 0..65535.");
}

function threads(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 256) return Number(text);
  throw new InvalidArgumentError("Expected a number in 1..256.");
}
