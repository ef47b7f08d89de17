/** `sluice relay LISTEN UPSTREAM`: a zero-copy relay for TCP and Unix sockets. @module */

import { Command, InvalidArgumentError } from "commander";
import { formatAddress, parseEndpoint } from "../../move/relay/endpoint.ts";
import { interruptible, withOptions } from "../exit.ts";
import { addNote } from "../notes.ts";
import { withRemedy } from "../relay/remedy.ts";
import { createReporter } from "../relay/reporter.ts";

interface Options {
  readonly threads: number;
  readonly idleTimeout: number;
  readonly connectTimeout: number;
  readonly maxConnections: number;
  readonly grace: number;
  readonly json: boolean;
}

const ADDRESSES =
  `LISTEN and UPSTREAM are host:port, [::1]:port, :port (on 127.0.0.1) or unix:/path.
Port 0 picks a free port.
Ctrl-C waits for open connections to end; press it again to stop at once.`;

/** The command. */
export const relay: Command = addNote(relayCommand(), ADDRESSES);

/** Declares the options. */
function relayCommand(): Command {
  return new Command("relay")
    .description("relays TCP and Unix connections to another address by splice")
    .argument("<listen>", "address to listen on", address)
    .argument("<upstream>", "address to connect to", address)
    .option("--threads <n>", "threads that relay", whole, 1)
    .option(
      "--idle-timeout <s>",
      "close idle connections after this time, 0 for never",
      seconds,
      600,
    )
    .option("--connect-timeout <s>", "time limit for connecting to the upstream", seconds, 10)
    .option("--max-connections <n>", "most connections at once; others wait", whole, 16_384)
    .option("--grace <s>", "time that connections have to end after Ctrl-C", seconds, 30)
    .option("--json", "print JSON, one object a line", false)
    .action(run);
}

async function run(listen: string, upstream: string, options: Options): Promise<void> {
  const { createRelay } = await import("../../mod.ts");
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const relay = withOptions(() =>
    createRelay({
      listen,
      upstream,
      threads: options.threads,
      idleTimeoutMs: options.idleTimeout * 1000,
      connectTimeoutMs: options.connectTimeout * 1000,
      maxConnections: options.maxConnections,
      onError: failed.reject,
    })
  );
  const reporter = createReporter(relay, options);
  await interruptible(async (signal) => {
    const graceMs = options.grace * 1000;
    const interrupted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    const address = await relay.listen().catch((error) => {
      throw withRemedy(error, listen);
    });
    reporter.listening(formatAddress(address), upstream);
    try {
      await Promise.race([interrupted, failed.promise]);
      reporter.draining(graceMs);
      await Promise.race([relay.close({ graceMs }), failed.promise]);
    } finally {
      await relay.close({ graceMs: 0 });
      reporter.stop();
    }
  });
}

function address(text: string): string {
  try {
    parseEndpoint(text, "address");
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function whole(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}

function seconds(text: string): number {
  if (/^\d{1,6}(\.\d{1,3})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected seconds, such as 30 or 0.5.");
}
