/** All commands, in the order of the help. @module */

import type { Command } from "commander";
import { compare, compareParts } from "./compare.ts";
import { completion } from "./completion.ts";
import { copy } from "./copy.ts";
import { doctor } from "./doctor.ts";
import { relay } from "./relay.ts";
import { serve } from "./serve.ts";

/** Public commands. Each loads its libraries when it runs. */
export const COMMANDS: readonly Command[] = [serve, relay, copy, compare, doctor, completion];

/** Commands that other commands start; hidden from the help. */
export const PARTS: readonly Command[] = [...compareParts];
