/**
 * Parses a ClientHello before OpenSSL sees it: RFC 8446, 4.1.2, and RFC 5246, 7.4.1.2.
 *
 * The server must know the requested host name before it creates an `SSL`, because a callback in
 * the middle of the handshake would have to cross the FFI. Pure code: it checks what it needs and
 * leaves the rest to OpenSSL, which then sends the right alert.
 *
 * @module
 */

/** Kind of a connection's first bytes. */
export const Hello = {
  /** More bytes must arrive. */
  INCOMPLETE: 0,
  /** The bytes are a ClientHello, parsed as far as possible. */
  READ: 1,
  /** The bytes start a TLS connection that OpenSSL must refuse. */
  MALFORMED: 2,
  /** The bytes do not start a TLS record. */
  NOT_TLS: 3,
} as const;

/** The parsed ClientHello. */
export interface ClientHello {
  /** One of {@linkcode Hello}. */
  readonly state: number;
  /** Requested host in lower case, without a final dot; `""` if there is none. */
  readonly serverName: string;
  /** Protocols that the client offers (ALPN); `null` if it offers none. */
  readonly protocols: readonly string[] | null;
  /** Whether the client requests an OCSP response. */
  readonly wantsStatus: boolean;
  /** The first 16 bytes of each session ticket: the names of the keys that encrypted them. */
  readonly ticketKeys: readonly Uint8Array[];
}

/**
 * Longest ClientHello that is parsed; OpenSSL gets a longer one unparsed. Clients send 250 to 2,000
 * bytes.
 */
export const MOST_HELLO_BYTES: number = 16 * 1024;

/** Kinds of records: RFC 8446, B.1, and RFC 6520. */
const LEAST_KIND = 20;
const MOST_KIND = 24;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const MOST_RECORD = 16 * 1024;
const KEY_NAME_BYTES = 16;

const Extension = { SERVER_NAME: 0, STATUS_REQUEST: 5, ALPN: 16, SESSION_TICKET: 35, PSK: 41 };

const UNREAD = { serverName: "", protocols: null, wantsStatus: false, ticketKeys: [] };
const INCOMPLETE: ClientHello = { state: Hello.INCOMPLETE, ...UNREAD };
const MALFORMED: ClientHello = { state: Hello.MALFORMED, ...UNREAD };
const NOT_TLS: ClientHello = { state: Hello.NOT_TLS, ...UNREAD };

/** Parses the first bytes of a connection. The result holds copies. */
export function readClientHello(bytes: Uint8Array): ClientHello {
  const message = joinRecords(bytes);
  if (!(message instanceof Cursor)) return message;
  try {
    return readMessage(message);
  } catch (error) {
    if (error instanceof RangeError) return MALFORMED;
    throw error;
  }
}

/** Finds the handshake message in the records that carry it. */
function joinRecords(bytes: Uint8Array): Cursor | ClientHello {
  const pieces: Uint8Array[] = [];
  let have = 0;
  let wanted = HANDSHAKE_HEADER;
  for (let at = 0; have < wanted;) {
    const kind = bytes[at];
    if (kind === undefined) return INCOMPLETE;
    // No text starts with the kind of a record, so don't answer in plain text.
    if (kind < LEAST_KIND || kind > MOST_KIND) return at === 0 ? NOT_TLS : MALFORMED;
    if (kind !== HANDSHAKE) return MALFORMED;
    if (bytes.length < at + RECORD_HEADER) return INCOMPLETE;
    if (bytes[at + 1] !== 3) return MALFORMED;
    const length = bytes[at + 3]! << 8 | bytes[at + 4]!;
    if (length === 0 || length > MOST_RECORD) return MALFORMED;
    const piece = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    pieces.push(piece);
    const before = have;
    have += piece.length;
    if (before < HANDSHAKE_HEADER && have >= HANDSHAKE_HEADER) {
      const head = joined(pieces, HANDSHAKE_HEADER);
      if (head[0] !== CLIENT_HELLO) return MALFORMED;
      wanted = HANDSHAKE_HEADER + (head[1]! << 16 | head[2]! << 8 | head[3]!);
      if (wanted > MOST_HELLO_BYTES) return MALFORMED;
    }
    if (have < wanted && piece.length < length) return INCOMPLETE;
    at += RECORD_HEADER + length;
  }
  return new Cursor(joined(pieces, wanted), HANDSHAKE_HEADER, wanted);
}

