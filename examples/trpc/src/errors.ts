// Errors of the gateway as errors of tRPC, and what clients are told of either.

import { ArtificerError, Code } from "@artificer/client/node";
import { TRPCError } from "@trpc/server";
import { ZodError } from "zod";

const CODES: Partial<Record<Code, TRPCError["code"]>> = {
  [Code.Canceled]: "CLIENT_CLOSED_REQUEST",
  [Code.InvalidArgument]: "BAD_REQUEST",
  [Code.OutOfRange]: "BAD_REQUEST",
  [Code.DeadlineExceeded]: "GATEWAY_TIMEOUT",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "CONFLICT",
  [Code.Aborted]: "CONFLICT",
  [Code.ResourceExhausted]: "TOO_MANY_REQUESTS",
  [Code.FailedPrecondition]: "PRECONDITION_FAILED",
  [Code.Unimplemented]: "NOT_IMPLEMENTED",
  [Code.Unavailable]: "SERVICE_UNAVAILABLE",
};

/** What a client learns of an error beside its code and message. */
export interface ErrorDetails {
  /** The fields of the input that are wrong, by the schema of the API or by the gateway. */
  fieldViolations: { field: string; description: string }[];
  /** The cause as a word, such as `ILLEGAL_TRANSITION`. */
  reason?: string | undefined;
  /** How many milliseconds to wait before the next attempt. */
  retryDelayMs?: number | undefined;
  /** The gateway's id of the call, for its logs. */
  requestId?: string | undefined;
}

/**
 * Returns what a procedure threw as the error that its client gets. A refused API key and a missing permission are the
 * fault of this API, not of its caller, so that they become INTERNAL_SERVER_ERROR, as every code without an entry.
 */
export function toTRPCError(thrown: unknown): TRPCError {
  const cause = thrown instanceof TRPCError ? thrown.cause : thrown;
  if (cause instanceof ArtificerError) return fromGateway(cause);
  if (thrown instanceof TRPCError && thrown.code !== "INTERNAL_SERVER_ERROR") return thrown;
  return new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: "internal error", cause: thrown });
}

function fromGateway(error: ArtificerError): TRPCError {
  // An upload that this API refused while it was being sent.
  if (error.cause instanceof TRPCError) return error.cause;
  const code = CODES[error.code];
  if (code === undefined) return new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: "internal error", cause: error });
  // Without a request id the gateway was not reached, and the message would name its address.
  const isUnreached = error.code === Code.Unavailable && error.requestId === undefined;
  const message = isUnreached ? "the service cannot be reached now; try again later" : error.rawMessage;
  return new TRPCError({ code, message, cause: error });
}

/** Passes a stream on, and throws its error as one of tRPC. */
export async function* mapped<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* stream;
  } catch (thrown) {
    throw toTRPCError(thrown);
  }
}

/** Returns the message for a client; zod's own is all of its issues as JSON. */
export function messageOf({ message, cause }: TRPCError): string {
  if (!(cause instanceof ZodError)) return message;
  return `the input is invalid: ${cause.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`).join("; ")}`;
}

/** Returns what a client may know of an error beside its code and message. */
export function detailsOf({ cause }: TRPCError): ErrorDetails {
  if (cause instanceof ZodError) {
    return { fieldViolations: cause.issues.map(({ path, message }) => ({ field: path.join("."), description: message })) };
  }
  if (!(cause instanceof ArtificerError)) return { fieldViolations: [] };
  const { reason, retryDelayMs, requestId } = cause;
  const fieldViolations = cause.fieldViolations.map(({ field, description }) => ({ field, description }));
  return { fieldViolations, reason, retryDelayMs, requestId };
}
