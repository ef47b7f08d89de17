/** The guide's way to trace transfers, with the packages of OpenTelemetry. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { consumer, runJson } from "../_kit/package.ts";

const GUIDE = readFileSync(fileURLToPath(new URL("../../docs/guide.md", import.meta.url)), "utf8");
/** A folder into which npm has installed the packages of OpenTelemetry, too. */
const BUNDLERS = process.env["SLUICE_TEST_BUNDLERS"];
const SKIP = BUNDLERS === undefined ? "SLUICE_TEST_BUNDLERS names no folder" : false;

const SETUP = `
import { trace as api } from "@opentelemetry/api";
import {
  BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { open } from "node:fs/promises";
import process from "node:process";
import { transfer } from "sluice";

process.chdir(import.meta.dirname);
const exporter = new InMemorySpanExporter();
const spanProcessors = [new SimpleSpanProcessor(exporter)];
api.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
`;

const REPORT = `
const full = await open("/dev/full", "w");
await transfer("video.mp4", full.fd).catch(() => {});
await full.close();
console.log(JSON.stringify(exporter.getFinishedSpans().map((span) => ({
  name: span.name,
  attributes: span.attributes,
  status: span.status.code,
  events: span.events.map(({ name, attributes }) => [name, attributes["exception.message"]]),
}))));
`;

interface Span {
  name: string;
  attributes: Record<string, unknown>;
  status: number;
  events: [string, string][];
}

describe("Transfers traced by OpenTelemetry", () => {
  let project = "";
  before(() => {
    project = mkdtempSync(join(tmpdir(), "sluice-"));
  });
  after(() => rmSync(project, { recursive: true }));

  it("become spans with bytes, method and error", { skip: SKIP }, () => {
    const modules = join(project, "node_modules");
    mkdirSync(modules);
    symlinkSync(join(consumer(), "node_modules/sluice"), join(modules, "sluice"));
    symlinkSync(join(BUNDLERS!, "node_modules/@opentelemetry"), join(modules, "@opentelemetry"));
    const names = ["sluice", "@opentelemetry/api", "@opentelemetry/sdk-trace-base"];
    const dependencies = Object.fromEntries(names.map((name) => [name, "*"]));
    const manifest = { private: true, type: "module", dependencies };
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(project, "video.mp4"), "video");
    const [, block] = /```js\n([^`]*const tracer = [^]*?)```/.exec(GUIDE)!;
    const program = block!.replace(
      /const tracer = .*\n/,
      'const tracer = api.getTracer("sluice");\n',
    );
    assert.notEqual(program, block);
    writeFileSync(join(project, "traced.js"), SETUP + program + REPORT);

    const [copied, failed, ...more] = runJson(join(project, "traced.js")) as Span[];
    assert.deepEqual(more, []);
    assert.equal(readFileSync(join(project, "traced.mp4"), "utf8"), "video");
    assert.equal(copied!.name, "sluice copyFile");
    assert.equal(copied!.attributes["sluice.bytes"], 5);
    assert.equal(typeof copied!.attributes["sluice.method"], "string");
    assert.deepEqual([copied!.status, copied!.events], [0, []]);
    assert.equal(failed!.name, "sluice transfer");
    assert.equal(failed!.status, 2);
    assert.equal(failed!.events[0]![0], "exception");
    assert.match(failed!.events[0]![1], /ENOSPC/);
  });
});
