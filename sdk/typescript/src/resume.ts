// Streams that go on after a lost connection.

import { Code, type CallOptions } from "@connectrpc/connect";
import { type ArtificerError, toArtificerError } from "./errors.js";
import { pause } from "./signals.js";

/** Returns the request that continues a stream, from its request and the last message that arrived. */
export type Continue<Request, Message> = (request: Request, last: Message) => Request;

/** How a stream is resumed. */
export interface ResumeOptions<Request, Message> extends CallOptions {
  /** Returns the request that continues the stream. By default the field `after` is set to the last message's `id`, if it has one. */
  next?: Continue<Request, Message>;
  /**
   * How many milliseconds the stream may stay without a message after it broke; 60,000 by default. A server that asks for
   * a longer pause is not waited for.
   */
  giveUpAfterMs?: number;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5000;

/**
 * Yields a stream's messages and opens it again where it broke: `resume(client.channels.streamMessages, { channel })`.
 * It resumes after UNAVAILABLE, and after RESOURCE_EXHAUSTED if the server says when, or that the reader was too slow.
 */
export async function* resume<Request, Message>(
  open: (request: Request, options?: CallOptions) => AsyncIterable<Message>,
  request: Request,
  { next = after, giveUpAfterMs = 60_000, ...options }: ResumeOptions<Request, Message> = {},
): AsyncGenerator<Message, void, undefined> {
  if (!(giveUpAfterMs >= 0)) throw new RangeError(`giveUpAfterMs is ${giveUpAfterMs}; expected 0 or more milliseconds`);
  let current = request;
  let failures = 0;
  let brokenAt: number | undefined;
  for (;;) {
    try {
      for await (const message of open(current, options)) {
        failures = 0;
        brokenAt = undefined;
        current = next(request, message);
        yield message;
      }
      return;
    } catch (thrown) {
      const error = toArtificerError(thrown);
      brokenAt ??= Date.now();
      const left = giveUpAfterMs - (Date.now() - brokenAt);
      const asked = error.retryDelayMs ?? 0;
      if (options.signal?.aborted || !isBroken(error) || left <= 0 || asked > left) throw error;
      const longest = Math.min(FIRST_DELAY_MS * 2 ** failures++, LONGEST_DELAY_MS);
      await pause(Math.max(Math.random() * longest, asked), options.signal);
    }
  }
}

function after<Request, Message>(request: Request, last: Message): Request {
  const { id } = last as { id?: unknown };
  return typeof id === "string" && id !== "" ? { ...request, after: id } : request;
}

function isBroken(error: ArtificerError): boolean {
  if (error.code === Code.Unavailable) return true;
  return error.code === Code.ResourceExhausted && (error.retryDelayMs !== undefined || error.reason === "READER_TOO_SLOW");
}
