// The object that users hold: a client per service, on one transport.

import type { Client, Transport } from "@connectrpc/connect";
import { createClient } from "./client.js";
import { lazily, type services } from "./services.js";

/** A client of every service. Each is made when it is first used. */
export type Artificer = { readonly [Name in keyof typeof services]: Client<(typeof services)[Name]> } & {
  /** What carries the calls; for `createClient` with services of your own. */
  readonly transport: Transport;
};

/** Returns the clients on this transport, with the members of `rest`. */
export function clientsOn<R extends object>(transport: Transport, rest: R): Artificer & R {
  return lazily((service) => createClient(service, transport), { transport, ...rest });
}