/** At least `length` bytes of the pieces. */
function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  if (pieces[0]!.length >= length) return pieces[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece.subarray(0, length - at), at);
    at += Math.min(piece.length, length - at);
  }
  return bytes;
}

function readMessage(hello: Cursor): ClientHello {
  // legacy_version, random
  hello.move(hello.at + 2 + 32);
  hello.move(hello.vector(1)); // legacy_session_id
  hello.move(hello.vector(2)); // cipher_suites
  hello.move(hello.vector(1)); // legacy_compression_methods
  let serverName = "";
  let protocols: string[] | null = null;
  let wantsStatus = false;
  const ticketKeys: Uint8Array[] = [];
  // A TLS 1.2 client may send no extensions at all.
  const end = hello.at === hello.end ? hello.end : hello.vector(2);
  while (hello.at < end) {
    const type = hello.number(2);
    const next = hello.vector(2, end);
    if (type === Extension.SERVER_NAME) serverName = readServerName(hello.part(next));
    else if (type === Extension.ALPN) protocols = readProtocols(hello.part(next));
    else if (type === Extension.STATUS_REQUEST) wantsStatus = true;
    else if (type === Extension.SESSION_TICKET) addKey(ticketKeys, hello, next);
    else if (type === Extension.PSK) readTickets(hello.part(next), ticketKeys);
    hello.move(next);
  }
  return { state: Hello.READ, serverName, protocols, wantsStatus, ticketKeys };
}

/** RFC 6066, 3. */
function readServerName(body: Cursor): string {
  for (const end = body.vector(2); body.at < end;) {
    const type = body.number(1);
    const next = body.vector(2, end);
    if (type === 0) return body.text(next).toLowerCase().replace(/\.$/, "");
    body.move(next);
  }
  return "";
}

/** RFC 7301, 3.1. */
function readProtocols(body: Cursor): string[] {
  const protocols: string[] = [];
  for (const end = body.vector(2); body.at < end;) {
    const next = body.vector(1, end);
    protocols.push(body.text(next));
    body.move(next);
  }
  return protocols;
}

/** RFC 8446, 4.2.11. */
function readTickets(body: Cursor, keys: Uint8Array[]): void {
  for (const end = body.vector(2); body.at < end;) {
    const next = body.vector(2, end);
    addKey(keys, body, next);
    body.move(next + 4); // obfuscated_ticket_age
  }
}

function addKey(keys: Uint8Array[], { at, bytes }: Cursor, end: number): void {
  if (end - at > KEY_NAME_BYTES) keys.push(bytes.slice(at, at + KEY_NAME_BYTES));
}

/**
 * A position in a message. Vectors are told by where they end, without an object for each: a client
 * sends some 15 extensions. Throws `RangeError` if the message ends too early.
 */
class Cursor {
  readonly bytes: Uint8Array;
  /** Where the message ends. */
  readonly end: number;
  /** Position of the next byte. */
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Moves to a position further on. */
  move(at: number): void {
    if (at > this.end) throw new RangeError("Cannot read a ClientHello: it ends too early");
    this.at = at;
  }

  /** Reads a number of so many bytes, in network order. */
  number(width: number): number {
    const { at, bytes } = this;
    this.move(at + width);
    let value = 0;
    for (let i = 0; i < width; i++) value = value << 8 | bytes[at + i]!;
    return value;
  }

  /** Reads the length of a vector, in `width` bytes; returns where the vector ends. */
  vector(width: number, most: number = this.end): number {
    const end = this.number(width) + this.at;
    if (end > most) throw new RangeError("Cannot read a ClientHello: a part is too long");
    return end;
  }

  /** The bytes from here to `end`, as a message of their own. */
  part(end: number): Cursor {
    return new Cursor(this.bytes, this.at, end);
  }

  /** The bytes from here to `end` as text: names here are ASCII. */
  text(end: number): string {
    let text = "";
    for (let at = this.at; at < end; at++) text += String.fromCharCode(this.bytes[at]!);
    return text;
  }
}
