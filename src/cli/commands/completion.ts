/** `sluice completion SHELL`: prints a script for a shell. @module */

import { Argument, Command } from "commander";
import { addNote } from "../notes.ts";
import { write } from "../output.ts";
import { completionFor, type Shell, SHELLS } from "../reference/completion.ts";
import { commandsOf } from "../reference/table.ts";

const NOTE = `bash:  source <(sluice completion bash)
zsh:   sluice completion zsh > "\${fpath[1]}/_sluice"
fish:  sluice completion fish > ~/.config/fish/completions/sluice.fish`;

/** The command. */
export const completion: Command = addNote(
  new Command("completion")
    .description("prints a script with which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: Shell, _options: unknown, command: Command) =>
      write(completionFor(shell, commandsOf(command.parent!)))
    ),
  NOTE,
);
