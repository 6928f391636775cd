// A client of one service: Connect's, with typed errors and with streams that end when their reader stops.

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError, createClient as createConnectClient, makeAnyClient, type Transport } from "@connectrpc/connect";
import { toArtificerError } from "./errors.js";
import { checkedHeaders } from "./headers.js";
import { Requests } from "./requests.js";

type Call = (request: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;

/**
 * Returns a client of a service. Unlike Connect's own, its calls throw {@link ArtificerError}; a stream begins when it is
 * first read, and `break` in a `for await` cancels the call.
 */
export function createClient<S extends DescService>(service: S, transport: Transport): Client<S> {
  const client = createConnectClient(service, transport) as Record<string, Call>;
  const method = ({ localName, methodKind }: DescMethod): Call => {
    const call = client[localName]!;
    const run = methodKind === "server_streaming" || methodKind === "bidi_streaming" ? stream : answer;
    const takesStream = methodKind === "client_streaming" || methodKind === "bidi_streaming";
    return (request, options) => run(call, takesStream ? () => new Requests(request, localName) : () => request, options);
  };
  return makeAnyClient(service, method) as Client<S>;
}

async function answer(call: Call, given: () => unknown, options?: CallOptions): Promise<unknown> {
  let request: unknown;
  try {
    request = given();
    return await call(request, checked(options));
  } catch (thrown) {
    throw errorOf(thrown, request);
  }
}

async function* stream(call: Call, given: () => unknown, options?: CallOptions): AsyncGenerator<unknown> {
  const left = new AbortController();
  const signal = options?.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  let request: unknown;
  try {
    request = given();
    yield* call(request, { ...checked(options), signal }) as AsyncIterable<unknown>;
  } catch (thrown) {
    throw errorOf(thrown, request);
  } finally {
    left.abort();
  }
}

function errorOf(thrown: unknown, request: unknown): Error {
  return request instanceof Requests ? request.errorOf(thrown) : toArtificerError(thrown);
}

function checked(options: CallOptions | undefined): CallOptions | undefined {
  if (options?.headers === undefined) return options;
  try {
    return { ...options, headers: checkedHeaders(options.headers) };
  } catch (thrown) {
    throw ConnectError.from(thrown, Code.InvalidArgument);
  }
}
