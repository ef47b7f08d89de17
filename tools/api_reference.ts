/**
 * `npm run docs`: writes the reference in `docs/api/` from the doc comments, through
 * `deno doc --json`. Signatures are the text of the source. With `--check`, it writes nothing, and
 * exits with 1 if a page is out of date.
 *
 * @module
 */

import { execFileSync, type StdioOptions } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("docs/api/", ROOT);

/** Entries of the package, by the name of their page. */
const ENTRIES = {
  sluice: ["sluice", "src/mod.ts"],
  sys: ["sluice/sys", "src/sys/mod.ts"],
  http: ["sluice/http", "src/http/mod.ts"],
} as const;

interface Location {
  readonly filename: string;
  readonly line: number;
}

interface Tag {
  readonly kind: string;
  readonly name?: string;
  readonly doc?: string;
  readonly value?: string;
  readonly tsType?: { readonly repr: string };
}

interface Member {
  readonly name: string;
  readonly location: Location;
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly Tag[] };
  readonly accessibility?: string;
}

interface Declaration extends Omit<Member, "name"> {
  readonly kind: string;
  readonly def?: { readonly methods?: readonly Member[]; readonly properties?: readonly Member[] };
}

interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

interface Page {
  readonly module_doc?: { readonly doc?: string };
  readonly symbols: readonly DocSymbol[];
}

const KINDS: readonly (readonly [string, string])[] = [
  ["function", "Functions"],
  ["class", "Classes"],
  ["variable", "Constants"],
  ["interface", "Interfaces"],
  ["typeAlias", "Types"],
];

const sources = new Map<string, readonly string[]>();

const checking = process.argv.includes("--check");
mkdirSync(FOLDER, { recursive: true });
for (const [name, [specifier, entry]] of Object.entries(ENTRIES)) {
  const file = new URL(`${name}.md`, FOLDER);
  const text = render(specifier, read(entry));
  if (!checking) {
    writeFileSync(file, text);
    console.log(fileURLToPath(file));
  } else if (readFileSync(file, "utf8") !== text) {
    console.error(`docs/api/${name}.md is out of date: run npm run docs`);
    process.exitCode = 1;
  }
}

function read(entry: string): Page {
  // Ignores long complaints about types of Node.js that the documentation does not need.
  const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
  const options = { cwd: ROOT, encoding: "utf8", maxBuffer: 2 ** 28, stdio } as const;
  const { nodes } = JSON.parse(execFileSync("deno", ["doc", "--json", entry], options));
  return Object.values(nodes)[0] as Page;
}

function render(specifier: string, { module_doc, symbols }: Page): string {
  const parts = [`# ${specifier}`, text(module_doc?.doc), contents(symbols)];
  for (const [kind, title] of KINDS) {
    const found = ofKind(symbols, kind);
    if (found.length === 0) continue;
    parts.push(`## ${title}`);
    for (const { name, declarations } of found) {
      parts.push(`### ${name}`);
      for (const each of declarations) parts.push(...declaration(each));
    }
  }
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function ofKind(symbols: readonly DocSymbol[], kind: string): readonly DocSymbol[] {
  return symbols.filter(({ declarations }) => declarations[0]!.kind === kind);
}

function contents(symbols: readonly DocSymbol[]): string {
  return KINDS.map(([kind, title]) => {
    const names = ofKind(symbols, kind).map(({ name }) => `[${name}](#${name.toLowerCase()})`);
    return names.length === 0 ? "" : `- ${title}: ${names.join(", ")}`;
  }).filter((line) => line !== "").join("\n");
}

function declaration({ kind, location, jsDoc, def }: Declaration): string[] {
  const parts = [text(jsDoc?.doc), ...tags(jsDoc?.tags)];
  // The source of interfaces and constants, with its comments, documents them best.
  if (kind !== "class") return [code(signature(location, kind !== "function")), ...parts];
  const members = [...def?.properties ?? [], ...def?.methods ?? []]
    .filter(({ accessibility, name }) => accessibility !== "private" && !name.startsWith("#"));
  for (const { location: place, jsDoc: doc } of members) {
    parts.push(code(signature(place, false)), text(doc?.doc), ...tags(doc?.tags));
  }
  return parts;
}

/** Returns the text of a declaration: all of it, or up to its body. */
function signature({ filename, line }: Location, whole: boolean): string {
  const lines = linesOf(filename).slice(line);
  const indent = /^ */.exec(lines[0]!)![0].length;
  const taken: string[] = [];
  for (const each of lines) {
    const own = each.slice(indent);
    const body = /^(.*[\w)\]}>"]) \{( .*\})?$/.exec(own);
    if (!whole && body !== null && !/[=|&:]$/.test(body[1]!)) {
      taken.push(`${body[1]};`);
      break;
    }
    taken.push(own);
    // The last line of a declaration is not indented.
    if (/;$|^\}/.test(own) && (taken.length === 1 || !own.startsWith(" "))) break;
  }
  return taken.join("\n").replace(/^export (declare )?/, "");
}

function linesOf(filename: string): readonly string[] {
  const known = sources.get(filename);
  if (known !== undefined) return known;
  const lines = readFileSync(fileURLToPath(filename), "utf8").split("\n");
  sources.set(filename, lines);
  return lines;
}

function tags(all: readonly Tag[] = []): string[] {
  const of = (kind: string) => all.filter((tag) => tag.kind === kind);
  const list = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : [`${title}\n\n${items.join("\n")}`];
  return [
    ...list("Parameters:", of("param").map(({ name, doc }) => `- \`${name}\`: ${oneLine(doc)}`)),
    ...of("return").map(({ doc }) => `Returns: ${oneLine(doc)}`),
    ...list(
      "Throws:",
      of("throws").map(({ tsType, doc }) => `- \`${tsType?.repr ?? "Error"}\`: ${oneLine(doc)}`),
    ),
    ...of("example").map(({ doc }) => `Example: ${text(doc).replace("\n", "\n\n")}`),
  ];
}

function oneLine(doc = ""): string {
  return text(doc).replaceAll(/\s*\n\s*/g, " ");
}

/** Turns links of doc comments into code, because their targets differ here. */
function text(doc = ""): string {
  return doc.trim()
    .replaceAll(/\{@link(?:code)? (https?:[^} ]+)\}/g, "<$1>")
    .replaceAll(/\{@link(?:code)? ([^}|]+)\}/g, "`$1`")
    .replaceAll("```ts ignore", "```ts");
}

function code(source: string): string {
  return `\`\`\`ts\n${source}\n\`\`\``;
}
