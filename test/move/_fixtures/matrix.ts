/**
 * Transfers from every kind of source to every kind of target, and prints how each ended. Started as
 * a process of its own, so that a call that never returns ends with it.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { transfer, type TransferOptions } from "../../../src/mod.ts";
import { Scope } from "../../_kit/fds.ts";
import { SOURCES, TARGETS } from "./matrix_ends.ts";
import { LENGTH } from "./matrix_expected.ts";

/** Targets for a method that is forced: one of each sort. */
const FEW = ["file", "O_APPEND file", "memfd", "pipe", "blocking pipe", "/dev/null", "TCP"];

/** How one transfer ended. */
export interface Outcome {
  readonly source: string;
  readonly target: string;
  readonly bytes: number;
  /** `null` when it succeeded. */
  readonly error: { name: string; code: string } | null;
  /** The received bytes in base64; `null` if they cannot be observed. */
  readonly arrived: string | null;
  readonly method: string | null;
}

/** How a transfer has ended, as far as its promise tells. */
export function settledOf(
  running: ReturnType<typeof transfer>,
): Promise<Pick<Outcome, "bytes" | "method" | "error">> {
  return running.then(
    ({ bytes, method }) => ({ bytes, method, error: null }),
    ({ name, code, bytesMoved }) => ({
      bytes: bytesMoved ?? 0,
      method: null,
      error: { name, code },
    }),
  );
}

/** The received bytes, for an outcome. */
export function base64Of(arrived: Uint8Array | undefined): string | null {
  return arrived === undefined ? null : Buffer.from(arrived).toString("base64");
}

async function attempt(
  folder: string,
  source: string,
  target: string,
  options: TransferOptions,
): Promise<Outcome> {
  const scope = new Scope();
  try {
    const from = SOURCES[source]!({ folder, scope });
    const to = TARGETS[target]!({ folder, scope });
    // A terminal without input, and a pipe without a reader, never end by themselves.
    const signal = AbortSignal.timeout(source === "terminal" ? 50 : 5000);
    const settled = await settledOf(
      transfer(from.fd, to.fd, { length: LENGTH, signal, ...options }),
    );
    return { source, target, ...settled, arrived: base64Of(to.arrived?.()) };
  } finally {
    scope.close();
  }
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-matrix-"));
  const method = process.argv.at(-1) as NonNullable<TransferOptions["method"]>;
  const outcomes: Outcome[] = [];
  try {
    for (const source of Object.keys(SOURCES)) {
      for (const target of method === "auto" ? Object.keys(TARGETS) : FEW) {
        // Synchronous, so that a hang is seen where it happened.
        writeSync(2, `${source} to ${target}\n`);
        outcomes.push(await attempt(folder, source, target, { method }));
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(JSON.stringify(outcomes));
}
