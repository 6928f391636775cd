// Drives clients by commands, so that a test in another language sends, listens and cancels as it goes.
// It knows no protocol: a client is handed in by its kind. Messages cross as base64 of their protobuf bytes.

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { KitchenService } from "../gen/kitchen/v1/kitchen_service_pb.js";

/** The requests of one call: an async iterable with a method to add to it. */
class Feed {
  #waiting = [];
  #items = [];

  push(item) {
    const next = this.#waiting.shift();
    if (next) next(item);
    else this.#items.push(item);
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const item = this.#items.length ? this.#items.shift() : await new Promise((resolve) => this.#waiting.push(resolve));
      if (item === null) return;
      yield item;
    }
  }
}

export class Driver {
  #calls = new Map();
  #clients = new Map();

  /** `kinds` creates a client of each kind from its options; `emit` receives the events. */
  constructor(kinds, emit) {
    this.kinds = kinds;
    this.emit = emit;
  }

  /** One command: `call`, then any of `send`, `end` and `cancel` with the call's id. */
  command(command) {
    if (command.op === "call") return this.#call(command);
    const call = this.#calls.get(command.id);
    if (!call) return undefined; // the call has ended in the meantime
    if (command.op === "send") call.feed.push(fromBinary(call.method.input, base64Decode(command.message)));
    else if (command.op === "end") call.feed.push(null);
    else call.abort.abort();
    return undefined;
  }

  #client(options) {
    const key = JSON.stringify(options);
    if (!this.#clients.has(key)) this.#clients.set(key, this.kinds[options.kind](options));
    return this.#clients.get(key);
  }

  async #call({ id, client, method: name, metadata, timeoutMs }) {
    const method = KitchenService.methods.find((one) => one.name === name);
    const call = { method, feed: new Feed(), abort: new AbortController() };
    this.#calls.set(id, call);
    const onAnswer = (answer) => this.emit({ id, answer: base64Encode(toBinary(method.output, answer)) });
    const asked = { method, metadata, timeoutMs, signal: call.abort.signal, requests: call.feed, onAnswer };
    try {
      this.emit({ id, outcome: await this.#client(client)(asked) });
    } catch (broken) {
      this.emit({ id, broken: String(broken?.stack ?? broken) });
    } finally {
      this.#calls.delete(id);
    }
  }
}

/** Returns the only request of a call. */
export async function only(requests) {
  for await (const request of requests) return request;
  throw new Error("a unary call was given no request");
}

/** Returns whether a method streams in either direction. */
export const streams = {
  requests: (method) => ["client_streaming", "bidi_streaming"].includes(method.methodKind),
  answers: (method) => ["server_streaming", "bidi_streaming"].includes(method.methodKind),
};
