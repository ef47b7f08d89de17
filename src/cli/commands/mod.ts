/** Every command, in the order of the help. @module */

import type { Command } from "commander";
import { compare, compareParts } from "./compare.ts";
import { copy } from "./copy.ts";
import { doctor } from "./doctor.ts";
import { relay } from "./relay.ts";
import { serve } from "./serve.ts";

/** What `sluice` can do. A command's libraries load when it runs, not before. */
export const COMMANDS: readonly Command[] = [serve, relay, copy, compare, doctor];

/** Commands that others start, which the help leaves out. */
export const PARTS: readonly Command[] = [...compareParts];
