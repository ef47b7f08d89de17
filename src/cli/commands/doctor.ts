/** `sluice doctor`: tries each mechanism, and suggests how to fix the rest. @module */

import process from "node:process";
import { Command } from "commander";
import { ExitCode } from "../exit.ts";
import { folderAt } from "../folder.ts";
import { print, windowWidth } from "../output.ts";
import { painter } from "../style.ts";

/** The command. Exits with 1 if sluice has to copy. */
export const doctor: Command = new Command("doctor")
  .description("tries every mechanism and reports what works here")
  .argument("[dir]", "folder whose file system to try", ".")
  .option("--json", "print the report as JSON")
  .action(async (folder: string, { json = false }: { json?: boolean }) => {
    const { capabilities } = await import("../../mod.ts");
    const { healthy, render } = await import("../doctor/report.ts");
    const found = capabilities({ folder: folderAt(folder, "try") });
    print(json ? JSON.stringify(found, null, 2) : render(found, painter(), windowWidth()));
    if (!healthy(found)) process.exitCode = ExitCode.FAILED;
  });
