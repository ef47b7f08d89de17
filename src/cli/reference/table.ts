/** Describes all commands and options as data, read from the program itself. @module */

import type { Command, Option } from "commander";
import { noteOf } from "../notes.ts";

/** An option of a command. */
export interface OptionRow {
  /** As in the help, such as `-p, --port <n>`. */
  readonly flags: string;
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  /** Name of the value, such as `file`; `undefined` for a flag. */
  readonly value: string | undefined;
  /** Whether the value may be left out. */
  readonly optional: boolean;
  /** The values that can be chosen; empty for any. */
  readonly choices: readonly string[];
  /** As in the help, such as `3000`; `undefined` for none. */
  readonly initial: string | undefined;
}

/** An argument of a command. */
export interface ArgumentRow {
  /** As in the help, such as `<file>` or `[dir]`. */
  readonly label: string;
  readonly description: string;
  readonly initial: string | undefined;
  readonly choices: readonly string[];
}

/** A command. */
export interface CommandRow {
  readonly name: string;
  readonly description: string;
  readonly usage: string;
  readonly arguments: readonly ArgumentRow[];
  readonly options: readonly OptionRow[];
  readonly note: string;
}

/** Returns all visible commands of a program. */
export function commandsOf(program: Command): CommandRow[] {
  const visible = program.createHelp().visibleCommands(program);
  return visible.filter((command) => command.name() !== "help").map(rowOf);
}

/** Returns the program itself as a row, whose options are those of all commands. */
export function rowOf(command: Command): CommandRow {
  return {
    name: command.name(),
    description: command.description(),
    usage: `${command.parent === null ? "" : `${command.parent.name()} `}${command.name()} ` +
      command.usage(),
    arguments: command.registeredArguments.map((argument) => ({
      label: argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
      description: argument.description,
      initial: initialOf(argument.defaultValue, undefined),
      choices: argument.argChoices ?? [],
    })),
    options: command.createHelp().visibleOptions(command).map(optionOf),
    note: noteOf(command),
  };
}

function optionOf(option: Option): OptionRow {
  return {
    flags: option.flags,
    short: option.short,
    long: option.long!,
    description: option.description,
    value: /[<[]([^>\]]+)[>\]]$/.exec(option.flags)?.[1],
    optional: option.optional,
    choices: option.argChoices ?? [],
    initial: option.negate
      ? undefined
      : initialOf(option.defaultValue, option.defaultValueDescription),
  };
}

/** Defaults that say nothing are left out. */
function initialOf(value: unknown, description: string | undefined): string | undefined {
  if (description !== undefined) return description;
  return value === undefined || value === false ? undefined : String(value);
}

/** Whether a value is the path of a file or folder, by its name. */
export function isPath(name: string): boolean {
  return /^(?:file|dir|folder|path|source|target)\b/.test(name);
}
