/** A client's connection while it uploads a file: socket -> pipe -> file. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { EAGAIN, EIO, EMFILE, ETIMEDOUT } from "../../../errno.ts";
import { EpollEvent } from "../../../sys/flags/event.ts";
import { planStored, type Refusal, refusalOfErrno, tooLarge } from "../../upload/rules.ts";
import { Counter } from "../control/config.ts";
import type { Reply } from "../response/response.ts";
import type {
  ConnectionHandle,
  ConnectionService,
  ProxiedEntry,
  ProxiedHandle,
} from "../connection/contracts.ts";
import { beginMessage, callMessage, UploadCall } from "./messages.ts";
import { DONE, MALFORMED, NO_PIPE, UploadBody } from "./upload_body.ts";
import { refusalReply, replyTo, type UploadRequest, type Uploads } from "./uploads.ts";

const { ERR, HUP, IN, OUT } = EpollEvent;

const CONTINUE = new Cell(25);
new TextEncoder().encodeInto("HTTP/1.1 100 Continue\r\n\r\n", CONTINUE.bytes);

/**
 * Receives the body into a pipe, and has the thread of uploads move it to the file: a disk that is slow
 * holds up no other client. While that thread works on the pipe, nothing is read.
 */
export class UploadConnection implements ProxiedHandle {
  readonly waitsForClient = false;
  readonly #service: ConnectionService;
  readonly #uploads: Uploads;
  readonly #connection: ConnectionHandle;
  readonly #request: UploadRequest;
  readonly #entry: ProxiedEntry | undefined;
  readonly #body: UploadBody;
  /** Number of the file in the thread of uploads; -1 if there is none. */
  #handle = -1;
  /** Number of that thread, once it has begun the file. */
  #serial: number | undefined;
  /** Whether that thread works for this upload. */
  #busy = false;
  #over = false;
  #received = 0;
  /** Time of the last progress; start of the measured time, and what had arrived then. */
  #activeAt: number;
  #measuredAt: number;
  #measured = 0;

  /** The request must still be in the service's head. Call {@linkcode start} next. */
  constructor(service: ConnectionService, connection: ConnectionHandle, request: UploadRequest) {
    this.#service = service;
    this.#uploads = service.uploads!;
    this.#connection = connection;
    this.#request = request;
    this.#body = new UploadBody(this.#uploads, connection, request, service.tls === null);
    this.#activeAt = this.#measuredAt = service.loop.now;
    this.#entry = service.began(connection);
  }

  start(): void {
    const { bytes, config, site, upload } = this.#request;
    const { existing, folder, fresh, name } = upload;
    const overwrite = config.overwrite && !fresh;
    const file = { site, folder, name, overwrite, existing, bytes: Math.max(0, bytes) };
    this.#ask(beginMessage(file), (result) => {
      if (result < 0) return this.#refuse(refusalOfErrno(result, upload));
      this.#handle = result;
      this.#serial = this.#uploads.serial;
      if (this.#request.expects && !this.#request.framing.done) this.#continue();
      if (!this.#over) this.#receive();
    });
  }

