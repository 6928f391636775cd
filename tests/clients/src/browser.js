// The driver in a page: `drive` takes a command, and the page's `report` is given what happens, an event a line.

import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createRegistry } from "@bufbuild/protobuf";
import { connectClient } from "./connect.js";
import { Driver } from "./driver.js";
import { file_kitchen_v1_kitchen_service as file } from "../gen/kitchen/v1/kitchen_service_pb.js";
import { grpcWebClient } from "./grpc_web.js";

// JSON of an Any needs to know what may be in it.
const jsonOptions = { registry: createRegistry(file) };
const transport = (create) => ({ base, ...options }) => connectClient(create({ baseUrl: base, jsonOptions, ...options }));

// What happens in one turn is told at once: to tell takes a way out of the page.
let told = [];
const emit = (event) => {
  if (told.push(JSON.stringify(event)) > 1) return;
  setTimeout(() => {
    const lines = told.join("\n");
    told = [];
    globalThis.report(lines);
  });
};

const driver = new Driver(
  {
    connect: transport(createConnectTransport),
    "connect-grpc-web": transport(createGrpcWebTransport),
    "grpc-web": grpcWebClient,
  },
  emit,
);
globalThis.drive = (command) => void driver.command(JSON.parse(command));
