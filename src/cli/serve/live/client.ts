/** The script that reloads a page. @module */

/** Path of the script, and of the stream of events. */
export const SCRIPT_PATH = "/-/live.js";
export const STREAM_PATH = "/-/live";

/** HTML that loads the script. */
export const SCRIPT_TAG: string = `<script src="${SCRIPT_PATH}"></script>`;

/**
 * Runs in the browser. Connects only while the page is visible, because a browser opens six
 * connections to a server over HTTP/1.1; afterwards it asks for what it has missed.
 */
export const CLIENT: string = String.raw`(() => {
  if (window.sluiceLive) return;
  window.sluiceLive = true;
  const requested = performance.getEntriesByType("navigation")[0]?.requestStart ?? 0;
  let source, last = "", timer;
  const decoded = (path) => { try { return decodeURIComponent(path); } catch { return path; } };
  function swap(paths, id) {
    const links = [...document.querySelectorAll("link[rel~=stylesheet]")].filter((link) => {
      const { origin, pathname } = new URL(link.href, location.href);
      return origin === location.origin && paths.includes(decoded(pathname));
    });
    if (links.length === 0) return location.reload();
    for (const link of links) {
      const url = new URL(link.href);
      url.searchParams.set("live", id);
      const next = link.cloneNode();
      next.href = url.href;
      next.onload = next.onerror = () => link.remove();
      link.after(next);
    }
  }
  function open() {
    clearTimeout(timer);
    if (document.hidden) return;
    const known = last ? "since=" + last : "age=" + Math.ceil(performance.now() - requested);
    source = new EventSource("/-/live?" + known);
    source.onmessage = ({ data, lastEventId }) => {
      last = lastEventId;
      const { css } = JSON.parse(data);
      if (css === undefined) return;
      if (css === null) location.reload();
      else swap(css, last);
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 1000);
    };
  }
  document.addEventListener("visibilitychange", () => {
    source?.close();
    open();
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  open();
})();
`;
