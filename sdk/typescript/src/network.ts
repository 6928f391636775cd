// Failures of the network: how each platform reports them, and the one code they get. It knows no server.

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { explained } from "./answers.js";

// The request never left, as Node names it: nothing listens there, or the name is unknown.
const REFUSED = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"],
  ...["ERR_HTTP2_GOAWAY_SESSION", "ERR_HTTP2_INVALID_SESSION"], // the connection had ended when the call began
]);
const LOST = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "ERR_STREAM_DESTROYED", "ERR_STREAM_PREMATURE_CLOSE", "ERR_HTTP2_SESSION_ERROR", "UND_ERR_SOCKET"]);
// An HTTP/2 stream of which the server says that it was not processed (RFC 9113 8.7): in the words of connect-node, and in
// those of Node, which usually come first.
const REFUSED_STREAM = /^(http\/2 s|S)tream closed with error code (NGHTTP2_)?REFUSED_STREAM/;
// What Node and Connect say with another code than the cause has.
const OWN_WORDS: [RegExp, Code][] = [
  [/^Stream closed with error code NGHTTP2_ENHANCE_YOUR_CALM/, Code.ResourceExhausted], // in gRPC's mapping of HTTP/2 error codes
  [/^serialize binary: /, Code.InvalidArgument], // a field of the request has a value that is not of its type
];
// Node closes the streams of a lost connection with CANCEL, and a server never cancels by itself.
const LOST_STREAM = /^http\/2 stream closed with error code CANCEL/;
// A body that ends before its last message or its status.
const CUT = /^(protocol error: )?(missing (EndStreamResponse|trailer|status)$|promised \d+ bytes|incomplete envelope$)/;

function* chain(error: unknown): Generator<Error> {
  for (let depth = 0; error instanceof Error && depth < 8; depth++) {
    yield error;
    error = error.cause;
  }
}

function hasCode(error: unknown, codes: Set<string>): boolean {
  return [...chain(error)].some((found) => codes.has(String((found as NodeJS.ErrnoException).code)));
}

/** Whether the call certainly never reached the server, so that any call may be sent again. */
export function neverSent(error: unknown): boolean {
  return hasCode(error, REFUSED) || (error instanceof ConnectError && [...error.metadata].length === 0 && isRefusedStream(error));
}

function isRefusedStream(error: ConnectError): boolean {
  return [...chain(error)].some((found) => REFUSED_STREAM.test(found instanceof ConnectError ? found.rawMessage : found.message));
}

function isLost(error: ConnectError): boolean {
  // The answer of a server has headers or trailers, and may say what it likes.
  if ([...error.metadata].length > 0) return false;
  if (hasCode(error, LOST) || LOST_STREAM.test(error.rawMessage) || CUT.test(error.rawMessage)) return true;
  // fetch throws a TypeError for every failure of the network, and says no more.
  return [...chain(error)].some((found) => found instanceof TypeError && /fetch|network|load failed|terminated/i.test(found.message));
}

/** Returns the words of the innermost cause that has any: fetch itself says "fetch failed". */
function reasonOf(error: ConnectError): string {
  const causes = [...chain(error.cause)].map((cause) => cause.message || messagesOf(cause));
  return causes.filter(Boolean).at(-1) ?? error.rawMessage;
}

/** A name with several addresses fails with one error of each, and no words of its own. */
function messagesOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join("; ") : "";
}

/** Returns a failure of the network as UNAVAILABLE, a request that cannot be sent as INVALID_ARGUMENT, and any other error as it is. */
export function classify(thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return thrown;
  const error = ConnectError.from(thrown);
  for (const [words, code] of OWN_WORDS) {
    if ([...error.metadata].length === 0 && words.test(error.rawMessage)) return new ConnectError(error.rawMessage, code, undefined, undefined, error);
  }
  if (!(isLost(error) || neverSent(error))) return explained(thrown);
  if (error.code === Code.Unavailable && error.rawMessage !== "") return thrown;
  return new ConnectError(`the connection failed: ${reasonOf(error)}`, Code.Unavailable, error.metadata, undefined, error);
}

/** Gives failures of the network the code UNAVAILABLE, which the transports report as ABORTED, CANCELED or INTERNAL. */
export const networkErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: classified(response.message, request.signal) } : response;
  } catch (thrown) {
    throw classify(thrown, request.signal);
  }
};

async function* classified<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (thrown) {
    throw classify(thrown, signal);
  }
}
