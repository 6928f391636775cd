/** Clients of Artificer's services for Node: gRPC, Connect and gRPC-Web over HTTP/2. */

import { setMaxListeners } from "node:events";
import type * as http2 from "node:http2";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  type ConnectTransportOptions,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { type Artificer, clientsOn } from "./artificer.js";
import { credentialsOrEnvironments } from "./environment.js";
import { checkedUrl, type CommonOptions, interceptorsOf, withTimeout } from "./options.js";
import { Sessions } from "./sessions.js";
import { version } from "./version.js";

export * from "./shared.js";

/** The options of a client in Node. What is absent is read from the environment. */
export interface NodeOptions extends CommonOptions {
  /**
   * By default `ARTIFICER_TARGET` (`host:port` without TLS, or a URL) or `http://127.0.0.1:50051` with gRPC, and
   * `ARTIFICER_BASE_URL` or `http://127.0.0.1:8080` with the others.
   */
  baseUrl?: string | undefined;
  /** The protocol; `grpc` by default. */
  transport?: "grpc" | "connect" | "grpc-web" | undefined;
  /** Options of Node's `http2.connect`, for TLS: `ca`, `cert` and `key`, `servername`. */
  nodeOptions?: http2.ClientSessionOptions | http2.SecureClientSessionOptions | undefined;
}

/** A client of every service, with the connection that they share. */
export type NodeArtificer = Artificer & {
  /** Closes the connection; running calls fail, and so do later ones. An idle connection does not keep a process from ending. */
  close(): void;
};

// A peer that is gone without a word is found after 45 seconds: the ping's answer is awaited for 15 (connect-node's default).
const PING_INTERVAL_MS = 30_000;

/** Returns a client of every service. Throws if the options contradict each other. */
export function createArtificer(options: NodeOptions = {}): NodeArtificer {
  const { transport, close } = createTransport(options);
  return clientsOn(transport, { close });
}

/** Returns what carries the calls, and the function that closes the connection. */
export function createTransport(given: NodeOptions = {}): { transport: Transport; close(): void } {
  const options = { ...given, ...credentialsOrEnvironments(given) };
  const baseUrl = checkedUrl(options.baseUrl ?? defaultUrl(options), options);
  const sessionManager = new Sessions(new URL(baseUrl).origin, { pingIntervalMs: PING_INTERVAL_MS }, options.nodeOptions);
  const closed = new AbortController();
  setMaxListeners(0, closed.signal); // each waiting call listens
  const refuseIfClosed: Interceptor = (next) => (request) => {
    if (closed.signal.aborted) throw closedError();
    return next(request);
  };
  const interceptors = [...interceptorsOf(options, closed.signal), refuseIfClosed, userAgent];
  const common = { baseUrl, useBinaryFormat: true, interceptors, sessionManager, httpVersion: "2" as const };
  const close = () => {
    closed.abort(closedError());
    sessionManager.abort();
  };
  return { transport: withTimeout(carrier(options.transport, common), options.timeoutMs), close };
}

function carrier(transport: NodeOptions["transport"] = "grpc", common: Extract<ConnectTransportOptions, { httpVersion: "2" }>): Transport {
  switch (transport) {
    case "grpc":
      return createGrpcTransport(common);
    case "connect":
      return createConnectTransport(common);
    case "grpc-web":
      return createGrpcWebTransport(common);
    default:
      throw new Error(`transport '${String(transport)}' is unknown; expected 'grpc', 'connect' or 'grpc-web'`);
  }
}

function closedError(): ConnectError {
  return new ConnectError("the client is closed", Code.Canceled);
}

function defaultUrl({ transport = "grpc" }: NodeOptions): string {
  if (transport !== "grpc") return process.env["ARTIFICER_BASE_URL"] || "http://127.0.0.1:8080";
  const target = process.env["ARTIFICER_TARGET"] || "127.0.0.1:50051";
  return target.includes("://") ? target : `http://${target}`;
}

const userAgent: Interceptor = (next) => (request) => {
  request.header.set("user-agent", `artificer-typescript/${version}`);
  return next(request);
};
