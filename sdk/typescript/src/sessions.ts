// HTTP/2 connections whose errors never end the process, and whose streams always end with an answer or an error.

import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";

const HEADERS_FRAME = 1; // RFC 9113 6.2

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
    reportSilence(stream);
    reportUnsent(stream);
    return stream;
  }
}

/** Makes an error of a stream that the server closes, as if all were well, before it answers: Node reports none. */
function reportSilence(stream: ClientHttp2Stream): void {
  let isAnswered = false;
  stream.once("response", () => (isAnswered = true));
  stream.once("close", () => {
    if (isAnswered || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    stream.emit("error", Object.assign(new Error("the server closed the stream without an answer"), { code: "ERR_STREAM_PREMATURE_CLOSE" }));
  });
}

/** Names the cause when Node cannot send the headers: it says REFUSED_STREAM then, as a server does that is busy. */
function reportUnsent(stream: ClientHttp2Stream): void {
  stream.once("frameError", (type) => {
    if (type === HEADERS_FRAME) stream.destroy(new ConnectError("the headers are too large to be sent", Code.InvalidArgument));
  });
}
