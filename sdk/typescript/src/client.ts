// A client of one service: Connect's, with typed errors and with streams that end when their reader stops.

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError, createClient as createConnectClient, makeAnyClient, type Transport } from "@connectrpc/connect";
import { toArtificerError } from "./errors.js";
import { checkedHeaders } from "./headers.js";

type Call = (request: unknown, options?: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;

/**
 * Returns a client of a service. Unlike Connect's own, its calls throw {@link ArtificerError}; a stream begins when it is
 * first read, and `break` in a `for await` cancels the call.
 */
export function createClient<S extends DescService>(service: S, transport: Transport): Client<S> {
  const client = createConnectClient(service, transport) as Record<string, Call>;
  const method = (method: DescMethod): Call => {
    const call = client[method.localName]!;
    const isStream = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
    return isStream ? (...given) => stream(call, ...given) : (...given) => answer(call, ...given);
  };
  return makeAnyClient(service, method) as Client<S>;
}

async function answer(call: Call, request: unknown, options?: CallOptions): Promise<unknown> {
  try {
    return await call(request, checked(options));
  } catch (thrown) {
    throw toArtificerError(thrown);
  }
}

async function* stream(call: Call, request: unknown, options?: CallOptions): AsyncGenerator<unknown> {
  const left = new AbortController();
  const signal = options?.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  try {
    yield* call(request, { ...checked(options), signal }) as AsyncIterable<unknown>;
  } catch (thrown) {
    throw toArtificerError(thrown);
  } finally {
    left.abort();
  }
}

function checked(options: CallOptions | undefined): CallOptions | undefined {
  if (options?.headers === undefined) return options;
  try {
    return { ...options, headers: checkedHeaders(options.headers) };
  } catch (thrown) {
    throw ConnectError.from(thrown, Code.InvalidArgument);
  }
}
