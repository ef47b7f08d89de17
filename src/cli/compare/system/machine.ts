/** Describes the machine. @module */

import { cpus } from "node:os";
import { capabilities } from "../../../capabilities.ts";
import type { Comparison } from "../types.ts";

export function machine(): Comparison["machine"] {
  const { kernel, runtime, backend, system } = capabilities();
  const processors = cpus();
  return {
    processors: `${processors.length} x ${processors[0]?.model.trim() ?? system}`,
    kernel: kernel ?? system,
    runtime: `${runtime.name} ${runtime.version}`,
    backend: backend ?? "none",
  };
}
