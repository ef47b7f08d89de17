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
  /** Whether the file has fewer than `leastBytes`. Then nothing was measured. */
  readonly tooSmall: boolean;
  /** Bytes from which a file is measured. */
  readonly leastBytes: number;
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

/** The advice for a target and a cache state. */
export interface Choice {
  readonly target: TargetName;
  readonly cache: CacheState;
  /** The recommended method; `null` if the rounds show no difference, or are too few. */
  readonly method: string | null;
  /** The reason, in words. */
  readonly why: string;
  /**
   * How sure the intervals are, from 0 to 1: of equal methods, the rest would seem different by
   * chance. `null` if the rounds are too few for advice.
   */
  readonly confidence: number | null;
  /** The method with the smallest median of CPU time among the fast ones, beside each other one. */
  readonly differences: readonly Difference[];
  /** Each function of sluice beside the runtime's stream. */
  readonly library: readonly Difference[];
}

/** Two methods beside each other. */
export interface Difference {
  readonly method: string;
  readonly than: string;
  readonly cpu: Ratio;
  readonly time: Ratio;
}

/** How many times the cost of the other method one method has. */
export interface Ratio {
  /** The ratio of the medians. */
  readonly ratio: number;
  /** The interval of {@linkcode Choice.confidence}. */
  readonly low: number;
  readonly high: number;
  /** Whether the interval lies on one side of 1. Otherwise the rounds show no difference. */
  readonly shown: boolean;
}
