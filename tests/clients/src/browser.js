// The driver in a page: `drive` takes a command, and the page's `report` is given what happens.

import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { connectClient } from "./connect.js";
import { Driver } from "./driver.js";
import { grpcWebClient } from "./grpc_web.js";

const transport = (create) => ({ base, ...options }) => connectClient(create({ baseUrl: base, ...options }));

const driver = new Driver(
  {
    connect: transport(createConnectTransport),
    "connect-grpc-web": transport(createGrpcWebTransport),
    "grpc-web": grpcWebClient,
  },
  (event) => globalThis.report(JSON.stringify(event)),
);
globalThis.drive = (command) => void driver.command(JSON.parse(command));
