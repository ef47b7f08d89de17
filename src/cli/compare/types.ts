/** Types of `sluice compare`. @module */

/** Where the bytes go: a TCP socket, a file, a pipe, or two sockets at once. */
export type TargetName = "socket" | "file" | "pipe" | "two";

/** Whether the file is in the page cache at the start of a run. */
export type CacheState = "warm" | "cold";

/** The job of one child process. */
export interface Job {
  readonly method: string;
  readonly target: TargetName;
  /** The file to move. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly size: number;
  /** Ports on 127.0.0.1, one for each socket. */
  readonly ports: readonly number[];
  /** Path of the file or named pipe to write; empty for sockets. */
  readonly output: string;
  /**
   * A small file that a library moves first. It loads the library's parts and starts its threads,
   * so that these one-time costs do not count.
   */
  readonly warmUp: string;
}

/** Calls and bytes, counted at the calls themselves. */
export interface Traffic {
  /** Number of calls by name; `null` if they were not counted. */
  readonly calls: Readonly<Record<string, number>> | null;
  /** Bytes that the kernel wrote into memory of the process. */
  readonly intoUser: number;
  /** Bytes that the kernel read from memory of the process. */
  readonly outOfUser: number;
  /** Bytes that calls moved from descriptor to descriptor. */
  readonly inKernel: number;
}

/** Measurements of one child process. */
export interface Figures extends Traffic {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Time from the first byte until the receiver has drained the last. */
  readonly ms: number;
  /** Milliseconds of CPU time of all threads. */
  readonly userMs: number;
  readonly systemMs: number;
  /** Context switches of all threads: voluntary and involuntary. */
  readonly voluntary: number;
  readonly involuntary: number;
  /** Page faults without and with a disk read. */
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** Peak of resident memory in bytes, and its growth since the start. */
  readonly peak: number;
  readonly growth: number;
}

/** One run of one method. */
export interface Sample extends Figures {
  readonly target: TargetName;
  readonly cache: CacheState;
  readonly method: string;
  readonly round: number;
  /** Growth of the page cache in bytes, for the file and for what was written. */
  readonly cacheGrowth: number;
}

/** A method that could not run, and why. */
export interface Refusal {
  readonly target: TargetName;
  readonly method: string;
  readonly reason: string;
}

/** A median with its spread. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Figures of one method, over all rounds. */
export interface Row {
  readonly target: TargetName;
  readonly cache: CacheState;
  readonly method: string;
  readonly rounds: number;
  /** Bytes of the file. */
  readonly bytes: number;
  readonly ms: Summary;
  /** 10^9 bytes of the file per second. */
  readonly gbPerSecond: Summary;
  /** CPU seconds per 10^9 bytes. */
  readonly userPerGb: Summary;
  readonly systemPerGb: Summary;
  readonly cpuPerGb: Summary;
  /** Medians. */
  readonly voluntary: number;
  readonly involuntary: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly peak: number;
  readonly growth: number;
  readonly cacheGrowth: number;
  readonly traffic: Traffic;
}

/** The complete result, as plain data. */
export interface Comparison {
  readonly file: { readonly path: string | null; readonly bytes: number; readonly sha256: string };
  readonly machine: {
    readonly processors: string;
    readonly kernel: string;
    readonly runtime: string;
    readonly backend: string;
  };
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly refusals: readonly Refusal[];
  readonly choices: readonly Choice[];
  /** Notes that readers need to judge the figures. */
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
}

/** The recommended method for a target, with the reason. */
export interface Choice {
  readonly target: TargetName;
  readonly cache: CacheState;
  readonly method: string;
  readonly why: string;
}
