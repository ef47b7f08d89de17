/** The words of `sluice compare`. @module */

/** Where the bytes go: a TCP socket, a file, a pipe, or two sockets at once. */
export type TargetName = "socket" | "file" | "pipe" | "two";

/** Whether the file is in the page cache when a run begins. */
export type CacheState = "warm" | "cold";

/** What one child is to do. */
export interface Job {
  readonly method: string;
  readonly target: TargetName;
  /** The file that is sent. */
  readonly path: string;
  /** Its bytes. */
  readonly size: number;
  /** Ports on 127.0.0.1, one for each socket. */
  readonly ports: readonly number[];
  /** Path of the file or the named pipe that is written; empty for sockets. */
  readonly output: string;
  /**
   * A small file that a library moves first, so that loading its parts and starting its threads,
   * which happens once in a process, is not taken for the cost of this file.
   */
  readonly warmUp: string;
}

/** What moved the bytes, counted at the calls themselves. */
export interface Traffic {
  /** Number of calls by name; `null` where they were not ours to count. */
  readonly calls: Readonly<Record<string, number>> | null;
  /** Bytes that the kernel put into memory of the process. */
  readonly intoUser: number;
  /** Bytes that the kernel took from memory of the process. */
  readonly outOfUser: number;
  /** Bytes that calls moved from descriptor to descriptor. */
  readonly inKernel: number;
}

/** What one child measured of itself. */
export interface Figures extends Traffic {
  /** Bytes of the file. */
  readonly bytes: number;
  /** From the first byte until the other side has drained the last. */
  readonly ms: number;
  /** Milliseconds of CPU time of all threads. */
  readonly userMs: number;
  readonly systemMs: number;
  /** Context switches of all threads: waiting, and being made to wait. */
  readonly voluntary: number;
  readonly involuntary: number;
  /** Page faults without and with reading from the disk. */
  readonly minorFaults: number;
  readonly majorFaults: number;
  /** Bytes: the highest resident memory, and by how much that is above the start. */
  readonly peak: number;
  readonly growth: number;
}

/** One run of one method. */
export interface Sample extends Figures {
  readonly target: TargetName;
  readonly cache: CacheState;
  readonly method: string;
  readonly round: number;
  /** Bytes of page cache that the run has filled, of the file and of what was written. */
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
  /** 10^9 bytes a second, of the file. */
  readonly gbPerSecond: Summary;
  /** CPU seconds for 10^9 bytes. */
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

/** The whole outcome; plain data. */
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
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
}

/** The method of choice for a target, in words. */
export interface Choice {
  readonly target: TargetName;
  readonly cache: CacheState;
  readonly method: string;
  readonly why: string;
}
