// The table of cases in Node: gRPC, Connect and gRPC-Web by @artificer/client/node, and gRPC by grpc-js.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { createGrpcJsArtificer } from "@artificer/client/grpc-js";
import { createArtificer } from "@artificer/client/node";
import { callCase } from "./cases/connect.js";
import { grpcJsCaller } from "./cases/grpc_js.js";
import { type Caller, runCase } from "./cases/run.js";
import { type Case, repeats, type Server } from "./cases/table.js";

const server = JSON.parse(process.env["ARTIFICER_CASES"] ?? "null") as Server | null;
assert(server, "ARTIFICER_CASES is the line that python -m tests.sdk.case_server prints");
const read = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as { cases: Case[] }).cases);
const cases = [...read(server.cases), ...read(join(server.cases, "retries"))];
const ca = readFileSync(server.ca);

/** Which of a client's four connections a case needs: with TLS or without, with repetitions or without. */
type Way = { isSecure: boolean; retry: false | {} };

/** Returns what makes each call in its way, and what closes all that it made. */
function ways(make: (way: Way) => { caller: Caller; close(): void }): { caller: Caller; close(): void } {
  const made = new Map<string, ReturnType<typeof make>>();
  const caller: Caller = (one, ...rest) => {
    const way: Way = { isSecure: one.tls === true, retry: repeats(one) && {} };
    const key = JSON.stringify(way);
    if (!made.has(key)) made.set(key, make(way));
    return made.get(key)!.caller(one, ...rest);
  };
  return { caller, close: () => made.forEach((each) => each.close()) };
}

function connect(transport: "grpc" | "connect" | "grpc-web") {
  const [plain, secure] = transport === "grpc" ? [`http://${server!.grpc}`, `https://${server!.grpcs}`] : [server!.http, server!.https];
  return ways(({ isSecure, retry }) => {
    const artificer = createArtificer({ baseUrl: isSecure ? secure : plain, transport, retry, timeoutMs: 0, nodeOptions: { ca } });
    return { caller: (...given) => callCase(artificer, ...given), close: () => artificer.close() };
  });
}

function grpcJs() {
  const clientOptions = { "grpc.max_receive_message_length": -1 };
  return ways(({ isSecure, retry }) => {
    const channelCredentials = isSecure ? credentials.createSsl(ca) : credentials.createInsecure();
    const clients = createGrpcJsArtificer({ target: isSecure ? server!.grpcs : server!.grpc, channelCredentials, retry, timeoutMs: 0, clientOptions });
    return { caller: grpcJsCaller(clients), close: () => clients.close() };
  });
}

/** What grpc-js's own repetitions do not know. */
const BEYOND_GRPC_JS: Record<string, string> = {
  "retries/with-a-request-id": "a service configuration names methods, not requests",
  "retries/exhausted-with-retry-info": "it reads no RetryInfo",
};

test("the table has cases", () => assert(cases.length > 10));

for (const [name, make] of Object.entries({
  grpc: () => connect("grpc"),
  connect: () => connect("connect"),
  "grpc-web": () => connect("grpc-web"),
  "grpc-js": grpcJs,
})) {
  describe(name, { concurrency: 4 }, async () => {
    const { caller, close } = make();
    const ran = cases.map((one) => {
      const skip = (name === "grpc-js" && BEYOND_GRPC_JS[one.name]) || false;
      return test(one.name, { skip }, () => runCase(one, server, caller));
    });
    await Promise.allSettled(ran).then(close);
  });
}
