/** One line for each request. @module */

import type { RequestEvent } from "../../http/mod.ts";
import { formatBytes } from "../../http/listing/text.ts";
import type { Paint, StyleName } from "../style.ts";

// deno-lint-ignore no-control-regex -- a client must not move the cursor of our terminal
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/** `200 GET /large.bin 1.00 GiB sendfile 812.3 ms`, what is missing of it, and why. */
export function requestLine(event: RequestEvent, paint: Paint): string {
  const { bytes, durationMs, error, method, state, status, total, transfer } = event;
  const cut = state === "aborted" ? paint("yellow", ` of ${formatBytes(total)}, broken off`) : "";
  const why = error === undefined ? "" : paint("yellow", ` ${shown(error)}`);
  return `${paint(colourOf(status), String(status))} ${method || "-"} ${shown(event.target)} ` +
    `${formatBytes(bytes)}${cut} ${paint("dim", `${transfer} ${durationMs.toFixed(1)} ms`)}${why}`;
}

/** The target as a terminal may show it. */
export function shown(target: string): string {
  return target.replace(CONTROL, "?") || "-";
}

function colourOf(status: number): StyleName {
  return status < 300 ? "green" : status < 400 ? "cyan" : status < 500 ? "yellow" : "red";
}
