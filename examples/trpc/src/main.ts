// The process: starts the API and stops it on SIGTERM or Ctrl-C.

import type { Server } from "node:http";
import { createArtificer, type NodeArtificer } from "@artificer/client/node";
import { serve } from "@hono/node-server";
import { createApp } from "./app.js";
import { type Config, readConfig } from "./config.js";

const STOP_MS = 5_000;

const { config, artificer } = configured();
const app = createApp(config, artificer);
const options = { fetch: app.fetch, hostname: config.host, port: config.port, serverOptions: { maxHeaderSize: 128 * 1024 } };
const server = serve(options, ({ port }) => console.log(`HTTP on http://${config.host}:${port}/trpc`)) as Server;
server.once("error", fail); // the port is in use, for example

// Running calls may end. Streams do not end by themselves: they are cut, and clients resume them elsewhere.
const stop = () => {
  server.close(() => artificer.close());
  setTimeout(() => server.closeAllConnections(), STOP_MS).unref();
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

function configured(): { config: Config; artificer: NodeArtificer } {
  try {
    // Over gRPC, with the address and key of ARTIFICER_TARGET and ARTIFICER_API_KEY.
    return { config: readConfig(process.env), artificer: createArtificer({ timeoutMs: 10_000 }) };
  } catch (error) {
    return fail(error as Error);
  }
}

function fail(error: Error): never {
  console.error(error.message);
  process.exit(2);
}
