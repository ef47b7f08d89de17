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

/** Parses the first bytes of a connection. */
export function readClientHello(bytes: Uint8Array): ClientHello {
  const message = joinRecords(bytes);
  if (!(message instanceof Uint8Array)) return message;
  try {
    return readMessage(new Bytes(message));
  } catch (error) {
    if (error instanceof RangeError) return MALFORMED;
    throw error;
  }
}

/** Extracts the whole handshake message from the records that carry it. */
function joinRecords(bytes: Uint8Array): Uint8Array | ClientHello {
  const pieces: Uint8Array[] = [];
  let have = 0;
  let wanted = HANDSHAKE_HEADER;
  for (let at = 0; have < wanted;) {
    const kind = bytes[at];
    if (kind === undefined) return INCOMPLETE;
    if (kind !== HANDSHAKE) return at === 0 ? NOT_TLS : MALFORMED;
    if (bytes.length < at + RECORD_HEADER) return INCOMPLETE;
    // No text starts with the byte of a handshake, so don't answer in plain text.
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
  return joined(pieces, wanted).subarray(HANDSHAKE_HEADER);
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  if (pieces[0]!.length >= length) return pieces[0]!.subarray(0, length);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece.subarray(0, length - at), at);
    at += Math.min(piece.length, length - at);
  }
  return bytes;
}

function readMessage(hello: Bytes): ClientHello {
  // legacy_version, random
  hello.skip(2 + 32);
  hello.vector(1); // legacy_session_id
  hello.vector(2); // cipher_suites
  hello.vector(1); // legacy_compression_methods
  let serverName = "";
  let protocols: string[] | null = null;
  let wantsStatus = false;
  const ticketKeys: Uint8Array[] = [];
  // A TLS 1.2 client may send no extensions at all.
  const extensions = hello.left === 0 ? new Bytes(new Uint8Array()) : hello.vector(2);
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (type === Extension.SERVER_NAME) serverName = readServerName(body);
    else if (type === Extension.ALPN) protocols = readProtocols(body);
    else if (type === Extension.STATUS_REQUEST) wantsStatus = true;
    else if (type === Extension.SESSION_TICKET) addKey(ticketKeys, body.rest());
    else if (type === Extension.PSK) readTickets(body, ticketKeys);
  }
  return { state: Hello.READ, serverName, protocols, wantsStatus, ticketKeys };
}

/** RFC 6066, 3. */
function readServerName(body: Bytes): string {
  const list = body.vector(2);
  while (list.left > 0) {
    const type = list.number(1);
    const name = list.vector(2).text();
    if (type === 0) return name.toLowerCase().replace(/\.$/, "");
  }
  return "";
}

/** RFC 7301, 3.1. */
function readProtocols(body: Bytes): string[] {
  const list = body.vector(2);
  const protocols: string[] = [];
  while (list.left > 0) protocols.push(list.vector(1).text());
  return protocols;
}

/** RFC 8446, 4.2.11. */
function readTickets(body: Bytes, keys: Uint8Array[]): void {
  const identities = body.vector(2);
  while (identities.left > 0) {
    addKey(keys, identities.vector(2).rest());
    identities.skip(4); // obfuscated_ticket_age
  }
}

function addKey(keys: Uint8Array[], ticket: Uint8Array): void {
  if (ticket.length > KEY_NAME_BYTES) keys.push(ticket.slice(0, KEY_NAME_BYTES));
}

/** A cursor that throws `RangeError` if the bytes end too early. */
class Bytes {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number of unread bytes. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Skips `count` bytes. */
  skip(count: number): void {
    if (count > this.left) throw new RangeError("Cannot read a ClientHello: it ends too early");
    this.#at += count;
  }

  /** Reads a number of so many bytes, in network order. */
  number(bytes: number): number {
    const at = this.#at;
    this.skip(bytes);
    let value = 0;
    for (let i = 0; i < bytes; i++) value = value << 8 | this.#bytes[at + i]!;
    return value;
  }

  /** Reads a vector: a length of `width` bytes, and the bytes after it. */
  vector(width: number): Bytes {
    const length = this.number(width);
    const at = this.#at;
    this.skip(length);
    return new Bytes(this.#bytes.subarray(at, at + length));
  }

  /** Reads all remaining bytes. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  /** Reads the rest as text: names here are ASCII. */
  text(): string {
    let text = "";
    for (const byte of this.rest()) text += String.fromCharCode(byte);
    return text;
  }
}
