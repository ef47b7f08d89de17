/** Opens a page in the user's browser. @module */

import { spawn } from "node:child_process";
import { platform } from "node:os";

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", '""'],
};

/** Opens `url`; does nothing if there is no browser. */
export function openBrowser(url: string): void {
  const [command, ...args] = COMMANDS[platform()] ?? ["xdg-open"];
  const child = spawn(command!, [...args, url], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
