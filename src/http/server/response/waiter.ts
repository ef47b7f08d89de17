/** Requests that wait for another thread's answer. @module */

/** A connection whose request waits. */
export interface AnswerWaiter {
  /** Called once; the answer is ready when the callee asks again. */
  onAnswer(): void;
}
