/** A progress line. @module */

/** Output of the line. */
interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Interval of updates, in milliseconds. */
const INTERVAL_MS = 100;

/** Shows a line on a terminal, and nothing elsewhere. */
export function progressLine(output: Output): {
  show(done: number, total: number): void;
  end(): void;
} {
  const startedMs = performance.now();
  let shownMs = 0;
  return {
    show(done, total) {
      const now = performance.now();
      if (output.isTTY !== true || (now - shownMs < INTERVAL_MS && done < total)) return;
      shownMs = now;
      const percent = total === 0 ? 100 : Math.floor(done / total * 100);
      const speed = (done / 1e6 / ((now - startedMs) / 1e3)).toFixed(0);
      output.write(`\r${percent} %  ${(done / 1e6).toFixed(0)} MB  ${speed} MB/s\x1b[K`);
    },
    end() {
      if (shownMs > 0) output.write("\n");
    },
  };
}
