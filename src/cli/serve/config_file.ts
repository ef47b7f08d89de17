/** `sluice.config.json` or `.ts`: options of `sluice serve` that do not fit a line. @module */

import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command, Option } from "commander";
import { isPath } from "../reference/table.ts";

/** The first of these that is in the current folder is read. */
const USUAL = ["json", "ts", "js"].map((ending) => `sluice.config.${ending}`);

/**
 * Sets options that the command line leaves out from a file. Its keys are the long names of options:
 * `{ "clean-urls": true, "cache": "1h" }`. Options that may be repeated take a list. `mounts` and `hosts`
 * are those of `createFileServer`. Paths are relative to the file. A module exports them as its default.
 *
 * @param file The file; without it, `sluice.config.json`, `.ts` or `.js` if one exists.
 * @returns The path of the file, or `undefined` if there is none.
 *
 * @throws {Error} When the file is invalid; the message names the key.
 */
export async function applyConfig(
  command: Command,
  file: string | undefined = USUAL.find((name) => existsSync(name)),
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const path = resolve(file);
  for (const [key, value] of Object.entries(await load(path))) {
    if (key === "mounts" || key === "hosts") {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        throw new Error(`${path}: ${key} must be an object, such as { "/media": "folder" }`);
      }
      command.setOptionValueWithSource(key, foldersFrom(value, dirname(path)), "config");
      continue;
    }
    const option = command.options.find(({ long }) => long === `--${key}`);
    if (option === undefined || key === "config" || key === "print-config") {
      throw new Error(`${path}: "${key}" is no option of sluice ${command.name()}`);
    }
    const name = option.attributeName();
    const read = valueOf(option, value, path);
    // The command line wins.
    if (command.getOptionValueSource(name) === "cli") continue;
    command.setOptionValueWithSource(name, read, "config");
  }
  return path;
}

/** The options as a config file has them, without defaults. */
export function configOf(command: Command): Record<string, unknown> {
  const given = command.options.filter((option) => {
    const source = command.getOptionValueSource(option.attributeName());
    return source === "cli" || source === "config";
  });
  const more = ["mounts", "hosts"].map((key) => [key, command.getOptionValue(key)]);
  const options = Object.fromEntries(
    given.filter(({ long }) => long !== "--print-config" && long !== "--config").map((option) => [
      option.long!.slice(2),
      shown(option, command.getOptionValue(option.attributeName())),
    ]),
  );
  return { ...options, ...Object.fromEntries(more.filter(([, value]) => value !== undefined)) };
}

/** `mounts` or `hosts`, as options of the server; the folders are relative to `base`. */
function foldersFrom(value: object, base: string): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, options]: [string, unknown]) => {
      if (typeof options === "string") return [name, resolve(base, options)];
      // The server says what is wrong with other values.
      if (typeof options !== "object" || options === null) return [name, options];
      const { mounts, root } = options as { mounts?: unknown; root?: unknown };
      const own = {
        ...options,
        ...typeof root === "string" && { root: resolve(base, root) },
        ...typeof mounts === "object" && mounts !== null && { mounts: foldersFrom(mounts, base) },
      };
      return [name, own];
    }),
  );
}

/** Passwords are not for the screen. */
function shown(option: Option, value: unknown): unknown {
  if (option.long === "--auth") return Object.keys(value as object).map((user) => `${user}:***`);
  if (option.long === "--mount") {
    return Object.entries(value as object).map(([path, folder]) => `${path}=${folder}`);
  }
  // JSON has no infinity.
  return value === Infinity ? "none" : value;
}

async function load(path: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = /^\.[cm]?[jt]s$/.test(extname(path))
      ? (await import(pathToFileURL(path).href) as { default?: unknown }).default
      : JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`${path}: expected an object, such as { "cache": "1h" }`);
}

/** Reads a value as the command line does. */
function valueOf(option: Option, value: unknown, path: string): unknown {
  const refuse = (why: string) => new Error(`${path}: ${option.long!.slice(2)} ${why}`);
  if (option.isBoolean()) {
    if (typeof value === "boolean") return value;
    throw refuse("must be true or false");
  }
  if (value === true && option.optional) return true;
  const texts = (Array.isArray(value) ? value : [value]).map((each) => {
    if (typeof each === "string" && each !== "" || typeof each === "number") return String(each);
    throw refuse("must be text or a number");
  });
  const name = /<([^>]+)>$/.exec(option.flags)?.[1] ?? "";
  // The page for missing files is below the folder that is served.
  const paths = isPath(name) && option.long !== "--404";
  try {
    return texts.reduce<unknown>((before, text) => {
      const full = paths
        ? resolve(dirname(path), text)
        : option.long === "--mount"
        ? text.replace(/=(.+)$/s, (_, folder) => `=${resolve(dirname(path), folder)}`)
        : text;
      return option.parseArg === undefined ? full : option.parseArg(full, before as never);
    }, undefined);
  } catch (cause) {
    throw refuse(`is ${JSON.stringify(value)}: ${(cause as Error).message}`);
  }
}
