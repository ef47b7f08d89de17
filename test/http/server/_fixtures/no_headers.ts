/** A module that exports no hook. @module */

/** Not the expected export. */
export const nothing = 0;
