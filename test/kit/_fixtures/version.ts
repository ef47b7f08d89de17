/** Prints the version, and the line of an error. @module */

import { VERSION } from "../../../src/version.ts";

const thrown: Error = new Error("here");
console.log(VERSION, /version\.ts:(\d+:\d+)/.exec(thrown.stack!)![1]);
