// The table of cases in a page: the runner calls `runCases` with a transport, and gets how each case failed.

import { createArtificer } from "@artificer/client";
import { callCase } from "./cases/connect.js";
import { runCase } from "./cases/run.js";
import { type Case, methodOf, type Server, streamsRequests } from "./cases/table.js";

type Result = { name: string; failure?: string; impossible?: string };

async function runCases(transport: "connect" | "grpc-web", server: Server, cases: Case[]): Promise<Result[]> {
  const artificers = [server.http, server.https].map((baseUrl) => createArtificer({ baseUrl, transport, retry: false, timeoutMs: 0 }));
  const results: Result[] = [];
  for (const one of cases) {
    const { name } = one;
    if (streamsRequests(methodOf(one).method)) {
      results.push({ name, impossible: "fetch sends no stream of requests" });
      continue;
    }
    try {
      await runCase(one, server, (...given) => callCase(artificers[one.tls ? 1 : 0]!, ...given));
      results.push({ name });
    } catch (error) {
      results.push({ name, failure: String(error) });
    }
  }
  return results;
}

Object.assign(globalThis, { runCases });
