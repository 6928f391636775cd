// The requests of a stream: what callers give, checked, and why they ended.

import { Code, ConnectError } from "@connectrpc/connect";
import { ArtificerError, toArtificerError } from "./errors.js";

/** A stream of requests that remembers its failure, which the transports report as one of the server or of the network. */
export class Requests implements AsyncIterable<unknown> {
  readonly #iterator: AsyncIterator<unknown>;
  #failure: { thrown: unknown } | undefined;

  /** Throws INVALID_ARGUMENT if `given` is no async iterable: the transports would end the process. */
  constructor(given: unknown, method: string) {
    const open = (given as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator];
    if (typeof open !== "function") {
      const message = `${method} takes a stream of requests: an async iterable such as an async generator, not ${nameOf(given)}`;
      throw new ConnectError(message, Code.InvalidArgument);
    }
    this.#iterator = open.call(given);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    const iterator = this.#iterator;
    return {
      ...(iterator.return && { return: (value?: unknown) => iterator.return!(value) }),
      ...(iterator.throw && { throw: (error?: unknown) => iterator.throw!(error) }),
      next: async () => {
        try {
          return await iterator.next();
        } catch (thrown) {
          this.#failure = { thrown };
          throw thrown;
        }
      },
    };
  }

  /** Returns what the call threw as an error, which is that of the requests if they caused it. */
  errorOf(thrown: unknown): ArtificerError {
    if (this.#failure === undefined || !causes(thrown).includes(this.#failure.thrown)) return toArtificerError(thrown);
    const failure = this.#failure.thrown;
    const error = toArtificerError(failure);
    if (failure instanceof ConnectError || error.code !== Code.Unknown) return error; // of another call that they read, or an abort
    return new ArtificerError(`the requests could not be read: ${error.rawMessage}`, Code.Unknown, undefined, undefined, failure);
  }
}

function nameOf(given: unknown): string {
  return typeof given !== "object" || given === null ? String(given) : Array.isArray(given) ? "an array" : "an object";
}

function causes(thrown: unknown): unknown[] {
  const found = [thrown];
  for (let depth = 0; depth < 8; depth++) found.push((found.at(-1) as { cause?: unknown } | null | undefined)?.cause);
  return found;
}
