// Three transports for a channel. WebSocket carries ChatStream. Connect and gRPC-Web use fetch, which streams in one
// direction only, so they read by StreamMessages and send each message by SendMessages.
//
// Each is a class with join(), say(content, requestId) and leave(). It reports through the callbacks in `on`: joined(),
// message(message), refused(requestId, text, code) and ended({ text, code, again }), where `again` allows a retry.

import { credentials } from "./access.js";
import * as proto from "./protobuf.js";

const SERVICE = "/artificer.chat.v1.MessageService/";
const HISTORY = 50;

// Codes after which the same call may succeed later; a reader that was too slow resumes after its last id.
const TRANSIENT = new Set([4, 8, 10, 14]);
const NAMES = ["ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
  "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented",
  "internal", "unavailable", "data_loss", "unauthenticated"];

class CallError extends Error {
  constructor(code, text) {
    super(text || NAMES[code] || "the call failed");
    this.code = code;
  }
}

export const UNAUTHENTICATED = 16;

export class WebSocketTransport {
  constructor(base, place, on) {
    this.base = base; this.place = place; this.on = on;
  }

  join() {
    const { channel, user, after } = this.place;
    const url = new URL(`${this.base}/v1/channels/${encodeURIComponent(channel)}/messages:chat`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    // Browsers cannot set headers on a WebSocket and a URL would leak the key, so the first frame carries it.
    url.search = "$metadata=frame";
    const socket = this.socket = new WebSocket(url, ["diptych.v1.json"]);
    let failed;
    socket.onopen = () => {
      socket.send(JSON.stringify({ metadata: credentials() }));
      socket.send(JSON.stringify({ user, ...(after ? { after } : { historySize: HISTORY }) }));
    };
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.joined) this.on.joined();
      else if (event.message) this.on.message(event.message);
      else if (event.refusal) this.on.refused(event.refusal.requestId, event.refusal.status.message);
      else if (event.error) failed = event.error.message;
    };
    socket.onclose = ({ code, reason }) => {
      const status = code >= 4000 ? code - 4000 : code === 1000 ? 0 : 14;
      this.on.ended({ text: failed || reason || "the connection was lost", code: status, again: TRANSIENT.has(status) });
    };
  }

  say(content, requestId) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ content, requestId }));
  }

  leave() {
    this.on = { joined() {}, message() {}, refused() {}, ended() {} };
    // An empty frame half-closes the call; the server then ends it.
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send("");
    else this.socket.close();
  }
}

// The base of Connect and gRPC-Web, which both send messages with a five-byte prefix.
class FetchTransport {
  constructor(base, place, on) {
    this.base = base; this.place = place; this.on = on;
    this.abort = new AbortController();
    this.sending = Promise.resolve();
  }

  async join() {
    const { channel, after } = this.place;
    const wanted = { channel, includeUser: true, ...(after ? { after } : { historySize: HISTORY }) };
    try {
      await this.call("StreamMessages", wanted, () => this.on.joined(), (message) => this.on.message(message));
      this.on.ended({ text: "the server ended the stream", again: true });
    } catch (error) {
      if (this.abort.signal.aborted) return;
      // A lost connection raises a TypeError, the only error here that is no CallError.
      const lost = !(error instanceof CallError);
      const text = lost ? "the connection was lost" : error.message;
      this.on.ended({ text, code: error.code, again: lost || TRANSIENT.has(error.code) });
    }
  }

  say(content, requestId) {
    // One by one, so that they are stored in the order in which they were entered.
    this.sending = this.sending.then(() => this.send(content, requestId));
  }

  async send(content, requestId) {
    const { channel, user } = this.place;
    try {
      await this.call("SendMessages", { channel, user, content, requestId }, () => {}, () => {});
    } catch (error) {
      // After a transient error the message is sent again on the next join; its request id prevents a duplicate.
      if (error instanceof CallError && !TRANSIENT.has(error.code)) this.on.refused(requestId, error.message, error.code);
    }
  }

  leave() {
    this.abort.abort();
  }

  async call(method, request, begun, each) {
    const response = await fetch(this.base + SERVICE + method, {
      method: "POST",
      headers: { ...this.headers, ...credentials() },
      body: envelope(this.write(method, request)),
      signal: this.abort.signal,
    });
    const status = response.headers.get("grpc-status");
    if (status) throw new CallError(Number(status), decodeURIComponent(response.headers.get("grpc-message") ?? ""));
    if (!response.ok || !response.headers.get("content-type")?.startsWith(this.media)) {
      throw new CallError(2, `HTTP ${response.status}`);
    }
    begun();
    let ended = false;
    for await (const [flags, data] of envelopes(response.body.getReader())) {
      if (flags & this.endFlag) {
        ended = true;
        this.end(new TextDecoder().decode(data));
      } else {
        each(this.read(method, data));
      }
    }
    if (!ended) throw new TypeError("the stream was cut");
  }
}

export class ConnectTransport extends FetchTransport {
  media = "application/connect+json";
  headers = { "content-type": this.media, "connect-protocol-version": "1" };
  endFlag = 2;

  write(_, request) { return new TextEncoder().encode(JSON.stringify(request)); }

  read(_, data) { return JSON.parse(new TextDecoder().decode(data)); }

  end(text) {
    const { error } = JSON.parse(text);
    if (error) throw new CallError(NAMES.indexOf(error.code), error.message);
  }
}

export class GrpcWebTransport extends FetchTransport {
  media = "application/grpc-web+proto";
  headers = { "content-type": this.media, "x-grpc-web": "1" };
  endFlag = 128;

  write(method, request) {
    return method === "SendMessages" ? proto.sendMessagesRequest(request) : proto.streamMessagesRequest(request);
  }

  read(method, data) { return method === "SendMessages" ? {} : proto.message(data); }

  end(text) {
    const trailers = new Map(text.split("\r\n").filter(Boolean).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const code = Number(trailers.get("grpc-status"));
    if (code) throw new CallError(code, decodeURIComponent(trailers.get("grpc-message") ?? ""));
  }
}

function envelope(data) {
  const bytes = new Uint8Array(5 + data.length);
  new DataView(bytes.buffer).setUint32(1, data.length);
  bytes.set(data, 5);
  return bytes;
}

async function* envelopes(reader) {
  let rest = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest);
    joined.set(value, rest.length);
    rest = joined;
    while (rest.length >= 5) {
      const size = new DataView(rest.buffer, rest.byteOffset).getUint32(1);
      if (rest.length < 5 + size) break;
      yield [rest[0], rest.subarray(5, 5 + size)];
      rest = rest.subarray(5 + size);
    }
  }
}

export const TRANSPORTS = { websocket: WebSocketTransport, connect: ConnectTransport, "grpc-web": GrpcWebTransport };
