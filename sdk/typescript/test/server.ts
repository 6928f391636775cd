// A server in this process, of connect-node, whose handlers a test writes. It speaks gRPC, gRPC-Web and Connect over HTTP/2.

import assert from "node:assert/strict";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type ArtificerError, toArtificerError } from "@artificer/client/node";

export interface Running {
  url: string;
  port: number;
  close(): Promise<void>;
}

/** Serves the routes on a free port, or on this one. */
export async function serve(routes: (router: ConnectRouter) => unknown, port = 0): Promise<Running> {
  const server = createServer(connectNodeAdapter({ routes: (router) => void routes(router) }));
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  await listening(server, port);
  const found = (server.address() as AddressInfo).port;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const session of sessions) session.destroy();
    });
  return { url: `http://127.0.0.1:${found}`, port: found, close };
}

/**
 * Returns a port below those that the kernel gives to programs that ask for any, so that none of them receives it before a
 * server starts or while it starts again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    try {
      await listening(server, port);
    } catch {
      continue;
    }
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

async function listening(server: Http2Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

/** Returns the error of a call, which must fail. */
export async function failureOf(call: Promise<unknown>): Promise<ArtificerError> {
  try {
    await call;
  } catch (error) {
    return toArtificerError(error);
  }
  return assert.fail("the call succeeded");
}

/** Returns the messages of a stream. */
export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}
