// The driver as a process: a command a line on stdin, an event a line on stdout, until stdin ends.

import { createInterface } from "node:readline";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { connectClient } from "./connect.js";
import { Driver } from "./driver.js";
import { grpcClient } from "./grpc.js";

const transport = (create) => ({ base, gzip, ...options }) =>
  connectClient(create({ baseUrl: base, ...(gzip ? { sendCompression: compressionGzip, compressMinBytes: 0 } : {}), ...options }));

const kinds = {
  connect: transport(createConnectTransport),
  "connect-grpc": transport(createGrpcTransport),
  "connect-grpc-web": transport(createGrpcWebTransport),
  grpc: grpcClient,
};
const driver = new Driver(kinds, (event) => process.stdout.write(`${JSON.stringify(event)}\n`));

for await (const line of createInterface({ input: process.stdin })) void driver.command(JSON.parse(line));
process.exit(0);
