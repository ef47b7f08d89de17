/** Draws the path of the bytes of one method, with the measured amounts. @module */

import { size } from "../summary.ts";
import { labelOf } from "../table.ts";
import type { Row, TargetName } from "../types.ts";

const WIDTH = 452;
const HEIGHT = 212;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly text: readonly string[];
}

const HIGH = 34;
const Y = { user: 22, kernel: 128 } as const;

const DISK: Box = { x: 10, y: Y.kernel, width: 62, text: ["disk"] };
const CACHE: Box = { x: 108, y: Y.kernel, width: 92, text: ["page cache"] };
const MEMORY: Box = { x: 146, y: Y.user, width: 150, text: ["memory of the process"] };

/** What follows the page cache: the kernel's side of the target, and the device. */
const ENDS: Record<TargetName, readonly [string, string]> = {
  socket: ["socket buffer", "network"],
  two: ["2 socket buffers", "network"],
  pipe: ["pipe", "reader"],
  file: ["cache of copy", "disk"],
};

/** Kinds of arrows: copied by the processor, passed by reference, moved by the device. */
type Kind = "copy" | "share" | "device";

/** Draws the path of the bytes; `row` has the measured amounts. */
export function flow(row: Row): string {
  const { target, method, cacheGrowth, cache } = row;
  const [near, beyond] = ENDS[target];
  const out: Box = { x: 238, y: Y.kernel, width: 112, text: [near] };
  const far: Box = { x: 382, y: Y.kernel, width: 62, text: [beyond] };
  const direct = method === "direct";
  const parts = [
    `<rect x="0" y="6" width="${WIDTH}" height="66" rx="8" class="user-space"/>`,
    `<rect x="0" y="100" width="${WIDTH}" height="${HEIGHT - 100}" rx="8" class="kernel-space"/>`,
    text(12, 20, "user space", "band"),
    text(12, HEIGHT - 8, "kernel", "band"),
    ...arrows(row, out),
  ];
  if (!direct && cache === "cold") {
    parts.push(arrow([right(DISK), middle(DISK)], [CACHE.x, middle(CACHE)], "device"));
    parts.push(text(90, 188, size(Math.min(cacheGrowth, row.bytes)), "note", "middle"));
  }
  if (!(direct && target === "file")) {
    parts.push(arrow([right(out), middle(out)], [far.x, middle(far)], "device"));
  }
  const idle = direct || cache === "warm";
  const boxes = [
    box(DISK, cache === "warm" && !direct),
    box(CACHE, direct),
    box(out, direct && target === "file"),
    box(far, false),
    box(MEMORY, crossings(row) === 0 && method !== "mmap"),
  ];
  if (idle && !direct) parts.push(text(90, 188, "nothing", "note", "middle"));
  const title = `${labelOf(method)}: the path of the bytes`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">` +
    `${parts.join("")}${boxes.join("")}</svg>`;
}

function arrows(row: Row, out: Box): string[] {
  const { method, target, traffic } = row;
  const { intoUser, outOfUser, inKernel } = traffic;
  const parts: string[] = [];
  const down: [number, number] = [out.x + out.width / 2, Y.kernel];
  if (method === "mmap") {
    parts.push(arrow([CACHE.x + 50, Y.kernel], [190, Y.user + HIGH], "share"));
    parts.push(label(124, 92, ["mapped, not copied"], "share", "end"));
  } else if (method === "direct") {
    parts.push(arrow([DISK.x + 32, Y.kernel], [166, Y.user + HIGH], "device"));
    parts.push(label(12, 92, [size(intoUser), "by the disk"], "device"));
  } else if (intoUser > inKernel / 100) {
    parts.push(arrow([CACHE.x + 50, Y.kernel], [190, Y.user + HIGH], "copy"));
    // io_uring reads and writes by the same call. The runtime may use a ring of its own, too.
    const names = method === "ring" ? /^io_uring_enter/ : /^p?read/;
    parts.push(label(144, 92, [size(intoUser), calls(row, names)], "copy", "end"));
  }
  if (outOfUser > inKernel / 100) {
    const end: [number, number] = method === "direct" && target === "file" ? [412, Y.kernel] : down;
    const kind = method === "direct" && target === "file" ? "device" : "copy";
    parts.push(arrow([MEMORY.x + 110, Y.user + HIGH], end, kind));
    parts.push(label(306, 92, [size(outOfUser), calls(row, /^(p?write|send(to|msg))/)], kind));
  }
  if (inKernel > 0) {
    const kind = target === "file" && method !== "reflink" ? "copy" : "share";
    parts.push(arrow([right(CACHE), middle(CACHE)], [out.x, middle(out)], kind));
    const how = target === "file"
      ? method === "reflink" ? "blocks shared" : "copied in the kernel"
      : "by reference";
    // Bytes that pass through a pipe of the program are moved twice: in and out.
    const moved = Math.min(inKernel, row.bytes * (target === "two" ? 2 : 1));
    parts.push(text(220, 178, size(moved), `note ${kind}`, "middle"));
    parts.push(text(220, 191, how, `note ${kind}`, "middle"));
    parts.push(text(220, 204, calls(row, /send|splice|tee|copy_file|ioctl/), "note", "middle"));
  }
  return parts;
}

/** Returns the bytes that crossed between kernel and process. */
export function crossings({ traffic: { intoUser, outOfUser, inKernel } }: Row): number {
  const sum = intoUser + outOfUser;
  // Messages between the runtime's threads are no payload.
  return sum > inKernel / 100 ? sum : 0;
}

function calls({ traffic }: Row, names: RegExp): string {
  const found = Object.entries(traffic.calls ?? {}).filter(([name]) => names.test(name));
  if (found.length === 0) return "";
  const main = found.sort(([, a], [, b]) => b - a).slice(0, 2);
  return main.map(([name, count]) => `${count} x ${name.replace(/64$/, "")}`).join(", ");
}

function right({ x, width }: Box): number {
  return x + width;
}

function middle({ y }: Box): number {
  return y + HIGH / 2;
}

function box({ x, y, width, text: lines }: Box, idle: boolean): string {
  const style = idle ? "box idle" : "box";
  return `<rect x="${x}" y="${y}" width="${width}" height="${HIGH}" rx="6" class="${style}"/>` +
    text(x + width / 2, y + HIGH / 2 + 4, lines[0]!, idle ? "name idle" : "name", "middle");
}

function arrow([x1, y1]: [number, number], [x2, y2]: [number, number], kind: Kind): string {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const [bx, by] = [x2 - ux * 9, y2 - uy * 9];
  const head = [
    [x2, y2],
    [bx - uy * 5.5, by + ux * 5.5],
    [bx + uy * 5.5, by - ux * 5.5],
  ].map((point) => point.map((n) => n.toFixed(1)).join(",")).join(" ");
  return `<line x1="${x1}" y1="${y1}" x2="${bx.toFixed(1)}" y2="${by.toFixed(1)}" ` +
    `class="arrow ${kind}"/><polygon points="${head}" class="head ${kind}"/>`;
}

function label(
  x: number,
  y: number,
  lines: readonly string[],
  kind: Kind,
  anchor: "start" | "end" = "start",
): string {
  return lines.filter((line) => line !== "").map((line, i, all) =>
    text(x, y + (i - all.length + 1) * 13, line, `note ${kind}`, anchor)
  ).join("");
}

function text(x: number, y: number, content: string, style: string, anchor = "start"): string {
  return `<text x="${x}" y="${y}" class="${style}" text-anchor="${anchor}">${content}</text>`;
}
