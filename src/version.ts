/** The version of this package, the same as in package.json and deno.json. @module */

/** Version by semver. */
export const VERSION = "0.1.0";
