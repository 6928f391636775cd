// Calls through a Connect transport, whichever protocol it speaks. It knows no transport by name.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { KitchenService } from "../gen/kitchen/v1/kitchen_service_pb.js";
import { only, streams } from "./driver.js";

/** A client for the driver; the argument creates a transport from options. */
export function connectClient(transport) {
  const client = createClient(KitchenService, transport);
  return async ({ method, metadata, timeoutMs, signal, requests, onAnswer }) => {
    const outcome = { code: 0, message: "", details: [], headers: [], trailers: [] };
    const headers = new Headers();
    for (const [key, value] of metadata) headers.append(key, value);
    const options = {
      headers,
      timeoutMs,
      signal,
      onHeader: (found) => (outcome.headers = [...found]),
      onTrailer: (found) => (outcome.trailers = [...found]),
    };
    const given = streams.requests(method) ? requests : await only(requests);
    try {
      const answer = client[method.localName](given, options);
      if (streams.answers(method)) for await (const one of answer) onAnswer(one);
      else onAnswer(await answer);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      outcome.code = error.code;
      outcome.name = Code[error.code];
      outcome.message = error.rawMessage;
      // The client merges the headers and trailers of a failed call.
      outcome.trailers = [...error.metadata];
      outcome.details = error.details.map((detail) => [detail.type, base64Encode(detail.value)]);
    }
    return outcome;
  };
}
