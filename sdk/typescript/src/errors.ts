// The one error of this package, made of what a call threw. It must not know which transport carried the call.

import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  type BadRequest_FieldViolation,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

type Metadata = ConnectError["metadata"];

/**
 * A call that failed. `code` is the gRPC status code, `rawMessage` the server's message, `metadata` the headers and
 * trailers of the answer. `findDetails(schema)` returns the details of one type.
 */
export class ArtificerError extends ConnectError {
  constructor(...[message, ...rest]: ConstructorParameters<typeof ConnectError>) {
    super(message || "no message was given", ...rest);
    (this as { rawMessage: string }).rawMessage = message;
  }

  // ConnectError decides `instanceof` by the error's name, which would accept every ConnectError here.
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** The fields of the request that are wrong, each with a description; empty unless the server named some. */
  get fieldViolations(): BadRequest_FieldViolation[] {
    return this.#all(BadRequestSchema).flatMap((found) => found.fieldViolations);
  }

  /** A word for the cause, such as `ILLEGAL_TRANSITION`, from google.rpc.ErrorInfo; undefined if there is none. */
  get reason(): string | undefined {
    return this.#all(ErrorInfoSchema)[0]?.reason;
  }

  /** The values that belong to `reason`, from google.rpc.ErrorInfo. */
  get reasonMetadata(): Readonly<Record<string, string>> {
    return this.#all(ErrorInfoSchema)[0]?.metadata ?? {};
  }

  /** How many milliseconds the server asks to wait before the next attempt; undefined if it does not say. */
  get retryDelayMs(): number | undefined {
    const delay = this.#all(RetryInfoSchema)[0]?.retryDelay;
    return delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
  }

  /** The server's id of this call, to find it in the server's logs; undefined if the server gives none. */
  get requestId(): string | undefined {
    return this.metadata.get("x-request-id") ?? undefined;
  }

  /** The class's own name before the message; `name` is Connect's, by which it knows its errors. */
  override toString(): string {
    return `ArtificerError: ${this.message}`;
  }

  /** A detail whose bytes are not of its type is left out: the code and the message still say what happened. */
  #all<D extends DescMessage>(schema: D): MessageShape<D>[] {
    try {
      return this.findDetails(schema);
    } catch {
      return [];
    }
  }
}

/** Returns what a call threw as an {@link ArtificerError}: an error of Connect, of grpc-js, or of anything below them. */
export function toArtificerError(thrown: unknown): ArtificerError {
  if (thrown instanceof ArtificerError) return thrown;
  if (isServiceError(thrown)) return fromServiceError(thrown);
  const found = ConnectError.from(thrown, abortedCode(thrown));
  const error = new ArtificerError(found.rawMessage, found.code, found.metadata, undefined, found.cause ?? thrown);
  error.details = found.details;
  return error;
}

function abortedCode(thrown: unknown): Code {
  return thrown instanceof Error && thrown.name === "AbortError" ? Code.Canceled : Code.Unknown;
}

/** What grpc-js throws; written here because that package is optional. */
interface ServiceError extends Error {
  code: number;
  details: string;
  metadata: { getMap(): Record<string, string | Uint8Array>; get(key: string): (string | Uint8Array)[] };
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  if (!(thrown instanceof Error)) return false;
  const { code, details, metadata } = thrown as Partial<ServiceError>;
  return typeof code === "number" && typeof details === "string" && typeof metadata?.getMap === "function";
}

function fromServiceError(thrown: ServiceError): ArtificerError {
  const error = new ArtificerError(thrown.details, thrown.code, metadataOf(thrown), undefined, thrown);
  const [status] = thrown.metadata.get("grpc-status-details-bin");
  if (status instanceof Uint8Array) error.details = detailsOf(status);
  return error;
}

function metadataOf({ metadata }: ServiceError): Metadata {
  const found = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) if (typeof value === "string") found.append(key, value);
  }
  return found;
}

function detailsOf(status: Uint8Array): ConnectError["details"] {
  try {
    return fromBinary(StatusSchema, status).details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
  } catch {
    return [];
  }
}
