/** Formats the report of `sluice doctor`. @module */

import { release } from "node:os";
import type { Capabilities, Mechanism, MechanismName } from "../../capabilities.ts";
import { RUNTIME_LIBRARY } from "../../tls/library.ts";
import { wrap } from "../output.ts";
import type { Paint, StyleName } from "../style.ts";

/** Mechanisms by purpose, with the field's names. */
const GROUPS: readonly (readonly [string, Partial<Record<MechanismName, string>>])[] = [
  ["Moving bytes inside the kernel", {
    sendfile: "sendfile",
    splice: "splice",
    tee: "tee",
    vmsplice: "vmsplice",
  }],
  ["Files in this folder", {
    copyFileRange: "copy_file_range",
    reflink: "reflink",
    directIo: "O_DIRECT",
  }],
  ["The disk and the page cache", {
    ioUring: "io_uring",
    readNowait: "RWF_NOWAIT",
    cachestat: "cachestat",
  }],
  ["Memory", {
    populate: "MADV_POPULATE",
    memfd: "memfd",
    lockedMemory: "mlock",
    hugePages: "huge pages",
    transparentHugePages: "transparent huge pages",
    processVmReadv: "process_vm_readv",
  }],
  ["Network", { ktls: "kTLS", msgZerocopy: "MSG_ZEROCOPY" }],
  ["Isolation", { openat2: "openat2", landlock: "Landlock" }],
];

const MARKS: Record<Mechanism["state"], readonly [string, StyleName]> = {
  works: ["works    ", "green"],
  missing: ["missing  ", "yellow"],
  forbidden: ["forbidden", "red"],
  unknown: ["unknown  ", "dim"],
};

const WIDTH = 23;
/** Column at which the details of a mechanism begin. */
const DETAILS = WIDTH + 13;
/** Least columns for details beside the state; if there are fewer, they go below. */
const LEAST = 30;

/** Renders the report for a terminal of `width` columns. */
export function render(found: Capabilities, paint: Paint, width: number = Infinity): string {
  const narrow = width - DETAILS < LEAST;
  return lines(found, paint, narrow).flatMap((line) => {
    const begin = /^ */.exec(line)![0].length;
    const below = narrow ? begin + 2 : Math.max(DETAILS, begin + "-> ".length);
    return wrap(line, width, " ".repeat(below));
  }).join("\n");
}

function lines(found: Capabilities, paint: Paint, narrow: boolean): string[] {
  const { runtime, backend, system, kernel, libc, reason, missing } = found;
  const all = [
    field("runtime", `${runtime.name} ${runtime.version}`),
    field("foreign calls", backend ?? paint("red", "none")),
    field("system", `${system}, kernel ${kernel ?? release()}`),
    field("C library", libc ?? "not opened"),
  ];
  if (missing.length > 0) all.push(field("it lacks", missing.join(", ")));
  if (reason !== null) {
    return [
      ...all,
      "",
      paint("red", reason),
      "Without foreign calls, sluice copies where it can.",
    ];
  }
  for (const [title, names] of GROUPS) {
    all.push("", paint("bold", title));
    for (const [name, label] of Object.entries(names)) {
      all.push(...row(label, found.mechanisms[name as MechanismName], paint, narrow));
    }
  }
  all.push("", paint("bold", "HTTPS"), ...https(found, paint, narrow));
  all.push("", paint("bold", "Network interfaces"), ...interfaces(found, paint));
  all.push("", paint("bold", "Limits"), ...limits(found));
  return [...all, "", verdict(found, paint)];
}

/** Whether files can be sent without copying. */
export function healthy({ supported, mechanisms: { sendfile, splice } }: Capabilities): boolean {
  return supported && sendfile.state === "works" && splice.state === "works";
}

function verdict(found: Capabilities, paint: Paint): string {
  if (healthy(found)) return paint("green", "sluice sends without copying here.");
  return paint("red", "sluice has to copy here: see what is missing or forbidden above.");
}

function field(name: string, value: string): string {
  return `${name.padEnd(WIDTH)} ${value}`;
}

function row(
  label: string,
  { state, detail, remedy }: Mechanism,
  paint: Paint,
  narrow: boolean,
): string[] {
  const [mark, style] = MARKS[state];
  const head = `  ${label.padEnd(WIDTH)}${paint(style, mark)}`;
  const below = " ".repeat(narrow ? 4 : DETAILS);
  const lines = narrow
    ? [head.trimEnd(), `${below}${paint("dim", detail)}`]
    : [`${head}  ${paint("dim", detail)}`];
  if (remedy !== null) lines.push(`${below}${paint("cyan", "->")} ${remedy}`);
  return lines;
}

/** Lists the library first: without it, the state of kTLS is unknown. */
function https({ tls }: Capabilities, paint: Paint, narrow: boolean): string[] {
  const { kernelTls, library, reason, version } = tls;
  if (library === null) {
    const none: Mechanism = { state: "missing", detail: reason!, remedy: null };
    return row("TLS library", none, paint, narrow);
  }
  const detail = `${version}, ${library === RUNTIME_LIBRARY ? "exported by Node.js" : library}`;
  return [
    ...row("TLS library", { state: "works", detail, remedy: null }, paint, narrow),
    ...row("sendfile by kTLS", kernelTls, paint, narrow),
  ];
}

function interfaces({ network }: Capabilities, paint: Paint): string[] {
  const { interfaces: all, rdma, rdmaLibrary } = network!;
  const lines = all.map(({ name, scatterGather, transmitChecksum, segmentation }) => {
    const answers = [
      ["DMA gather", scatterGather],
      ["checksum", transmitChecksum],
      ["TSO", segmentation],
    ] as const;
    const text = answers.map(([what, answer]) => `${what}: ${word(answer, paint)}`).join("  ");
    return `  ${name.padEnd(WIDTH)}${text}`;
  });
  if (lines.length === 0) lines.push("  none that this process may see");
  const devices = rdma === null ? "not readable" : rdma.length === 0 ? "none" : rdma.join(", ");
  const library = rdmaLibrary ?? "none (librdmacm1 and ibverbs-providers)";
  return [...lines, `  ${"RDMA".padEnd(WIDTH)}devices: ${devices}  library: ${library}`];
}

function word(answer: boolean | null, paint: Paint): string {
  if (answer === null) return paint("dim", "unknown");
  return answer ? paint("green", "yes") : paint("yellow", "no");
}

function limits({ limits: found }: Capabilities): string[] {
  const { pageSize, pipeCapacity, largestPipe, openFiles, lockedMemory, hugePages } = found!;
  const both = ({ soft, hard }: typeof openFiles, text: (value: number) => string) => {
    const word = (value: number | null) => value === null ? "unlimited" : text(value);
    return soft === hard ? word(soft) : `${word(soft)}, may be raised to ${word(hard)}`;
  };
  return [
    ["page", bytes(pageSize)],
    ["pipe", `${bytes(pipeCapacity)}, grows to ${bytes(largestPipe)}`],
    ["open files", both(openFiles, String)],
    ["locked memory", both(lockedMemory, bytes)],
    ["reserved huge pages", hugePages === null ? "unknown" : String(hugePages)],
  ].map(([name, value]) => `  ${name!.padEnd(WIDTH)}${value}`);
}

function bytes(count: number): string {
  if (count >= 2 ** 30) return `${round(count / 2 ** 30)} GiB`;
  return count >= 2 ** 20 ? `${round(count / 2 ** 20)} MiB` : `${round(count / 1024)} KiB`;
}

function round(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
