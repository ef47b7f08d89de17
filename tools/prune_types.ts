/**
 * `node tools/prune_types.ts`: removes declarations from `dist/types` that no entry of the package
 * reaches. tsc writes one for everything that any file exports, and most of that is internal. Also
 * removes examples from the comments: the reference has them.
 *
 * Reads the form that tsc writes: each statement begins in the first column, below its comment.
 *
 * @module
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const TYPES = join(ROOT, "dist/types");

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(?:function|class|interface|type|const|let) ([\w$]+)/;
/** Imports and exports of names: the list, and the file if there is one. */
const NAMES = /^(import|export) (?:type )?\{([^}]*)\}(?: from "([^"]+)")?;/;
const NAMESPACE = /^import (?:type )?\* as ([\w$]+) from "([^"]+)";/;
const EVERYTHING = /^export \*(?: as ([\w$]+))? from "([^"]+)";/;
const INLINE = /import\("(\.[^"]+)"\)\.([\w$]+)/g;

interface Statement {
  /** Text with its comment. */
  readonly text: string;
  /** Text without comments. */
  readonly code: string;
}

/** A name from another file: its local name and its name there. */
interface Link {
  readonly file: string | undefined;
  readonly theirs: string;
}

interface Source {
  readonly statements: readonly Statement[];
  readonly declared: Map<string, Statement[]>;
  readonly imported: Map<string, Link>;
  readonly exported: Map<string, Link>;
  /** Files whose exports this file re-exports completely. */
  readonly forwarded: string[];
}

const sources = new Map<string, Source>();
/** Statements to keep, and names in lists to keep, as `file import name`. */
const kept = new Set<Statement | string>();

interface Manifest {
  readonly exports: Record<string, string | { readonly types: string }>;
}

const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
const entries = new Set(
  Object.values(exports).flatMap((each) => typeof each === "string" ? [] : join(ROOT, each.types)),
);
for (const entry of entries) keepAll(entry);

for (const entry of readdirSync(TYPES, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const file = join(entry.parentPath, entry.name);
  const text = sources.has(file) ? render(file) : "";
  if (text === "") rmSync(file);
  else writeFileSync(file, text);
}

function keepAll(file: string): void {
  if (!once(`${file} *`)) return;
  const { declared, exported, forwarded } = read(file);
  for (const name of [...declared.keys(), ...exported.keys()]) keep(file, name);
  for (const other of forwarded) keepAll(other);
}

/** Keeps what a file exports under a name. */
function keep(file: string, name: string): void {
  const { exported, forwarded } = read(file);
  const link = exported.get(name);
  if (link === undefined) {
    keepOwn(file, name);
    for (const other of forwarded) keep(other, name);
  } else if (once(`${file} export ${name}`)) {
    if (link.file === undefined) keepOwn(file, link.theirs);
    else follow(link.file, link.theirs);
  }
}

/** Keeps what a name means inside a file, and everything that it refers to. */
function keepOwn(file: string, name: string): void {
  const { declared, imported } = read(file);
  const link = imported.get(name);
  if (link !== undefined && once(`${file} import ${name}`)) follow(link.file, link.theirs);
  for (const statement of declared.get(name) ?? []) {
    if (!once(statement)) continue;
    for (const [, other, theirs] of statement.code.matchAll(INLINE)) {
      keep(resolve(file, other!), theirs!);
    }
    for (const [word] of statement.code.matchAll(/[\w$]+/g)) keepOwn(file, word);
  }
}

/** Follows a name to another file, unless that is a package. */
function follow(file: string | undefined, name: string): void {
  if (file === undefined || file === "") return;
  if (name === "*") keepAll(file);
  else keep(file, name);
}

function once(what: Statement | string): boolean {
  if (kept.has(what)) return false;
  kept.add(what);
  return true;
}

function read(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const statements = split(readFileSync(file, "utf8"));
  const source: Source = {
    statements,
    declared: new Map(),
    imported: new Map(),
    exported: new Map(),
    forwarded: [],
  };
  sources.set(file, source);
  for (const statement of statements) {
    const { code } = statement;
    const [, name] = DECLARATION.exec(code) ?? [];
    if (name !== undefined) {
      source.declared.set(name, [...source.declared.get(name) ?? [], statement]);
    }
    const [, kind, list, from] = NAMES.exec(code) ?? [];
    const target = from === undefined ? undefined : resolve(file, from);
    for (const { theirs, ours } of parse(list ?? "")) {
      source[kind === "import" ? "imported" : "exported"].set(ours, { file: target, theirs });
    }
    const [, local, whole] = NAMESPACE.exec(code) ?? [];
    if (local !== undefined) {
      source.imported.set(local, { file: resolve(file, whole!), theirs: "*" });
    }
    const [, as, other] = EVERYTHING.exec(code) ?? [];
    if (other === undefined) continue;
    if (as === undefined) source.forwarded.push(resolve(file, other));
    else source.exported.set(as, { file: resolve(file, other), theirs: "*" });
  }
  return source;
}

function split(text: string): Statement[] {
  const parts = text.split(/^(?=\/\*\*|\/\/\/|import |export |declare )/m);
  const statements: Statement[] = [];
  let comment = "";
  for (const part of parts) {
    // Joins a comment with the statement below it. One with "@module" belongs to the file.
    if (/^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.test(part)) {
      if (part.includes("@module")) statements.push({ text: part, code: "" });
      else comment = part;
      continue;
    }
    statements.push({ text: comment + part, code: part.replaceAll(COMMENT, "") });
    comment = "";
  }
  return statements;
}

function parse(list: string): { theirs: string; ours: string }[] {
  return list.split(",").map((item) => item.trim().replace(/^type /, "")).filter(Boolean)
    .map((item) => {
      const [theirs, ours = theirs] = item.split(" as ");
      return { theirs: theirs!, ours: ours! };
    });
}

/** Returns the declaration file of a relative import; empty for a package. */
function resolve(file: string, specifier: string): string {
  return specifier.startsWith(".")
    ? join(dirname(file), specifier.replace(/\.[jt]s$/, ".d.ts"))
    : "";
}

function render(file: string): string {
  const { statements } = read(file);
  const lines = statements.flatMap((statement) => {
    const { text, code } = statement;
    if (code === "") return entries.has(file) || text.startsWith("///") ? [text] : [];
    const [whole, kind, list] = NAMES.exec(code) ?? [];
    if (whole === undefined) {
      const local = NAMESPACE.exec(code)?.[1];
      const stays = local !== undefined
        ? kept.has(`${file} import ${local}`)
        : !DECLARATION.test(code) || kept.has(statement);
      return stays ? [text.replaceAll(COMMENT, withoutExamples)] : [];
    }
    const names = list!.split(",").map((item) => item.trim()).filter((item) => {
      const [found] = parse(item);
      return found !== undefined && kept.has(`${file} ${kind} ${found.ours}`);
    });
    if (names.length === 0) return code.startsWith("export {}") ? [text] : [];
    return [code.replace(/\{[^}]*\}/, `{ ${names.join(", ")} }`)];
  });
  if (lines.some((line) => /^\s*(export|declare)\b/m.test(line))) return lines.join("");
  // An entry imported only for its side effects has no types.
  return entries.has(file) ? "export {};\n" : "";
}

function withoutExamples(comment: string): string {
  return comment.replace(/\s*\*\s*@example[\s\S]*?(?=\n\s*\* @|\s*\*\/$)/g, "");
}
