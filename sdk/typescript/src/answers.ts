// Answers that are not of the protocol, as of another port, of a proxy or of a path below the gateway's prefix.

import { Code, ConnectError } from "@connectrpc/connect";

// All that the transports say of an answer whose body they do not read.
const UNREAD = /^(|HTTP \d+|unsupported content type .*)$/;
// What Node says of an answer that is not HTTP/2.
const NO_HTTP2 = "Protocol error";

/** Returns an error that an unread answer caused with a message that says what to check, and any other as it is. */
export function explained(thrown: unknown): unknown {
  if (!(thrown instanceof ConnectError) || !isUnread(thrown)) return thrown;
  const { code, metadata, rawMessage, details } = thrown;
  const message = `${rawMessage || "an answer without a message"}; check that baseUrl is a gateway's, with the port and the prefix for this protocol`;
  const error = new ConnectError(message, code, metadata, undefined, thrown);
  error.details = details;
  return error;
}

function isUnread({ code, metadata, rawMessage }: ConnectError): boolean {
  if ([...metadata].length === 0) return rawMessage === NO_HTTP2;
  // A service gives a status of gRPC or an id, and may leave out the message. UNAVAILABLE is what a proxy says of a gateway that is away.
  return UNREAD.test(rawMessage) && code !== Code.Unavailable && !metadata.has("grpc-status") && !metadata.has("x-request-id");
}
