/** `sluice serve [DIR]`: serves a folder over HTTP, without copying. @module */

import { Command, Option } from "commander";
import { addNote } from "../notes.ts";
import { print } from "../output.ts";
import {
  cacheTime,
  credentials,
  fileSize,
  hostNames,
  indexNames,
  mount,
  port,
  threads,
} from "../serve/values.ts";
import type { ServeOptions } from "../serve/serve.ts";

const NOTE = "Ctrl-C waits for downloads to end; press it again to stop at once.";

/** The command. */
export const serve: Command = addNote(serveCommand(), NOTE);

/** Declares the options. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("serves a folder over HTTP or HTTPS by sendfile")
    .argument("[path]", "folder to serve, or one file", ".")
    .option("-p, --port <n>", "port to listen on (default: 3000, or the next free one)", port)
    .option(
      "-H, --host [address]",
      "address to listen on; without a value, all interfaces",
      "127.0.0.1",
    )
    .option("-t, --threads <n>", "server threads", threads, 1)
    .option("--mount <at=dir>", "serve another folder below a path; may be repeated", mount)
    .option(
      "--cache <time>",
      "clients may keep files for 1h, 30d, ...; no-cache, no-store",
      cacheTime,
    )
    .option("--precompressed", "send file.br, file.zst or file.gz instead of file", false)
    .option("--compress", "make such versions once, in a cache folder, and send them", false)
    .option("--compress-dir <dir>", "cache folder for them (default: that of the user)")
    .addOption(
      new Option("--compress-max <size>", "most bytes of them for one folder: 500m, 2g")
        .argParser(fileSize).default(2 ** 30, "1g"),
    )
    .option("--index <names>", 'files that stand for their folder, or "none"', indexNames)
    .option("--clean-urls", "find about.html for /about", false)
    .option("--dotfiles", "serve files whose name begins with a dot", false)
    .option("--title <text>", "name of the folder in listings (default: its own)")
    .option("--404 <file>", "page for missing files, below the folder")
    .option("--headers <file>", "header fields by path, as in _headers of static hosts")
    .option("--redirects <file>", "redirects by path, as in _redirects of static hosts")
    .option("--auth <user:password>", "ask for a password; may be repeated", credentials)
    .option("--auth-file <file>", "ask for the passwords of a htpasswd file (-m or -s)")
    .option("--upload", "let clients store files in the folder: in the listing, or by PUT", false)
    .option("--upload-max <size>", "largest file, such as 500M, 2G or none (default: 1G)", fileSize)
    .option("--upload-overwrite", "let uploads replace files", false)
    .option(
      "--upload-host <name>",
      "name by which pages may upload over HTTP; may be repeated",
      hostNames,
    )
    .option("--archives", "offer folders in the listing as .zip and .tar", false)
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
      "restrict the server threads to reading below the folders (Landlock, seccomp)",
      false,
    )
    .option("--cors", "let pages of other origins read the files", false)
    .option("--live", "reload pages in browsers when a file changes", false)
    .option("-o, --open", "open the folder in the browser", false)
    .addOption(
      new Option("--log <format>", "print a line of an access log for each request").choices(
        ["combined", "json"],
      ),
    )
    .option("--metrics <port>", "serve counters for Prometheus on this port of 127.0.0.1", port)
    .option("--json", "print JSON, one object a line", false)
    .option("-q, --quiet", "print the address and errors only", false)
    .option(
      "--config <file>",
      "read options from this file (default: sluice.config.json, .ts or .js)",
    )
    .option("--print-config", "print the options as such a file, and serve nothing", false)
    .action(async (path: string, _: unknown, command: Command) => {
      const { applyConfig, configOf } = await import("../serve/config_file.ts");
      const { config, printConfig } = command.opts<{ config?: string; printConfig: boolean }>();
      const read = await applyConfig(command, config);
      if (printConfig) return print(JSON.stringify(configOf(command), null, 2));
      const { serveFolder } = await import("../serve/serve.ts");
      const secret = command.getOptionValueSource("auth") === "config";
      await serveFolder(path, command.opts<ServeOptions>(), secret ? read : undefined);
    });
}
