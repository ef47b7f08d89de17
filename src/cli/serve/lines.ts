/** Formats one line per request. @module */

import type { RequestEvent } from "../../http/mod.ts";
import { formatBytes } from "../../http/listing/text.ts";
import { shown } from "../output.ts";
import type { Paint, StyleName } from "../style.ts";

/** Formats `200 GET /large.bin 1.00 GiB sendfile 812.3 ms`, how much was aborted, and why. */
export function requestLine(event: RequestEvent, paint: Paint): string {
  const { bytes, durationMs, error, method, received, state, status, total, transfer } = event;
  const cut = state === "aborted" ? paint("yellow", ` of ${formatBytes(total)}, aborted`) : "";
  const stored = received ? `${formatBytes(received)} received, ` : "";
  const why = error === undefined ? "" : paint("yellow", ` ${shown(error)}`);
  return `${paint(colourOf(status), String(status))} ${method || "-"} ${
    shown(event.target) || "-"
  } ` +
    `${stored}${formatBytes(bytes)}${cut} ${
      paint("dim", `${transfer} ${durationMs.toFixed(1)} ms`)
    }${why}`;
}

function colourOf(status: number): StyleName {
  return status < 300 ? "green" : status < 400 ? "cyan" : status < 500 ? "yellow" : "red";
}
