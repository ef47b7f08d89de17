/** Runs the command that the arguments name. @module */

import process from "node:process";
import { CommanderError } from "commander";
import { requireRuntime } from "../sys/libc.ts";
import { ExitCode, explain, isUsageError } from "./exit.ts";
import { print, shownLines } from "./output.ts";
import { program } from "./program.ts";

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
    console.error(`sluice: ${shownLines(message)}`);
    process.exitCode = isUsageError(error) ? ExitCode.USAGE : ExitCode.FAILED;
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
