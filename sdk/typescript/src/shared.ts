// What both entries export: of Connect, what users of a client need, and the parts that depend on no platform.

export type { CallOptions, Client, Interceptor, Transport } from "@connectrpc/connect";
export { Code, ConnectError } from "@connectrpc/connect";
export type { Artificer } from "./artificer.js";
export { chunks, type Bytes, type ChunkOptions } from "./chunks.js";
export { createClient } from "./client.js";
export type { Credentials, Secret } from "./credentials.js";
export { ArtificerError, toArtificerError } from "./errors.js";
export type { CommonOptions } from "./options.js";
export { paginate, type Item } from "./paginate.js";
export { resume, type Continue, type ResumeOptions } from "./resume.js";
export type { RetryPolicy } from "./retry.js";
export { isSafe } from "./safe.js";
export { services } from "./services.js";
export { version } from "./version.js";
