/**
 * Zero-copy I/O for Node.js, Bun and Deno. Bytes that you don't read stay in the kernel.
 *
 * ```ts ignore
 * import { createServer } from "node:http";
 * import { sendFile } from "sluice";
 *
 * createServer((req, res) => {
 *   sendFile(res, "video.mp4").catch((error) => console.error(error.message));
 * }).listen(8080);
 * ```
 *
 * Importing this module binds nothing and starts nothing. If the system, the runtime or its
 * permissions forbid a system call, sluice copies where it can. {@linkcode capabilities} says why,
 * and the `method` of a result says what moved the bytes.
 *
 * @module
 */

export {
  type Capabilities,
  capabilities,
  type CapabilitiesOptions,
  type Limits,
  type Mechanism,
  type MechanismName,
  type NetworkCapabilities,
  type NetworkInterface,
  type TlsCapabilities,
} from "./capabilities.ts";
export { type Broadcast, broadcast } from "./move/broadcast/broadcast.ts";
export type {
  BroadcastMethod,
  BroadcastOptions,
  BroadcastResult,
  SlowPolicy,
  TargetReport,
} from "./move/broadcast/types.ts";
export {
  SlowTargetError,
  type SlowTargetErrorOptions,
  SyscallError,
  type SyscallErrorOptions,
  TruncatedError,
  type TruncatedErrorOptions,
  UnsupportedError,
  type UnsupportedErrorOptions,
} from "./errors.ts";
export type { IpAddress, SocketAddress, UnixAddress } from "./sys/net/address.ts";
export type { FdLike } from "./sys/fd.ts";
export type { RegionRange } from "./sys/raw/iovec.ts";
export type { Region } from "./sys/region.ts";
export { copyFile, type CopyReport } from "./move/copy_file/copy_file.ts";
export { copyFileSync } from "./move/copy_file/copy_sync.ts";
export type { CopyOptions, CopySyncOptions } from "./move/copy_file/options.ts";
export type { CopyMethod } from "./move/copy_file/data.ts";
export type { FileMethod } from "./move/engine/file_to_file.ts";
export type { FaultGuardState } from "./memory/fault_guard/guard.ts";
export { type FlushOptions, type MapOptions, MappedFile } from "./memory/mapping/mapped_file.ts";
export {
  MappedMemory,
  type MemoryOptions,
  type MemorySeal,
} from "./memory/mapping/mapped_memory.ts";
export type { MapAdvice } from "./memory/mapping/advice.ts";
export { MappedBytes } from "./memory/mapping/mapped_bytes.ts";
export type { Needle, TextEncodingName } from "./memory/mapping/text.ts";
export { Mapping, type Residency } from "./memory/mapping/mapping.ts";
export type { MapAccess, MappedRange } from "./memory/mapping/mapping_state.ts";
export type { Operation, TransferEvent, TransferTrace } from "./move/engine/diagnostics.ts";
export {
  createReadStream,
  type ReadStreamOptions,
  type ReadStreamPath,
} from "./move/read_stream/read_stream.ts";
export { AlignedBuffer } from "./memory/aligned/aligned_buffer.ts";
export { DirectFile, type DirectOptions } from "./memory/direct/direct_file.ts";
export type { DirectEngine } from "./memory/direct/backing.ts";
export type { Alignment, DirectMode } from "./memory/direct/channel.ts";
export type { DirectFileOptions } from "./memory/direct/opening.ts";
export type { DirectReadable, DirectReadableOptions } from "./memory/direct/readable.ts";
export type { DirectWritableOptions } from "./memory/direct/writable.ts";
export { AbortError } from "./errors.ts";
export { Pipe, type PipeOptions } from "./move/engine/pipe.ts";
export { relay } from "./move/relay/relay.ts";
export type { RelayOptions, RelayProgress, RelayResult, RelayTarget } from "./move/relay/types.ts";
export type { Endpoint } from "./move/relay/endpoint.ts";
export type { RelayServerOptions } from "./move/relay/server/options.ts";
export type { RelayStats } from "./move/relay/server/stats.ts";
export { createRelay } from "./move/relay/server/create_relay.ts";
export type { CloseOptions, Relay, ServerAddress } from "./move/relay/server/relay_server.ts";
export { type BunSocket, type DenoConn, sendFile } from "./move/send_file/send_file.ts";
export type {
  SendFileOptions,
  SendMethod,
  SendResult,
  SendTarget,
} from "./move/send_file/types.ts";
export { transfer, type TransferRequest, type TransferTarget } from "./move/transfer/transfer.ts";
export type { TransferMethod } from "./move/engine/driver.ts";
export type { TransferOptions, TransferReport } from "./move/transfer/options.ts";
export type { TransferSource } from "./move/engine/input.ts";
export type {
  BunWebSocket,
  WebSocketLike,
  WebWritable,
} from "./move/engine/connection/web_targets.ts";
export type { ByteSource, WebBlob, WebBody, WebReadable } from "./runtime/reading/readers.ts";
export type { FlowOptions, Progress, RangeOptions, TransferResult } from "./options.ts";
