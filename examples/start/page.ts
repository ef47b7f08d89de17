/** The start page of the folder that `npm start` serves. @module */

import { escape, formatBytes } from "../file_server/listing.ts";

/** Commands to try in a terminal, and what they show. */
const TRIES: readonly (readonly [string, string])[] = [
  ["The large file, and its speed", "curl -o /dev/null ORIGIN/files/large.bin"],
  ["A hundred bytes from its middle", "curl -si -r 500000000-500000099 ORIGIN/files/large.bin"],
  ["The rest of an interrupted download", "curl -C - -o large.bin ORIGIN/files/large.bin"],
  [
    "Nothing, if the file has not changed",
    "curl -si --etag-compare e --etag-save e ORIGIN/files/path.svg",
  ],
  ["No way out of the folder", "curl -si --path-as-is ORIGIN/../../etc/passwd"],
];

const STYLE = `body{font:16px/1.6 system-ui,sans-serif;max-width:56rem;margin:2rem auto;
padding:0 1rem;color-scheme:light dark}img,audio{width:100%}pre{overflow:auto;padding:.5rem;
border:1px solid #8884;border-radius:.4rem}`;

/** Renders the page; `note` says how the bytes are sent. */
export function page(note: string, largeBytes: number): string {
  const tries = TRIES.map(([what, line]) => `<p>${what}:</p>\n<pre>${line}</pre>`).join("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>sluice</title>
<style>${STYLE}</style>
<h1>sluice</h1>
<p><strong>${escape(note)}.</strong> The terminal shows a line for each request: status, bytes,
method, duration. This page and everything on it came that way.</p>
<p><img src="files/gradient.png" alt="A gradient with the title" width="1280" height="480"></p>
<h2>Files</h2>
<ul>
<li><a href="files/">All files</a>, as a listing</li>
<li><a href="files/large.bin">large.bin</a>, ${formatBytes(largeBytes)} of random bytes</li>
<li><a href="files/README.md">README.md</a> and <a href="files/LICENSE">LICENSE</a></li>
</ul>
<h2>Ranges</h2>
<p>A player asks for the part that it plays. Jump ahead, and watch the terminal:</p>
<p><audio controls preload="metadata" src="files/tones.wav"></audio></p>
<h2>To try</h2>
${tries}
<h2>The way</h2>
<p><img src="files/path.svg" alt="From the page cache to the socket, past JavaScript"></p>
<script>
for (const pre of document.querySelectorAll("pre")) {
  pre.textContent = pre.textContent.replaceAll("ORIGIN", location.origin);
}
</script>
</html>
`;
}
