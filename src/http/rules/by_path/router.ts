/** Finds out which of several folders a request is for: by host, then by path. @module */

import { splitTarget } from "../target.ts";
import { belowMount, type Mount } from "./mount.ts";

/** Where a folder is served. */
export interface Place {
  /** Name of the host as {@linkcode hostName} returns it, or `*.` before one; empty for all others. */
  readonly host: string;
  readonly mount: Mount;
}

/** Most values of Host to remember. Clients can send any number of them. */
const MOST = 256;

/** Returns the name in a Host field or an authority: in lower case, without port and last dot. */
export function hostName(authority: string): string {
  const name = authority.toLowerCase().replace(/:\d*$/, "");
  return name.length > 1 && name.endsWith(".") ? name.slice(0, -1) : name;
}

/** The places of a server, by host. */
export class Router<P extends Place> {
  /** Whether hosts matter. */
  readonly named: boolean;
  /** Places of each host: the longest path first. */
  readonly #hosts = new Map<string, P[]>();
  readonly #known = new Map<string, readonly P[]>();

  constructor(places: readonly P[]) {
    for (const place of places) {
      const own = this.#hosts.get(place.host);
      if (own === undefined) this.#hosts.set(place.host, [place]);
      else own.push(place);
    }
    for (const own of this.#hosts.values()) {
      own.sort((a, b) => b.mount.names.length - a.mount.names.length);
    }
    this.named = this.#hosts.size > 1 || !this.#hosts.has("");
  }

  /**
   * Finds the place of a request.
   *
   * @param host Value of Host, if there is one; the host of a target in absolute form counts instead (RFC
   * 9112, 3.2.2).
   * @param target The target as sent.
   * @returns `undefined` if the host is unknown, and there is no place for unknown hosts.
   */
  find(host: string | undefined, target: string): P | undefined {
    const parts = target[0] === "/" ? undefined : splitTarget(target);
    const known = parts === undefined || parts === 400 ? undefined : parts;
    const places = this.#of(known?.authority ?? host ?? "");
    return at(places, known === undefined ? bare(target) : known.path);
  }

  /** Finds the place of another target in the host of a request, whose own target is `sent`. */
  findBeside(host: string | undefined, sent: string, target: string): P | undefined {
    const parts = splitTarget(sent);
    return this.find((parts === 400 ? undefined : parts.authority) ?? host, target);
  }

  #of(host: string): readonly P[] {
    if (!this.named) return this.#hosts.get("")!;
    let places = this.#known.get(host);
    if (places === undefined) {
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(host, places = this.#named(hostName(host)));
    }
    return places;
  }

  #named(name: string): readonly P[] {
    const exact = this.#hosts.get(name);
    if (exact !== undefined) return exact;
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const places = this.#hosts.get(`*${name.slice(dot)}`);
      if (places !== undefined) return places;
    }
    return this.#hosts.get("") ?? [];
  }
}

function at<P extends Place>(places: readonly P[], path: string): P | undefined {
  for (const place of places) {
    if (belowMount(place.mount, path) !== undefined) return place;
  }
  // Targets such as "*" have no path.
  return places.at(-1);
}

function bare(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark);
}

/** Returns the target below a mount; `undefined` if it is elsewhere or malformed. */
export function belowTarget(mount: Mount, target: string): string | undefined {
  if (mount.path === "") return target;
  const parts = splitTarget(target);
  if (parts === 400) return undefined;
  const rest = belowMount(mount, parts.path);
  return rest === undefined ? undefined : `${rest === "" ? "/" : rest}${parts.query}`;
}
