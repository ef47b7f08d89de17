/** Kafka's error codes, as far as this broker uses them. @module */

/** https://kafka.apache.org/protocol#protocol_error_codes */
export const Code = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_NOT_AVAILABLE: 15,
  INVALID_TOPIC: 17,
  INVALID_REQUIRED_ACKS: 21,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  UNSUPPORTED_VERSION: 35,
  INVALID_REQUEST: 42,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE: 45,
  INVALID_PRODUCER_EPOCH: 47,
  STORAGE_ERROR: 56,
  INVALID_RECORD: 87,
} as const;

/** A failure that is answered by its code. */
export class Refusal extends Error {
  readonly code: number;

  /** `code` is one of {@linkcode Code}. */
  constructor(code: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What `task` returns, and code 0; or `otherwise`, and the code of its {@linkcode Refusal}. */
export async function coded<T extends object, O extends object>(
  otherwise: O,
  task: () => T | Promise<T>,
): Promise<(T | O) & { readonly code: number }> {
  try {
    return { ...await task(), code: Code.NONE };
  } catch (error) {
    if (error instanceof Refusal) return { ...otherwise, code: error.code };
    throw error;
  }
}

/** The code of `task`: that of its {@linkcode Refusal}, or 0. */
export async function codeOf(task: () => unknown): Promise<number> {
  return (await coded({}, async () => ({ done: await task() }))).code;
}
