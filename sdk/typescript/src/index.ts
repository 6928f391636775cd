/**
 * Clients of Artificer's services. This module runs wherever `fetch` does: in browsers, in Node and in workers.
 * `@artificer/client/node` adds gRPC over HTTP/2.
 */

import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { type Artificer, clientsOn } from "./artificer.js";
import { checkedUrl, type CommonOptions, interceptorsOf, withTimeout } from "./options.js";

export * from "./shared.js";

/** The options of a client that calls by `fetch`. */
export interface ArtificerOptions extends CommonOptions {
  /** The page's own origin by default; outside of a page `http://127.0.0.1:8080`. */
  baseUrl?: string | undefined;
  /** The protocol; `connect` by default. Neither carries streams of requests through `fetch`. */
  transport?: "connect" | "grpc-web" | undefined;
  /** Used instead of the platform's `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Returns a client of every service. Throws if the options contradict each other. */
export function createArtificer(options: ArtificerOptions = {}): Artificer {
  return clientsOn(createTransport(options), {});
}

/** Returns what carries the calls. With `createClient` a bundle contains only the services that it uses. */
export function createTransport(options: ArtificerOptions = {}): Transport {
  const { transport = "connect", fetch, timeoutMs } = options;
  const origin = globalThis.location?.origin;
  const baseUrl = checkedUrl(options.baseUrl ?? (origin && origin !== "null" ? origin : "http://127.0.0.1:8080"), options);
  const common = { baseUrl, useBinaryFormat: true, interceptors: interceptorsOf(options), ...(fetch && { fetch }) };
  switch (transport) {
    case "connect":
      return withTimeout(createConnectTransport(common), timeoutMs);
    case "grpc-web":
      return withTimeout(createGrpcWebTransport(common), timeoutMs);
    default:
      throw new Error(`transport '${String(transport)}' is unknown here; expected 'connect' or 'grpc-web' ('grpc' is in @artificer/client/node)`);
  }
}
