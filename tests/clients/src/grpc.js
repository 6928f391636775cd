// Calls through @grpc/grpc-js. It knows no other protocol.

import * as grpc from "@grpc/grpc-js";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { KitchenService } from "../gen/kitchen/v1/kitchen_service_pb.js";
import { only, streams } from "./driver.js";

/** A client for the driver: `target` is host:port, `gzip` compresses requests. */
export function grpcClient({ target, gzip }) {
  const channel = gzip ? { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip } : {};
  const client = new grpc.Client(target, grpc.credentials.createInsecure(), channel);
  return (asked) => call(client, asked);
}

async function call(client, { method, metadata, timeoutMs, signal, requests, onAnswer }) {
  const outcome = { code: 0, message: "", details: [], headers: [], trailers: [] };
  const sent = new grpc.Metadata();
  for (const [key, value] of metadata) sent.add(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  const form = [
    `/${KitchenService.typeName}/${method.name}`,
    (message) => Buffer.from(toBinary(method.input, message)),
    (bytes) => fromBinary(method.output, bytes),
  ];
  const first = streams.requests(method) ? undefined : await only(requests);
  await new Promise((resolve) => {
    const done = (error, answer) => {
      if (answer) onAnswer(answer);
    };
    const stream = begin(client, method, [...form, ...(first ? [first] : []), sent, options], done);
    signal.addEventListener("abort", () => stream.cancel());
    stream.on("metadata", (found) => (outcome.headers = pairs(found)));
    stream.on("error", () => {}); // the status event reports it
    if (streams.answers(method)) stream.on("data", onAnswer);
    stream.on("status", (status) => {
      outcome.code = status.code;
      outcome.message = status.code === 0 ? "" : status.details;
      outcome.trailers = pairs(status.metadata);
      setImmediate(resolve); // after the last response
    });
    if (streams.requests(method)) feed(stream, requests);
  });
  return outcome;
}

function begin(client, method, given, done) {
  if (streams.answers(method)) {
    return streams.requests(method) ? client.makeBidiStreamRequest(...given) : client.makeServerStreamRequest(...given);
  }
  return streams.requests(method)
    ? client.makeClientStreamRequest(...given, done)
    : client.makeUnaryRequest(...given, done);
}

async function feed(stream, requests) {
  for await (const request of requests) stream.write(request);
  stream.end();
}

function pairs(metadata) {
  return Object.entries(metadata.toJSON()).flatMap(([key, values]) =>
    values.map((value) => [key, Buffer.isBuffer(value) ? value.toString("base64") : value]),
  );
}
