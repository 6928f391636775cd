// Makes the calls of the table with the clients of @artificer/client. It knows neither the protocol nor the platform.

import type { Message } from "@bufbuild/protobuf";
import { type Artificer, ArtificerError, type CallOptions } from "@artificer/client";
import { type Case, metadataOf, methodOf, type Outcome, requestsOf, type Server, streamsRequests } from "./table.js";

type Call = (request: unknown, options: CallOptions) => Promise<Message> | AsyncIterable<Message>;

/** Returns what the client sees. `reached` resolves when the server has the call. */
export async function callCase(artificer: Artificer, one: Case, server: Server, reached: () => Promise<void>): Promise<Outcome> {
  const { client, method } = methodOf(one);
  const call = (artificer[client] as unknown as Record<string, Call>)[method.localName]!;
  const outcome: Outcome = { code: 0, message: "", details: [], responses: [], header: new Headers(), trailer: new Headers() };
  const abort = new AbortController();
  const headers = new Headers();
  for (const [key, value] of metadataOf(one, server)) headers.append(key, value);
  const options: CallOptions = {
    headers,
    signal: abort.signal,
    onHeader: (found) => (outcome.header = found),
    onTrailer: (found) => (outcome.trailer = found),
    // 0 means no deadline to Connect, and less than 0 one that has passed.
    ...(one.deadline_seconds !== undefined && { timeoutMs: one.deadline_seconds * 1000 || -1 }),
  };
  const turns = new Turns();
  const cancelled = one.cancel_after === 0 && reached().then(() => abort.abort());
  const take = (response: Message) => {
    outcome.responses.push(response);
    turns.advance();
    if (outcome.responses.length === one.cancel_after) abort.abort();
  };
  try {
    const answer = call(streamsRequests(method) ? sent(one, turns, abort.signal) : requestsOf(one)[0], options);
    if (Symbol.asyncIterator in answer) for await (const response of answer) take(response);
    else take(await answer);
  } catch (error) {
    if (!(error instanceof ArtificerError)) throw error;
    outcome.code = error.code;
    outcome.message = error.rawMessage;
    outcome.details = error.details as Outcome["details"];
    outcome.header = outcome.trailer = error.metadata;
  }
  await cancelled;
  return outcome;
}

/** Yields the requests. In lockstep each waits for the response to the one before; a cancelled call sends no end. */
async function* sent(one: Case, turns: Turns, signal: AbortSignal): AsyncGenerator<Message> {
  for (const [index, request] of requestsOf(one).entries()) {
    if (one.lockstep) await turns.reach(index);
    yield request;
  }
  if (one.cancel_after !== undefined) await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

/** How many responses have arrived, and who waits for the next. */
class Turns {
  #count = 0;
  #wake = () => {};

  advance(): void {
    this.#count++;
    this.#wake();
  }

  async reach(count: number): Promise<void> {
    while (this.#count < count) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
