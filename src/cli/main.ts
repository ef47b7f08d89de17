#!/usr/bin/env node
/**
 * The `sluice` command: `node src/cli/main.ts`, `bun src/cli/main.ts` and
 * `deno run -A src/cli/main.ts` run it from a checkout, `npx sluice` from the package.
 *
 * @module
 */

import process from "node:process";
import { Command, CommanderError } from "commander";
import { VERSION } from "../version.ts";
import { COMMANDS, PARTS } from "./commands/mod.ts";
import { ExitCode, explain } from "./exit.ts";
import { print, write } from "./output.ts";

const program = new Command("sluice")
  .description("Moves bytes without copying them: serves, relays, copies, and says what it costs.")
  .version(VERSION, "-v, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand(false)
  .showHelpAfterError("Run with --help for the options.")
  .configureOutput({ writeOut: write })
  .exitOverride();

// What is added ready-made takes none of these settings over by itself.
for (const command of COMMANDS) program.addCommand(command.copyInheritedSettings(program));
for (const command of PARTS) program.addCommand(command.exitOverride(), { hidden: true });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed it; help and version are no failure.
    if (error.exitCode !== 0) process.exitCode = ExitCode.USAGE;
  } else {
    const message = explain(error);
    // Whoever reads JSON gets JSON, whatever happens.
    if (asJson()) print(JSON.stringify({ error: { message, code: codeOf(error) } }));
    console.error(`sluice: ${message}`);
    process.exitCode = ExitCode.FAILED;
  }
}

/** Whether the command that was run has been asked for JSON. */
function asJson(): boolean {
  const command = program.commands.find((each) => each.name() === program.args[0]);
  return command?.opts()["json"] === true;
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
