// The driver as a process: a command a line on stdin, an event a line on stdout, until stdin ends.

import { createInterface } from "node:readline";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { createRegistry } from "@bufbuild/protobuf";
import { connectClient } from "./connect.js";
import { Driver } from "./driver.js";
import { file_kitchen_v1_kitchen_service as file } from "../gen/kitchen/v1/kitchen_service_pb.js";
import { grpcClient } from "./grpc.js";

// JSON of an Any needs to know what may be in it.
const jsonOptions = { registry: createRegistry(file) };
const transport = (create) => ({ base, gzip, ...options }) =>
  connectClient(create({ baseUrl: base, jsonOptions, ...(gzip ? { sendCompression: compressionGzip, compressMinBytes: 0 } : {}), ...options }));

const kinds = {
  connect: transport(createConnectTransport),
  "connect-grpc": transport(createGrpcTransport),
  "connect-grpc-web": transport(createGrpcWebTransport),
  grpc: grpcClient,
};
const driver = new Driver(kinds, (event) => process.stdout.write(`${JSON.stringify(event)}\n`));

for await (const line of createInterface({ input: process.stdin })) void driver.command(JSON.parse(line));
process.exit(0);
