// What grpc-js must know of a service, made from its descriptor: no generator but protoc-gen-es is needed.

import { create, type DescMessage, type DescMethod, type DescService, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type {
  CallOptions,
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  MethodDefinition,
  requestCallback,
  ServiceDefinition,
} from "@grpc/grpc-js";

type Unary<I extends DescMessage, O extends DescMessage> = {
  (request: MessageInitShape<I>, callback: requestCallback<MessageShape<O>>): ClientUnaryCall;
  (request: MessageInitShape<I>, metadata: Metadata, callback: requestCallback<MessageShape<O>>): ClientUnaryCall;
  (request: MessageInitShape<I>, metadata: Metadata, options: CallOptions, callback: requestCallback<MessageShape<O>>): ClientUnaryCall;
};

type ServerStream<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  metadata?: Metadata,
  options?: CallOptions,
) => ClientReadableStream<MessageShape<O>>;

type ClientStream<I extends DescMessage, O extends DescMessage> = {
  (callback: requestCallback<MessageShape<O>>): ClientWritableStream<MessageInitShape<I>>;
  (metadata: Metadata, callback: requestCallback<MessageShape<O>>): ClientWritableStream<MessageInitShape<I>>;
  (metadata: Metadata, options: CallOptions, callback: requestCallback<MessageShape<O>>): ClientWritableStream<MessageInitShape<I>>;
};

type BidiStream<I extends DescMessage, O extends DescMessage> = (
  metadata?: Metadata,
  options?: CallOptions,
) => ClientDuplexStream<MessageInitShape<I>, MessageShape<O>>;

type Kinds<I extends DescMessage, O extends DescMessage> = {
  unary: Unary<I, O>;
  server_streaming: ServerStream<I, O>;
  client_streaming: ClientStream<I, O>;
  bidi_streaming: BidiStream<I, O>;
};

/** A client of grpc-js with a method for each of a service's. Requests are messages, or objects with some of their fields. */
export type GrpcJsClient<S extends DescService> = Client & {
  readonly [Name in keyof S["method"]]: S["method"][Name] extends { input: infer I; output: infer O; methodKind: infer K }
    ? Kinds<I & DescMessage, O & DescMessage>[K & keyof Kinds<DescMessage, DescMessage>]
    : never;
};

/** Returns the definition of a service, for clients and servers of grpc-js. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, definition(method)]));
}

function definition(method: DescMethod): MethodDefinition<unknown, unknown> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.name,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: serializer(input),
    requestDeserialize: deserializer(input),
    responseSerialize: serializer(output),
    responseDeserialize: deserializer(output),
  };
}

function serializer(schema: DescMessage) {
  return (value: unknown): Buffer => {
    const bytes = toBinary(schema, create(schema, value as MessageInitShape<DescMessage>));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function deserializer(schema: DescMessage) {
  // Without the conversion, fields of bytes would be Buffers.
  return (bytes: Buffer) => fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