  /** Called for events of the client's socket. */
  onEvents(events: number): void {
    if (this.#over) return;
    if ((events & (ERR | HUP)) !== 0) this.#connection.abort(Counter.ABORTED);
    else if (!this.#busy) this.#receive();
  }

  /** Ends an upload of a client that is silent or too slow, or one that the disk holds up. */
  look(now: number): void {
    if (this.#over) return;
    const { fileMs, minRate, sendMs } = this.#service.limits;
    if (this.#busy) {
      if (now - this.#activeAt < fileMs) return;
      this.#service.count(Counter.TIMEOUTS);
      return this.#refuse(refusalOfErrno(ETIMEDOUT, this.#request.upload));
    }
    const seconds = (now - this.#measuredAt) / 1000;
    const measures = seconds * 1000 >= sendMs;
    const slow = measures && (this.#received - this.#measured) / seconds < minRate;
    if (measures) [this.#measuredAt, this.#measured] = [now, this.#received];
    if (now - this.#activeAt < sendMs && !slow) return;
    this.#service.count(Counter.TIMEOUTS);
    this.#refuse({ status: 408, reason: "the file did not arrive in time" });
  }

  /** Called when the connection closes. */
  drop(): void {
    if (this.#over) return;
    this.#leave();
    this.#entry?.end(0, 0, "aborted", undefined, this.#received);
  }

  #ask(message: Uint8Array, done: (result: number) => void): void {
    this.#busy = true;
    this.#activeAt = this.#service.loop.now;
    this.#connection.watch(0);
    this.#uploads.ask(message, (result) => {
      this.#busy = false;
      this.#activeAt = this.#service.loop.now;
      if (!this.#over) return done(result);
      // A file that was begun after the client had gone.
      if (message[0] === UploadCall.BEGIN && result >= 0) {
        this.#handle = result;
        this.#serial = this.#uploads.serial;
      }
      this.#release();
    }, this.#serial);
  }

  #continue(): void {
    const { length } = CONTINUE.bytes;
    const { sender, transport } = this.#connection;
    if (transport.send(CONTINUE, 0, length, false) !== length) {
      return this.#connection.abort(Counter.ABORTED);
    }
    sender.taken(length);
    this.#connection.report();
  }

  /** Fills the pipe, and has it stored. */
  #receive(): void {
    const result = this.#body.receive();
    const { maxBytes } = this.#request.config;
    if (result === NO_PIPE) return this.#refuse(refusalOfErrno(EMFILE, this.#request.upload));
    if (result === MALFORMED) return this.#refuse({ status: 400, reason: "the body is malformed" });
    if (this.#received + this.#body.held > maxBytes) return this.#refuse(tooLarge(maxBytes));
    if (this.#body.held > 0) return this.#store();
    if (result === DONE) return this.#finish();
    if (result !== EAGAIN) return this.#connection.abort(Counter.ABORTED);
    this.#connection.watch(this.#connection.transport.readWantsWrite ? OUT : IN);
  }

  #store(): void {
    const { held: count, pipeFd } = this.#body;
    this.#ask(callMessage(UploadCall.STORE, this.#handle, pipeFd, count), (result) => {
      if (result !== count) {
        return this.#refuse(refusalOfErrno(result < 0 ? result : EIO, this.#request.upload));
      }
      this.#body.stored();
      this.#received += count;
      this.#service.count(Counter.RECEIVED, count);
      this.#receive();
    });
  }

  #finish(): void {
    const { upload } = this.#request;
    const handle = this.#handle;
    this.#handle = -1;
    this.#ask(callMessage(UploadCall.FINISH, handle), (result) => {
      if (result < 0) return this.#refuse(refusalOfErrno(result, upload));
      this.#service.count(Counter.UPLOADS);
      this.#answer(replyTo(planStored(upload, result === 1)));
    });
  }

  #refuse(refusal: Refusal): void {
    this.#answer(refusalReply(refusal));
  }

  #answer(reply: Reply): void {
    const { original } = this.#request;
    const { behind, complete } = this.#body;
    // Unread bytes of this body could be taken for the next request.
    const keep = complete && this.#connection.reader.keep;
    this.#leave();
    this.#entry?.resume(this.#received);
    this.#connection.passed(keep, behind, { original, reply });
  }

  /** Gives up the pipe and an unfinished file, once the thread of uploads is done with them. */
  #leave(): void {
    this.#over = true;
    if (!this.#busy) this.#release();
  }

  #release(): void {
    this.#body.release();
    const handle = this.#handle;
    this.#handle = -1;
    if (handle < 0) return;
    this.#uploads.ask(callMessage(UploadCall.DISCARD, handle), () => {}, this.#serial);
  }
}
