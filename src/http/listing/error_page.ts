/** The page of an error, for browsers. @module */

import { policy } from "./policy.ts";

/** What a reader can make of a status. */
const TEXTS: Readonly<Record<number, readonly [title: string, text: string]>> = {
  400: ["Bad request", "The server does not understand the address."],
  403: ["No access", "You may not see this page."],
  404: ["Page not found", "There is nothing at this address. It may have moved, or have a typo."],
  405: ["Not possible here", "This page can be read, but takes no other request."],
  500: ["Something went wrong", "The server could not read this page. Its log has the reason."],
  503: ["Busy", "The server has too much to do. Try again in a moment."],
};

/** CSS with light and dark colours, by the reader's setting. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5d6b7e;--paper:#fff;--faint:#e8eef6;--accent:#0b6bcb}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#93a1b5;--paper:#12171e;--faint:#1d2632;--accent:#62aefc}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{box-sizing:border-box;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:2rem 1.25rem;text-align:center}
svg{width:min(22rem,80vw);height:auto;margin-bottom:1.5rem}
svg path{fill:none;stroke:var(--faint);stroke-width:10;stroke-linecap:round}
svg text{font:700 88px system-ui,sans-serif;letter-spacing:.04em;fill:var(--accent)}
h1{margin:0 0 .35rem;font-size:1.6rem;font-weight:650}
p{margin:0 0 1.5rem;color:var(--soft);max-width:30rem;text-wrap:balance}
a{color:var(--accent);padding:.4rem .6rem}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:.25rem}
`.replaceAll("\n", "");

const pages = new Map<number, string>();

/**
 * Renders the page of a status. It depends on nothing else, so it tells nothing about the server's
 * files.
 */
export function errorPage(status: number, phrase: string): string {
  let page = pages.get(status);
  if (page === undefined) pages.set(status, page = render(status, phrase));
  return page;
}

function render(status: number, phrase: string): string {
  const [title, text] = TEXTS[status] ?? [phrase, "The server cannot answer this request."];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
${policy({ appended: true, scripts: [], styles: [STYLE] })}
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${status} ${title}</title>
<style>${STYLE}</style>
<main>
<svg viewBox="0 0 320 130" role="img" aria-label="Error ${status}"><path d="M14 40q36-26 73 0t73 0 73 0 73 0M14 66q36-26 73 0t73 0 73 0 73 0M14 92q36-26 73 0t73 0 73 0 73 0"/>
<text x="160" y="96" text-anchor="middle">${status}</text></svg>
<h1>${title}</h1>
<p>${text}</p>
<a href="/">Go to the start page</a>
</main>
</html>
`;
}
