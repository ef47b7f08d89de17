/** Leaves a pipe in the pool, and prints the time. @module */

import { givePipe, takePipe } from "../../../src/move/engine/pipe_pool.ts";

givePipe(takePipe()!);
console.log(Date.now());
