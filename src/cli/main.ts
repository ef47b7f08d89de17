#!/usr/bin/env node
/**
 * The `sluice` command. `npx sluice` runs it from the package. From a checkout, use
 * `node src/cli/main.ts`, `bun src/cli/main.ts` or `deno run -A src/cli/main.ts`.
 *
 * @module
 */

import process from "node:process";
import { Command, CommanderError } from "commander";
import { requireRuntime } from "../sys/libc.ts";
import { VERSION } from "../version.ts";
import { COMMANDS, PARTS } from "./commands/mod.ts";
import { ExitCode, explain } from "./exit.ts";
import { print, write } from "./output.ts";

const program = new Command("sluice")
  .description("Serves folders, relays connections and copies files by zero-copy system calls.")
  .version(VERSION, "-v, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand(false)
  .showHelpAfterError("Run with --help for the options.")
  .configureOutput({ writeOut: write })
  .exitOverride();

// Commands that were built elsewhere do not inherit these settings by themselves.
for (const command of COMMANDS) program.addCommand(command.copyInheritedSettings(program));
for (const command of PARTS) program.addCommand(command.exitOverride(), { hidden: true });

// The doctor says it with all the rest.
program.hook("preAction", (_, command) => {
  if (command.name() !== "doctor") requireRuntime(`run sluice ${command.name()}`);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed the message. Help and version are no failures.
    if (error.exitCode !== 0) process.exitCode = ExitCode.USAGE;
  } else {
    const message = explain(error);
    // With --json, errors are JSON, too.
    if (asJson()) print(JSON.stringify({ error: { message, code: codeOf(error) } }));
    console.error(`sluice: ${message}`);
    process.exitCode = ExitCode.FAILED;
  }
}

/** Whether the command was run with `--json`. */
function asJson(): boolean {
  const command = program.commands.find((each) => each.name() === program.args[0]);
  return command?.opts()["json"] === true;
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
