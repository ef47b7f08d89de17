/** Renders the options of the command for `docs/cli.md` and for man(1). @module */

import type { Command } from "commander";
import { type CommandRow, commandsOf, rowOf } from "../src/cli/reference/table.ts";

/**
 * Returns the page with new tables. Each stands between `<!-- options of NAME -->` and `<!-- end -->`.
 *
 * @throws {Error} When a command has no place on the page.
 */
export function cliPage(page: string, program: Command): string {
  return commandsOf(program).reduce((text, command) => {
    const begin = `<!-- options of ${command.name} -->\n`;
    const from = text.indexOf(begin);
    const to = text.indexOf("<!-- end -->", from);
    if (from < 0 || to < 0) throw new Error(`docs/cli.md has no "${begin.trim()}"`);
    return text.slice(0, from + begin.length) + tableOf(command) + text.slice(to);
  }, page);
}

function tableOf(command: CommandRow): string {
  const rows = [
    ...command.arguments.map(({ description, initial, label }) => [label, description, initial]),
    ...command.options.map(({ description, flags, initial }) => [flags, description, initial]),
  ].map(([name, text, initial]) => [`\`${cell(name)}\``, cell(text) + defaultOf(initial)]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column]!.length), 6);
  const line = (row: readonly string[]) =>
    `| ${row.map((text, column) => text.padEnd(width(column))).join(" | ")} |`;
  const rule = [0, 1].map((column) => "-".repeat(width(column)));
  return `\n\`\`\`sh\n${command.usage}\n\`\`\`\n\n${
    [["", ""], rule, ...rows].map(line).join("\n")
  }\n\n`;
}

function cell(text = ""): string {
  return text.replaceAll("|", "\\|");
}

function defaultOf(initial: string | undefined): string {
  return initial === undefined ? "" : ` (default: ${cell(initial)})`;
}

/** Returns the manual page, in the macros of man(7). */
export function manPage(program: Command): string {
  const own = rowOf(program);
  const commands = commandsOf(program);
  return [
    '.\\" Written by tools/cli_reference.ts from the options of the command.',
    `.TH SLUICE 1 "" "sluice" "User Commands"`,
    ".SH NAME",
    `sluice \\- ${roff(lower(own.description).replace(/\.$/, ""))}`,
    ".SH SYNOPSIS",
    ...commands.flatMap(({ name, usage }) => [
      `.B sluice ${name}`,
      roff(usage.replace(`sluice ${name} `, "")),
      ".br",
    ]),
    ".SH DESCRIPTION",
    roff(own.description),
    "Each command prints its options with",
    ".BR \\-\\-help .",
    ...commands.flatMap(section),
    ".SH EXIT STATUS",
    ...entry("0", "It has done its work."),
    ...entry("1", "It has failed; standard error says why."),
    ...entry("2", "The command line is wrong."),
    ...entry("130, 143", "SIGINT or SIGTERM has ended it."),
    ...entry("141", "The reader of its output has closed the pipe."),
    "",
  ].join("\n");
}

function section(command: CommandRow): string[] {
  return [
    `.SH ${command.name.toUpperCase()}`,
    `.B ${roff(command.usage)}`,
    ".PP",
    roff(`${upper(command.description)}.`),
    ...command.arguments.flatMap(({ description, initial, label }) =>
      entry(label, description + defaultOf(initial))
    ),
    ...command.options.flatMap(({ description, flags, initial }) =>
      entry(flags, description + defaultOf(initial))
    ),
    ...command.note === "" ? [] : [".PP", ".nf", roff(command.note), ".fi"],
  ];
}

function entry(label: string, text: string): string[] {
  return [".TP", `.B ${roff(label)}`, roff(text)];
}

/** Escapes what roff would read as a request, an escape or a typographic dash. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll(/^(?=[.'])/gm, "\\&");
}

function lower(text: string): string {
  return text[0]!.toLowerCase() + text.slice(1);
}

function upper(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
