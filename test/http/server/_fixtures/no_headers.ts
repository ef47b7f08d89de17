/** A module that exports no hook. @module */

/** Not what is wanted. */
export const nothing = 0;
