// Sends a failed call again if that is safe. It must not know which transport carries the call.

import { Code, type Interceptor, type StreamRequest, type StreamResponse, type UnaryRequest } from "@connectrpc/connect";
import { readTimeout, writeTimeout } from "./deadline.js";
import { toArtificerError } from "./errors.js";
import { neverSent } from "./network.js";
import { isIdempotent, isSafe } from "./safe.js";
import { pause } from "./signals.js";

/** How failed calls are repeated. */
export interface RetryPolicy {
  /** How often a call is sent at most, the first time included; 3 by default. */
  attempts: number;
  /** The longest pause before the second attempt, in milliseconds; 200 by default. It doubles with each attempt. */
  firstDelayMs: number;
  /** The longest pause of all, in milliseconds; 5000 by default. */
  maxDelayMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 3, firstDelayMs: 200, maxDelayMs: 5000 };

/** Returns the policy with the defaults for what is absent. Throws if it has no meaning. */
export function checkedPolicy(given: Partial<RetryPolicy> = {}): RetryPolicy {
  const policy = { ...defaultRetryPolicy, ...given };
  if (!(policy.attempts >= 1)) throw new Error(`retry.attempts is ${policy.attempts}; expected 1 or more`);
  for (const name of ["firstDelayMs", "maxDelayMs"] as const) {
    if (!(policy[name] >= 0)) throw new Error(`retry.${name} is ${policy[name]}; expected 0 or more milliseconds`);
  }
  return policy;
}

// A server that asks for a longer pause is not waited for: the caller gets its error, which says how long.
const LONGEST_WAIT_MS = 60_000;

type AnyRequest = UnaryRequest | StreamRequest;

/**
 * Repeats calls that failed with UNAVAILABLE, or RESOURCE_EXHAUSTED with a delay, if a repetition can do no harm. The
 * pauses end when the client is closed.
 */
export function retries(policy: RetryPolicy, closed?: AbortSignal): Interceptor {
  return (next) => async (request) => {
    const attempts = new Attempts(policy, request, closed);
    if (!request.stream) return attempts.run(() => next(attempts.prepared(request)));
    const source = request.method.methodKind === "server_streaming" ? await replayable(request) : watched(request);
    const open = () => attempts.run(() => next(attempts.prepared(source.request())), source.isFresh);
    const response = (await open()) as StreamResponse;
    return { ...response, message: reopening(response, open as () => Promise<StreamResponse>, attempts, source) };
  };
}

/** The attempts of one call. */
class Attempts {
  #made = 1;
  readonly #started = Date.now();
  readonly #timeout: number | undefined;

  constructor(
    private readonly policy: RetryPolicy,
    private readonly request: AnyRequest,
    private readonly closed: AbortSignal | undefined,
  ) {
    this.#timeout = readTimeout(request.header);
  }

  async run<T>(call: () => Promise<T>, isFresh = () => true): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (thrown) {
        await this.wait(thrown, isFresh());
      }
    }
  }

  /** Returns the request of the next attempt, whose deadline is what remains of the call's. */
  prepared<R extends AnyRequest>(request: R): R {
    const header = new Headers(request.header);
    const left = this.#left();
    if (left !== undefined) writeTimeout(header, left);
    return { ...request, header };
  }

  /** Returns after the pause before the next attempt. Throws what the call threw if there is none. */
  async wait(thrown: unknown, isFresh: boolean): Promise<void> {
    const delay = isFresh && !this.request.signal.aborted ? this.#delay(thrown) : undefined;
    if (delay === undefined || delay >= (this.#left() ?? Infinity)) throw thrown;
    this.#made++;
    await pause(delay, this.request.signal, this.closed);
  }

  #left(): number | undefined {
    return this.#timeout === undefined ? undefined : this.#timeout - (Date.now() - this.#started);
  }

  #delay(thrown: unknown): number | undefined {
    if (this.#made >= this.policy.attempts) return undefined;
    const error = toArtificerError(thrown);
    const asked = error.retryDelayMs;
    if (error.code !== Code.Unavailable && !(error.code === Code.ResourceExhausted && asked !== undefined)) return undefined;
    if (!neverSent(thrown) && !isRepeatable(this.request)) return undefined;
    if (asked !== undefined && asked > LONGEST_WAIT_MS) return undefined;
    const longest = Math.min(this.policy.firstDelayMs * 2 ** (this.#made - 1), this.policy.maxDelayMs);
    return Math.max(Math.random() * longest, asked ?? 0);
  }
}

function isRepeatable(request: AnyRequest): boolean {
  return isSafe(request.method) || (!request.stream && isIdempotent(request.message, request.header));
}

/** The requests of a stream: a request for the next attempt, and whether one is possible. */
interface Source {
  request(): StreamRequest;
  isFresh(): boolean;
}

/** Keeps the only request of a server stream, so that each attempt can send it. */
async function replayable(request: StreamRequest): Promise<Source> {
  const kept: StreamRequest["message"] extends AsyncIterable<infer M> ? M[] : never = [];
  for await (const message of request.message) kept.push(message);
  const again = async function* () {
    yield* kept;
  };
  return { request: () => ({ ...request, message: again() }), isFresh: () => true };
}

/** Watches a stream of requests: once one of them was read, it cannot be sent again. */
function watched(request: StreamRequest): Source {
  let isFresh = true;
  const iterator = request.message[Symbol.asyncIterator]();
  const message: StreamRequest["message"] = {
    [Symbol.asyncIterator]: () => ({
      ...(iterator.return && { return: (value?: unknown) => iterator.return!(value) }),
      ...(iterator.throw && { throw: (error?: unknown) => iterator.throw!(error) }),
      next() {
        isFresh = false;
        return iterator.next();
      },
    }),
  };
  return { request: () => ({ ...request, message }), isFresh: () => isFresh };
}

/** The responses of a stream, which is opened again until the first one has arrived, and never afterwards. */
async function* reopening(
  first: StreamResponse,
  open: () => Promise<StreamResponse>,
  attempts: Attempts,
  source: Source,
): StreamResponse["message"] extends AsyncIterable<infer M> ? AsyncGenerator<M> : never {
  let response = first;
  for (;;) {
    let isFresh = source.isFresh();
    try {
      for await (const message of response.message) {
        isFresh = false;
        yield message;
      }
      if (response !== first) response.trailer.forEach((value, key) => first.trailer.set(key, value));
      return;
    } catch (thrown) {
      await attempts.wait(thrown, isFresh);
      response = await open();
    }
  }
}
