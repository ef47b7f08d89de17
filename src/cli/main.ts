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

const program = new Command("sluice")
  .description("Moves bytes without copying them: serves, relays, copies, and says what it costs.")
  .version(VERSION, "-v, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand(false)
  .showHelpAfterError("Run with --help for the options.")
  .exitOverride();

// What is added ready-made takes none of these settings over by itself.
for (const command of COMMANDS) program.addCommand(command.copyInheritedSettings(program));
for (const command of PARTS) program.addCommand(command.exitOverride(), { hidden: true });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has printed it; help and version are no failure.
    process.exitCode = error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  } else {
    console.error(`sluice: ${explain(error)}`);
    process.exitCode = ExitCode.FAILED;
  }
}
