import { capabilities } from "../../../src/capabilities.ts";

console.log(JSON.stringify(capabilities()));
