// Makes the calls of the table with clients of grpc-js.

import { Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import type { Message } from "@bufbuild/protobuf";
import { type GrpcJsArtificer, toArtificerError } from "@artificer/client/grpc-js";
import type { Caller } from "./run.js";
import { metadataOf, methodOf, type Outcome, requestsOf, streamsRequests } from "./table.js";

interface Stream extends NodeJS.EventEmitter {
  write(request: Message): void;
  end(): void;
  cancel(): void;
}
type Call = (...given: unknown[]) => Stream;

/** Returns what makes a call by these clients. */
export function grpcJsCaller(clients: GrpcJsArtificer): Caller {
  return (one, server, reached) =>
    new Promise((resolve, reject) => {
      const { client, method } = methodOf(one);
      const outcome: Outcome = { code: 0, message: "", details: [], responses: [], header: new Headers(), trailer: new Headers() };
      const metadata = new Metadata();
      for (const [key, value] of metadataOf(one, server)) metadata.add(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
      const options = one.deadline_seconds === undefined ? {} : { deadline: Date.now() + one.deadline_seconds * 1000 };
      const requests = requestsOf(one);
      const isUnary = method.methodKind === "unary" || method.methodKind === "client_streaming";
      const make = (clients[client] as unknown as Record<string, Call>)[method.localName]!.bind(clients[client]);
      const take = (response: Message) => {
        outcome.responses.push(response);
        const next = one.lockstep && requests[outcome.responses.length];
        if (next) stream.write(next);
        else if (one.lockstep && one.cancel_after === undefined) stream.end();
        if (outcome.responses.length === one.cancel_after) stream.cancel();
      };
      const given = [...(streamsRequests(method) ? [] : [requests[0]]), metadata, options];
      const done = (_: ServiceError | null, response?: Message) => response && take(response);
      const stream = isUnary ? make(...given, done) : make(...given);
      stream.on("metadata", (found: Metadata) => (outcome.header = headersOf(found)));
      stream.on("data", take);
      stream.on("error", () => {}); // the status event says the same, and comes without an error too
      stream.on("status", (status: StatusObject) => {
        outcome.code = status.code;
        outcome.trailer = headersOf(status.metadata);
        if (status.code !== 0) {
          const error = toArtificerError(Object.assign(new Error(), status));
          Object.assign(outcome, { message: error.rawMessage, details: error.details });
          // What a call without responses sends is trailers alone.
          for (const [key, value] of outcome.trailer) if (!outcome.header.has(key)) outcome.header.set(key, value);
        }
        setImmediate(resolve, outcome); // the last response comes in the same turn
      });
      if (streamsRequests(method)) {
        for (const request of one.lockstep ? requests.slice(0, 1) : requests) stream.write(request);
        if (!one.lockstep && one.cancel_after === undefined) stream.end();
      }
      if (one.cancel_after === 0) reached().then(() => stream.cancel(), reject);
    });
}

function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    const values = metadata.get(key).map((value) => (typeof value === "string" ? value : value.toString("base64")));
    headers.set(key, values.join(","));
  }
  return headers;
}
