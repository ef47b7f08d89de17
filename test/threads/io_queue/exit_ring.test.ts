import { exitSuite } from "./_exit.ts";

exitSuite("ring");
