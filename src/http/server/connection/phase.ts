/** The states of a connection. @module */

/** Current state of a connection. */
export const Phase = {
  READING: 0,
  SENDING: 1,
  LINGERING: 2,
  CLOSED: 3,
  PASSING: 4,
  WAITING: 5,
} as const;
