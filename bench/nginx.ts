/** Runs nginx, the reference for servers. @module */

import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { type Server, startServerOn } from "./processes.ts";

/** How to install it. */
export const REMEDY: string = "nginx is not installed (Debian: apt-get install nginx-light): " +
  "its columns and bars are left out";

interface NginxOptions {
  readonly behind?: boolean;
  readonly keepsFiles?: boolean;
  readonly workers?: number;
  readonly connections?: number;
  /** A program that gets all requests; with `keeps`, over kept connections. */
  readonly upstream?: {
    readonly port: number;
    readonly keeps: boolean;
    /** Whether it looks for a file first. */
    readonly filesFirst?: boolean;
  };
  /** A module to load, and settings of `http`. */
  readonly site?: { readonly load: string; readonly http: string };
  /** Whether folders get an index. */
  readonly lists?: boolean;
  /** For HTTPS, by TLS 1.3 with one cipher. */
  readonly tls?: Certificate & { readonly cipher: string };
}

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Starts `workers` workers (one by default) that serve `folder`. With `keepsFiles`, nginx keeps
 * files open and checks them every second. For `behind`, see {@linkcode startServerOn}.
 */
export async function startNginx(
  folder: string,
  sendfile: "on" | "off",
  {
    keepsFiles = false,
    lists = false,
    workers = 1,
    connections = 4096,
    site,
    upstream,
    tls,
    ...options
  }: NginxOptions = {},
): Promise<Server> {
  const port = await freePort();
  // Outside of the served folder, one for each instance.
  const prefix = join(folder, `nginx-${port}`);
  mkdirSync(prefix);
  const config = join(prefix, "nginx.conf");
  const kept = keepsFiles ? "open_file_cache max=1000 inactive=20s; open_file_cache_valid 1s;" : "";
  const more = `${upstream === undefined ? kept : passingOn(upstream)} ${tls ? secured(tls) : ""}
  ${lists ? "autoindex on;" : ""} ${site?.http ?? ""}`;
  const pass = "proxy_pass http://program;";
  const place = upstream === undefined
    ? ""
    : upstream.filesFirst
    ? `location / { try_files $uri @program; } location @program { ${pass} }`
    : `location / { ${pass} }`;
  const listen = `listen 127.0.0.1:${port} ${tls ? "ssl" : ""} backlog=2048;`;
  const text = configuration(prefix, folder, listen, sendfile, more, place, workers, connections);
  writeFileSync(config, site === undefined ? text : `load_module ${site.load};\n${text}`);
  // `timeout`, because nginx does not notice when the benchmark is killed.
  const argv = ["timeout", "900", "nginx", "-p", prefix, "-c", config];
  return await startServerOn(port, { argv }, { ...options, everywhere: workers > 1 });
}

function configuration(
  prefix: string,
  folder: string,
  listen: string,
  sendfile: string,
  more: string,
  place: string,
  workers: number,
  connections: number,
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${prefix}/${name};`);
  // If the master is root, its workers switch to a user who may not read the folder.
  return `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
master_process ${workers > 1 ? "on" : "off"};
worker_processes ${workers};
worker_rlimit_nofile ${connections + 4096};
pid ${prefix}/pid;
error_log ${prefix}/error.log;
events { worker_connections ${connections}; }
http {
  ${temporary.join("\n  ")}
  access_log off;
  sendfile ${sendfile};
  tcp_nopush on;
  output_buffers 2 64k;
  keepalive_requests 1000000;
  ${more}
  server { ${listen} root ${folder}; ${place} }
}
`;
}

/** Settings of `http` for HTTPS. */
function secured({ cert, key, cipher }: Certificate & { readonly cipher: string }): string {
  return `ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;
  ssl_conf_command Ciphersuites ${cipher};`;
}

/** Settings of `http` that have every request passed on. */
function passingOn({ port, keeps }: { port: number; keeps: boolean }): string {
  const kept = keeps ? 'proxy_http_version 1.1; proxy_set_header Connection "";' : "";
  // By default nginx writes what exceeds its buffers to a file.
  return `proxy_max_temp_file_size 0; ${kept}
  upstream program { server 127.0.0.1:${port}; ${keeps ? "keepalive 32;" : ""} }`;
}

/** Returns a port that is free at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
