// Calls through Google's grpc-web package, in a browser. It knows no other protocol.

import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { KitchenService } from "../gen/kitchen/v1/kitchen_service_pb.js";
import { only, streams } from "./driver.js";

/** A client for the driver: `format` is "binary" or "text". */
export function grpcWebClient({ base, format }) {
  const client = new GrpcWebClientBase({ format });
  return (asked) => call(client, base, asked);
}

async function call(client, base, { method, metadata, timeoutMs, signal, requests, onAnswer }) {
  const outcome = { code: 0, message: "", details: [], headers: [], trailers: [] };
  const path = `/${KitchenService.typeName}/${method.name}`;
  const described = new MethodDescriptor(
    path,
    streams.answers(method) ? MethodType.SERVER_STREAMING : MethodType.UNARY,
    Object,
    Object,
    (message) => toBinary(method.input, message),
    (bytes) => fromBinary(method.output, bytes),
  );
  const sent = {};
  for (const [key, value] of metadata) sent[key] = key in sent ? `${sent[key]}, ${value}` : value;
  if (timeoutMs !== undefined) sent.deadline = String(Date.now() + timeoutMs);
  const request = (await only(requests)) ?? create(method.input);
  await new Promise((resolve) => {
    const stream = streams.answers(method)
      ? client.serverStreaming(base + path, request, sent, described)
      : client.rpcCall(base + path, request, sent, described, (error, answer) => answer && onAnswer(answer));
    signal.addEventListener("abort", () => {
      stream.cancel();
      outcome.code = 1;
      resolve();
    });
    stream.on("metadata", (found) => (outcome.headers = Object.entries(found)));
    if (streams.answers(method)) stream.on("data", onAnswer);
    stream.on("error", (error) => {
      outcome.code = error.code;
      outcome.message = error.message;
      outcome.trailers = Object.entries(error.metadata ?? {});
      resolve();
    });
    stream.on("status", (status) => {
      outcome.trailers = Object.entries(status.metadata ?? {});
      if (status.code !== 0) {
        outcome.code = status.code;
        outcome.message = status.details;
      }
    });
    stream.on("end", () => setTimeout(resolve));
  });
  return outcome;
}
