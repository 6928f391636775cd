// The key or token of a caller: where it goes, and where it must not.

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { unlessAborted } from "./signals.js";

/** A key or token, or a function that returns the one to use now. The function is called for each attempt of a call. */
export type Secret = string | (() => string | Promise<string>);

/** Who calls. */
export interface Credentials {
  /** An API key, sent as `x-api-key`. */
  apiKey?: Secret | undefined;
  /** A token such as a JWT, sent as `authorization: Bearer …`. */
  token?: Secret | undefined;
  /** Allows a key or token to be sent in clear text to another machine. Without it that is an error. */
  allowInsecureCredentials?: boolean | undefined;
}

/** Returns the headers of the credentials, by name. Throws UNAUTHENTICATED if a function fails, or returns no key or token. */
export async function credentialHeaders({ apiKey, token }: Credentials): Promise<[string, string][]> {
  const headers: [string, string][] = [];
  try {
    if (apiKey !== undefined) headers.push(["x-api-key", await value("apiKey", apiKey)]);
    if (token !== undefined) headers.push(["authorization", `Bearer ${await value("token", token)}`]);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ConnectError(`the API key or token could not be read: ${reason}`, Code.Unauthenticated, undefined, undefined, thrown);
  }
  return headers;
}

async function value(name: string, secret: Secret): Promise<string> {
  if (typeof secret !== "function") return secret;
  const found = await secret();
  assertHeader(name, found);
  return found;
}

/** Throws if no header can carry a key or token. The error does not repeat it. */
export function assertHeader(name: string, secret: unknown): void {
  if (typeof secret !== "string") throw new Error(`${name} is not a string`);
  if (secret === "") throw new Error(`${name} is empty`);
  if (/[^!-~]/.test(secret)) throw new Error(`${name} has spaces, line breaks, control characters or characters that are not ASCII`);
}

/** Adds the key or token to every call, unless the call brings a header of that name. A function that takes too long holds up no call. */
export function credentials(given: Credentials, closed?: AbortSignal): Interceptor {
  const isAsked = typeof given.apiKey === "function" || typeof given.token === "function";
  return (next) => async (request) => {
    const headers = credentialHeaders(given);
    for (const [name, value] of await (isAsked ? unlessAborted(headers, request.signal, closed) : headers)) if (!request.header.has(name)) request.header.set(name, value);
    return next(request);
  };
}

/** Throws if a key or token cannot be sent, or would be sent in clear text to another machine. `host` has no port. */
export function assertSendable(given: Credentials, host: string, isEncrypted: boolean): void {
  if (given.apiKey === undefined && given.token === undefined) return;
  for (const name of ["apiKey", "token"] as const) {
    const secret = given[name];
    if (secret !== undefined && typeof secret !== "function") assertHeader(name, secret);
  }
  if (isEncrypted || isLoopback(host) || given.allowInsecureCredentials) return;
  throw new Error(
    `the API key or token would be sent in clear text to ${host}: use https, or set allowInsecureCredentials if the network is trusted`,
  );
}

function isLoopback(host: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
