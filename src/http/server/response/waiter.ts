/** Who waits for an answer that somebody else makes. @module */

/** A connection whose request waits. */
export interface AnswerWaiter {
  /** Called once; what it asks for at once is answered. */
  onAnswer(): void;
}
