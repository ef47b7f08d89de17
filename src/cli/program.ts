/** The program with all its commands. Help, docs/cli.md, the man page and completion come from it. @module */

import { Command } from "commander";
import { VERSION } from "../version.ts";
import { COMMANDS, PARTS } from "./commands/mod.ts";
import { write } from "./output.ts";

/** The program. */
export const program: Command = new Command("sluice")
  .description("Serves folders, relays connections and copies files by zero-copy system calls.")
  .version(VERSION, "-v, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand("help [command]", "print the help of a command")
  .showHelpAfterError("Run with --help for the options.")
  .configureOutput({ writeOut: write })
  .exitOverride();

// Commands that were built elsewhere do not inherit these settings by themselves.
for (const command of COMMANDS) program.addCommand(command.copyInheritedSettings(program));
for (const command of PARTS) program.addCommand(command.exitOverride(), { hidden: true });
