// HTTP/2 connections whose errors never end the process.

import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { Http2SessionManager } from "@connectrpc/connect-node";

/**
 * Connect's manager stops listening to a connection that it leaves, and an error that the connection reports in the next
 * tick has no listener: Node then ends the process. The calls fail with that error in any case.
 */
export class Sessions extends Http2SessionManager {
  readonly #seen = new WeakSet<ClientHttp2Session>();

  override async request(...given: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...given);
    const session = stream.session as ClientHttp2Session | undefined;
    if (session && !this.#seen.has(session)) {
      this.#seen.add(session);
      session.on("error", () => {});
    }
    return stream;
  }
}
