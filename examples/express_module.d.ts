/** The part of Express that the examples use. Express has its types in another package. @module */

declare module "express" {
  import type { IncomingMessage, Server, ServerResponse } from "node:http";

  export interface Request extends IncomingMessage {
    user?: string;
  }
  export interface Response extends ServerResponse {
    send(body: string): void;
    sendStatus(status: number): void;
  }
  export type Next = (error?: unknown) => void;
  export type Handler = (req: Request, res: Response, next: Next) => void;

  interface Application {
    use(...handlers: [Handler] | [path: string, handler: Handler]): void;
    get(path: string, handler: Handler): void;
    disable(setting: string): void;
    listen(port: number, host: string, listening: () => void): Server;
  }
  export default function express(): Application;
}
