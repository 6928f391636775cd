// What every procedure gets: who calls, and the client of the gateway. The caller's token never reaches the gateway.

import { createHash } from "node:crypto";
import type { Artificer } from "@artificer/client/node";

export interface Context {
  /** The caller's name; undefined without a valid token. */
  caller: string | undefined;
  artificer: Artificer;
}

/** Returns the function that makes the context of a request. */
export function contexts(callers: ReadonlyMap<string, string>, artificer: Artificer): (request: Request) => Context {
  // Looked up by hash, so that the time of the look-up says nothing about a token.
  const byHash = new Map([...callers].map(([token, name]) => [hash(token), name]));
  return (request) => {
    const token = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    return { caller: token === undefined ? undefined : byHash.get(hash(token)), artificer };
  };
}

function hash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
