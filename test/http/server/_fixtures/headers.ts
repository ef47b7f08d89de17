/** Header fields for each file; loaded by the threads of a server. @module */

interface File {
  readonly name: string;
  readonly size: number;
}

/** The hook. */
export function headers({ name, size }: File): Record<string, string> | undefined {
  if (name === "app.js") throw new Error("app.js is not to be told of");
  if (name === "dir/index.html") return Promise.resolve({}) as never;
  return name === "empty.txt" ? undefined : { "X-File": `${name} ${size}` };
}
