/** Paragraphs that follow the options in the help of a command. @module */

import type { Command } from "commander";

const notes = new WeakMap<Command, string>();

/** Adds a paragraph. */
export function addNote(command: Command, text: string): Command {
  notes.set(command, text);
  return command.addHelpText("after", `\n${text}`);
}

/** Returns the paragraph of a command, or an empty text. */
export function noteOf(command: Command): string {
  return notes.get(command) ?? "";
}
