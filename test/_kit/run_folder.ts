/**
 * The folder of one run of the tests: everything temporary lies in it, so that nothing is left whatever
 * ends a test, a child or the run.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const NAME = /^sluice-test-(\d+)-/;

/** Makes the folder, and removes those of runs that were killed. */
export function makeRunFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) removeRunFolder(join(tmpdir(), name));
  }
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `sluice-test-${process.pid}-`)));
  // Tests that give their rights up work in it, too.
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "tmp"));
  chmodSync(join(folder, "tmp"), 0o1777);
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the folder, with what is mounted in it and the loop devices of its files. */
export function removeRunFolder(folder: string): void {
  for (const { point, type } of mountsBelow(folder)) {
    if (type === "cgroup2") removeGroups(point);
    spawnSync("umount", ["-l", point]);
  }
  detachLoopDevices(folder);
  // Whatever is mounted still must not be emptied.
  if (mountsBelow(folder).length === 0) rmSync(folder, { recursive: true, force: true });
}

/** What is mounted below a folder, the last first. */
function mountsBelow(folder: string): { point: string; type: string }[] {
  if (!existsSync("/proc/self/mountinfo")) return [];
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n")
    .map((line) => {
      const [own = "", rest = ""] = line.split(" - ");
      return { point: own.split(" ")[4] ?? "", type: rest.split(" ")[0] ?? "" };
    })
    .filter(({ point }) => point.startsWith(`${folder}/`))
    .reverse();
}

/** Control groups of tests stay when their file system is unmounted. */
function removeGroups(mount: string): void {
  for (const name of readdirSync(mount).filter((name) => /^sluice-\d+$/.test(name))) {
    if (isAlive(Number(name.slice("sluice-".length)))) continue;
    try {
      rmdirSync(join(mount, name));
    } catch {
      // There are processes in it: not one of ours.
    }
  }
}

function detachLoopDevices(folder: string): void {
  const list = ["--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE"];
  const { stdout } = spawnSync("losetup", list, { encoding: "utf8" });
  for (const line of (stdout ?? "").split("\n")) {
    const [name, file] = line.split(" ");
    if (file?.startsWith(`${folder}/`)) spawnSync("losetup", ["-d", name!]);
  }
}
