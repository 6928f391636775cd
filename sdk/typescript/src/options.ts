// The options of every transport, and the interceptors that they ask for.

import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { assertSendable, credentials, type Credentials } from "./credentials.js";
import { timeoutHeader } from "./deadline.js";
import { checkedHeaders } from "./headers.js";
import { networkErrors } from "./network.js";
import { checkedPolicy, retries, type RetryPolicy } from "./retry.js";
import { LONGEST_TIMER_MS } from "./signals.js";
import { traceContext } from "./trace.js";

/** What every client can be told. */
export interface CommonOptions extends Credentials {
  /** Where the gateway is: `https://host` or `http://host:port`, with a path if the gateway has a prefix. */
  baseUrl?: string | undefined;
  /** The deadline of unary calls in milliseconds; 60,000 by default, none if it is 0. Streams have none unless the call sets one. */
  timeoutMs?: number | undefined;
  /** How failed calls are repeated, where it differs from the defaults; `false` turns it off. */
  retry?: Partial<RetryPolicy> | false | undefined;
  /** Headers of every call. */
  headers?: HeadersInit | undefined;
  /** Interceptors of Connect; the first one sees a call first, and sees it once, however often it is sent. */
  interceptors?: Interceptor[] | undefined;
}

export const DEFAULT_TIMEOUT_MS = 60_000;

/** Returns the interceptors that do what the options ask for, the outermost first. `closed` is aborted when the client is closed. */
export function interceptorsOf(options: CommonOptions, closed?: AbortSignal): Interceptor[] {
  const retry = options.retry === false ? [] : [retries(checkedPolicy(options.retry), closed)];
  return [
    ...(options.interceptors ?? []),
    timeoutHeader,
    defaultHeaders(checkedHeaders(options.headers)),
    ...retry,
    traceContext,
    credentials(options, closed),
    networkErrors,
  ];
}

function defaultHeaders(headers: Headers): Interceptor {
  return (next) => (request) => {
    headers.forEach((value, name) => request.header.has(name) || request.header.set(name, value));
    return next(request);
  };
}

/** Returns the URL without a slash at its end. Throws if it is none, or if a key would be sent to it in clear text. */
export function checkedUrl(url: string, options: Credentials): string {
  const { protocol, hostname, username, password, search, hash } = parsed(url);
  if (protocol !== "http:" && protocol !== "https:") throw new Error(`baseUrl '${url}' must begin with https:// or http://`);
  if (username || password) throw new Error("baseUrl must not contain credentials: use apiKey or token");
  if (search || hash) throw new Error(`baseUrl '${url}' must end with its path, without ? and #`);
  assertSendable(options, hostname, protocol === "https:");
  return url.replace(/\/+$/, "");
}

function parsed(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new Error(`baseUrl '${url}' is not a URL; expected one such as https://host or http://127.0.0.1:8080`);
  }
}

/** Gives unary calls a deadline, and leaves streams without one. A negative time-out is a deadline that has passed. */
export function withTimeout(transport: Transport, timeoutMs = DEFAULT_TIMEOUT_MS): Transport {
  if (Number.isNaN(timeoutMs)) throw new Error("timeoutMs is NaN; expected milliseconds");
  const checked = (given: number | undefined) => {
    if (Number.isNaN(given)) throw new ConnectError("timeoutMs is NaN; expected milliseconds", Code.InvalidArgument);
    if (given !== undefined && given < 0) throw new ConnectError("the deadline passed before the call", Code.DeadlineExceeded);
    return given && Math.min(given, LONGEST_TIMER_MS);
  };
  return {
    unary: async (method, signal, timeout, ...rest) => transport.unary(method, signal, checked(timeout ?? timeoutMs), ...rest),
    stream: async (method, signal, timeout, ...rest) => transport.stream(method, signal, checked(timeout), ...rest),
  };
}
