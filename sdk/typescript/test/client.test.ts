// What a client sends, and what its users get: errors, streams, credentials, deadlines and helpers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { constants, createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { createGrpcJsArtificer } from "@artificer/client/grpc-js";
import { createArtificer as createFetchArtificer } from "@artificer/client";
import { ArtificerError, chunks, createArtificer, type NodeOptions, paginate, resume, toArtificerError, version } from "@artificer/client/node";
import { BatchService } from "@artificer/client/gen/artificer/batch/v1/batch_service_pb";
import { MessageService } from "@artificer/client/gen/artificer/chat/v1/message_service_pb";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@artificer/client/gen/google/rpc/error_details_pb";
import { all, failureOf, freePort, type Running, serve } from "./server.js";

let server: Running;
let last: HandlerContext;
let opened = 0;
let ended: Promise<void>;

before(async () => {
  server = await serve((router) => {
    router.service(BatchService, {
      getJob: (_, context) => ((last = context), { id: "j" }),
      startJob() {
        throw new ConnectError("two faults", Code.InvalidArgument, { "x-request-id": "r-1" }, [
          { desc: BadRequestSchema, value: { fieldViolations: [{ field: "name", description: "is empty" }] } },
          { desc: ErrorInfoSchema, value: { reason: "WRONG", metadata: { allowed: "start" } } },
          { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
        ]);
      },
      cancelJob() {
        throw new ConnectError("", Code.Aborted, { "x-request-id": "r-2" });
      },
      listJobs: ({ pageToken, pageSize, projectId }) =>
        projectId === "endless" ? { jobs: [{ id: "1" }], nextPageToken: "again" } : pageToken === "" ? { jobs: [{ id: "1" }, { id: "2" }], nextPageToken: `${pageSize}` } : { jobs: [{ id: pageToken }] },
      async *streamProgress(_, context) {
        last = context;
        ended = new Promise((resolve) => context.signal.addEventListener("abort", () => resolve()));
        for (let count = 1n; !context.signal.aborted; count++) {
          yield { completedItems: count };
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
    });
    // Three messages at a time, and then the server is gone.
    router.service(MessageService, {
      async *streamMessages({ after, channel }) {
        const start = Number(after) + 1;
        opened++;
        if (channel === "later") {
          throw new ConnectError("later", Code.Unavailable, undefined, [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: 2_592_000n } } }]);
        }
        if (channel === "short" && start > 7) return;
        if (channel === "silent" && start > 1) throw new ConnectError("gone", Code.Unavailable);
        for (let id = start; id < start + 3; id++) yield { id: String(id) };
        if (channel === "slow") throw new ConnectError("slow", Code.ResourceExhausted, undefined, [{ desc: ErrorInfoSchema, value: { reason: "READER_TOO_SLOW" } }]);
        throw new ConnectError("gone", channel === "broken" ? Code.Internal : Code.Unavailable);
      },
    });
  });
});
after(() => server.close());

async function using<T>(options: NodeOptions, use: (artificer: ReturnType<typeof createArtificer>) => Promise<T>): Promise<T> {
  const artificer = createArtificer({ baseUrl: server.url, ...options });
  try {
    return await use(artificer);
  } finally {
    artificer.close();
  }
}

const headers = (options: NodeOptions, call?: Headers) =>
  using(options, async ({ batch }) => (await batch.getJob({}, call ? { headers: call } : {}), last.requestHeader));

describe("errors", () => {
  function check(error: unknown): void {
    assert(error instanceof ArtificerError);
    assert(error instanceof ConnectError);
    assert.equal(error.code, Code.InvalidArgument);
    assert.equal(error.rawMessage, "two faults");
    assert.deepEqual(error.fieldViolations.map(({ field, description }) => [field, description]), [["name", "is empty"]]);
    assert.equal(error.reason, "WRONG");
    assert.deepEqual(error.reasonMetadata, { allowed: "start" });
    assert.equal(error.retryDelayMs, 1500);
    assert.equal(error.requestId, "r-1");
  }

  for (const transport of ["grpc", "connect", "grpc-web"] as const) {
    test(transport, () => using({ transport }, async ({ batch }) => check(await batch.startJob({}).catch((error: unknown) => error))));
  }

  test("grpc-js", async () => {
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}` });
    const error = await new Promise((resolve) => clients.batch.startJob({}, new Metadata(), resolve));
    clients.close();
    check(toArtificerError(error));
  });

  test("another error of Connect is not an ArtificerError, until it is made one", () => {
    const error = new ConnectError("a", Code.Aborted);
    assert(!(error instanceof ArtificerError));
    assert(toArtificerError(error) instanceof ArtificerError);
    assert.equal(toArtificerError(error).code, Code.Aborted);
    assert.equal(toArtificerError(new DOMException("stop", "AbortError")).code, Code.Canceled);
    assert.equal(toArtificerError("text").code, Code.Unknown);
    assert.equal(new ArtificerError("m", Code.Unknown).retryDelayMs, undefined);
  });

  test("a server that is not there", async () => {
    const port = await freePort();
    const gone = { url: `http://127.0.0.1:${port}`, port };
    for (const transport of ["grpc", "connect", "grpc-web"] as const) {
      const error = await using({ baseUrl: gone.url, transport, retry: false }, ({ batch }) => failureOf(batch.getJob({})));
      assert.equal(error.code, Code.Unavailable);
    }
    const byFetch = createFetchArtificer({ baseUrl: gone.url, retry: false });
    assert.equal((await failureOf(byFetch.batch.getJob({}))).code, Code.Unavailable);
    assert.equal((await failureOf(all(byFetch.batch.streamProgress({})))).code, Code.Unavailable);
    assert.match((await failureOf(byFetch.batch.getJob({}))).rawMessage, /^the connection failed: .*ECONNREFUSED/);
    // A name with several addresses: Node's error has no message of its own.
    const lookup = (_: string, __: object, found: (error: null, all: object[]) => void) =>
      found(null, ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 })));
    const nodeOptions = { lookup } as object;
    const several = await using({ baseUrl: `http://localhost:${gone.port}`, nodeOptions, retry: false }, ({ batch }) => failureOf(batch.getJob({})));
    assert.match(several.rawMessage, /^the connection failed: .*127\.0\.0\.1.*; .*127\.0\.0\.2/);
  });

  test("as a text an error has its class's name and a message", async () => {
    assert.equal(String(new ArtificerError("the job is gone", Code.NotFound)), "ArtificerError: [not_found] the job is gone");
    const silent = new ArtificerError("", Code.NotFound);
    assert.deepEqual([String(silent), silent.rawMessage], ["ArtificerError: [not_found] no message was given", ""]);
    for (const transport of ["grpc", "connect", "grpc-web"] as const) {
      const error = await using({ transport }, ({ batch }) => failureOf(batch.cancelJob({})));
      assert.equal(error.message, "[aborted] no message was given");
      assert.equal(error.rawMessage, "");
    }
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}` });
    const failure = await new Promise((resolve) => clients.batch.cancelJob({}, resolve));
    clients.close();
    assert.equal(toArtificerError(failure).message, "[aborted] no message was given");
  });

  for (const [what, status, type, body] of [
    ["of a port for gRPC, or below another prefix", 404, "application/json", '{"error": {"message": "no route"}}'],
    ["of a proxy", 403, "text/html", "<p>no</p>"],
    ["of a page", 200, "text/html", "<p>welcome</p>"],
  ] as const) {
    test(`an answer ${what} says what to check`, async () => {
      const other = createHttpServer((_, response) => void response.writeHead(status, { "content-type": type }).end(body));
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      const baseUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      const { batch } = createFetchArtificer({ baseUrl });
      for (const error of [await failureOf(batch.getJob({})), await failureOf(all(batch.streamProgress({})))]) {
        assert.match(error.rawMessage, /^.+; check that baseUrl is a gateway's/);
      }
      const overHttp2 = await using({ baseUrl }, (artificer) => failureOf(artificer.batch.getJob({})));
      assert.match(overHttp2.rawMessage, /^Protocol error; check that baseUrl is a gateway's/);
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    });
  }
});

describe("streams of HTTP/2 that end without an answer", () => {
  const codes = constants;
  for (const [what, end, code, attempts] of [
    // Not processed, so that any call may be sent again.
    ["refused", (stream) => stream.close(codes.NGHTTP2_REFUSED_STREAM), Code.Unavailable, 3],
    ["too many", (stream) => stream.close(codes.NGHTTP2_ENHANCE_YOUR_CALM), Code.ResourceExhausted, 1],
    ["closed as if all were well", (stream) => stream.close(codes.NGHTTP2_NO_ERROR), Code.Unavailable, 1],
    ["of a connection that is ended for a fault", (stream) => stream.session!.goaway(codes.NGHTTP2_ENHANCE_YOUR_CALM, stream.id), Code.Unavailable, 1],
    ["with a part of a message", (stream) => part(stream), Code.Unavailable, 1],
  ] as [string, (stream: ServerHttp2Stream) => void, Code, number][]) {
    test(what, async () => {
      let count = 0;
      const sessions = new Set<ServerHttp2Session>();
      const other = createHttp2Server().on("session", (session) => sessions.add(session.on("error", () => {})));
      other.on("stream", (stream) => (count++, end(stream.on("error", () => {}).resume())));
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      const baseUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      await using({ baseUrl, retry: { firstDelayMs: 1 } }, async ({ batch }) => {
        assert.equal((await failureOf(batch.startJob({}, { timeoutMs: 0 }))).code, code);
        assert.equal(count, attempts);
        assert.equal((await failureOf(all(batch.streamProgress({})))).code, code);
      });
      sessions.forEach((session) => session.destroy());
      await new Promise((resolve) => other.close(resolve));
    });
  }

  function part(stream: ServerHttp2Stream): void {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.end(Buffer.from([0, 0, 0, 0, 9, 1, 2]));
  }
});

describe("requests that cannot be sent", () => {
  test("a value that is not of its field's type", () =>
    using({}, async ({ batch, channels }) => {
      const values = async function* () {
        yield { firstIndex: 1n << 70n };
      };
      for (const call of [batch.listJobs({ pageSize: 1.5 }), batch.uploadItems(values()), all(channels.streamMessages({ historySize: 1.5 }))]) {
        const error = await failureOf(call);
        assert.equal(error.code, Code.InvalidArgument);
        assert.match(error.rawMessage, /cannot encode field artificer\.(batch|chat)\.v1\./);
      }
    }));

  test("what is no stream of requests", () =>
    using({}, async ({ batch, channels }) => {
      for (const given of [undefined, null, [], {}, "text"]) {
        for (const call of [batch.uploadItems(given as never), all(channels.chatStream(given as never))]) {
          const error = await failureOf(call);
          assert.equal(error.code, Code.InvalidArgument);
          assert.match(error.rawMessage, /^(uploadItems|chatStream) takes a stream of requests: an async iterable/);
        }
      }
    }));

  test("a stream of requests that fails", () =>
    using({}, async ({ batch }) => {
      const broken = async function* (thrown: Error) {
        yield { jobId: "j" };
        throw thrown;
      };
      const local = Object.assign(new Error("the disk is on fire"), { code: "ECONNRESET" });
      const error = await failureOf(batch.uploadItems(broken(local)));
      assert.deepEqual([error.code, error.rawMessage, error.cause], [Code.Unknown, "the requests could not be read: the disk is on fire", local]);
      const relayed = await failureOf(batch.uploadItems(broken(new ArtificerError("not there", Code.NotFound))));
      assert.deepEqual([relayed.code, relayed.rawMessage], [Code.NotFound, "not there"]);
    }));

  test("headers that no connection carries", () =>
    using({}, async ({ batch }) => {
      for (const name of ["connection", "Keep-Alive", "TE", "transfer-encoding", "upgrade", "content-length", "host"]) {
        const error = await failureOf(batch.getJob({}, { headers: { [name]: "1" } }));
        assert.deepEqual([error.code, error.rawMessage], [Code.InvalidArgument, `the header '${name}' is set by the transport alone`]);
      }
      const large = await failureOf(batch.getJob({}, { headers: { "x-large": "x".repeat(200_000) } }));
      assert.deepEqual([large.code, large.rawMessage], [Code.InvalidArgument, "the headers are too large to be sent"]);
    }));
});

describe("streams", () => {
  test("break cancels the call", () =>
    using({}, async ({ batch }) => {
      for await (const { completedItems } of batch.streamProgress({})) if (completedItems === 3n) break;
      await ended;
    }));

  test("a stream that nobody reads is no call, and no unhandled rejection", () =>
    using({ baseUrl: "http://127.0.0.1:1" }, async ({ batch }) => {
      batch.streamProgress({});
      await new Promise((resolve) => setImmediate(resolve));
    }));

  test("an abort ends a stream with CANCELED", () =>
    using({}, async ({ batch }) => {
      const abort = new AbortController();
      const read = async () => {
        for await (const _ of batch.streamProgress({}, { signal: abort.signal })) abort.abort();
      };
      assert.equal((await failureOf(read())).code, Code.Canceled);
      await ended;
    }));

  test("close ends running calls", () =>
    using({ retry: false }, async (artificer) => {
      const read = async () => {
        for await (const _ of artificer.batch.streamProgress({})) artificer.close();
      };
      await failureOf(read());
      await ended;
    }));
});

describe("deadlines", () => {
  test("unary calls have 60 seconds, streams none", () =>
    using({}, async ({ batch }) => {
      await batch.getJob({});
      const timeout = last.timeoutMs()!;
      assert(timeout > 30_000 && timeout <= 60_000);
      for await (const _ of batch.streamProgress({})) break;
      assert.equal(last.timeoutMs(), undefined);
    }));

  test("timeoutMs changes the default, and 0 turns it off", async () => {
    await headers({ timeoutMs: 50_000 });
    assert(last.timeoutMs()! <= 50_000);
    await headers({ timeoutMs: 0 });
    assert.equal(last.timeoutMs(), undefined);
  });
});

describe("credentials", () => {
  test("an API key, a token, and functions that return them", async () => {
    assert.equal((await headers({ apiKey: "k" })).get("x-api-key"), "k");
    assert.equal((await headers({ token: async () => "t" })).get("authorization"), "Bearer t");
  });

  test("a header of the call comes first, then the client's", async () => {
    const options = { apiKey: "k", headers: { "x-tenant": "blue" } };
    assert.equal((await headers(options)).get("x-tenant"), "blue");
    const call = new Headers({ "x-api-key": "mine", "x-tenant": "red" });
    const sent = await headers(options, call);
    assert.deepEqual([sent.get("x-api-key"), sent.get("x-tenant")], ["mine", "red"]);
  });

  test("they are not sent in clear text to another machine", () => {
    assert.throws(() => createArtificer({ baseUrl: "http://example.com", apiKey: "k" }), /clear text to example\.com: use https/);
    assert.throws(() => createFetchArtificer({ baseUrl: "http://10.0.0.1:8080", token: "t" }), /clear text/);
    assert.throws(() => createGrpcJsArtificer({ target: "example.com:443", apiKey: "k" }), /clear text to example\.com/);
    assert.throws(() => createGrpcJsArtificer({ target: "dns:///example.com:443", apiKey: "k" }), /clear text/);
    for (const baseUrl of ["https://example.com", "http://localhost", "http://127.9.9.9", "http://[::1]:1"]) createArtificer({ baseUrl, apiKey: "k" });
    createArtificer({ baseUrl: "http://example.com", apiKey: "k", allowInsecureCredentials: true });
    createArtificer({ baseUrl: "http://example.com" });
    createGrpcJsArtificer({ target: "[::1]:1", apiKey: "k" });
  });

  test("the environment counts where an option is absent", async () => {
    Object.assign(process.env, { ARTIFICER_TARGET: `127.0.0.1:${server.port}`, ARTIFICER_API_KEY: "e", ARTIFICER_BASE_URL: server.url });
    try {
      for (const transport of ["grpc", "connect"] as const) assert.equal((await headers({ baseUrl: undefined, transport })).get("x-api-key"), "e");
      const given = await headers({ token: "t" });
      assert.deepEqual([given.get("x-api-key"), given.get("authorization")], [null, "Bearer t"]);
      const clients = createGrpcJsArtificer();
      await new Promise((resolve) => clients.batch.getJob({}, resolve));
      clients.close();
      assert.equal(last.requestHeader.get("x-api-key"), "e");
    } finally {
      for (const name of ["TARGET", "API_KEY", "BASE_URL"]) delete process.env[`ARTIFICER_${name}`];
    }
  });

  test("a key that no header carries is refused, and not repeated", async () => {
    for (const apiKey of ["secret\n", "secret\u00e9", "se cret", ""]) {
      const told = (error: Error) => /^apiKey (is empty|has spaces, line breaks)/.test(error.message) && !error.message.includes("secret");
      assert.throws(() => createArtificer({ baseUrl: server.url, apiKey }), told);
      assert.throws(() => createGrpcJsArtificer({ target: "127.0.0.1:1", apiKey }), told);
      const error = await using({ apiKey: () => apiKey }, ({ batch }) => failureOf(batch.getJob({})));
      assert.equal(error.code, Code.Unauthenticated);
      const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}`, apiKey: async () => apiKey });
      const failure = await new Promise((resolve) => clients.batch.getJob({}, resolve));
      clients.close();
      assert.equal(toArtificerError(failure).code, Code.Unauthenticated);
    }
  });

  test("a key of the environment that no header carries is named", () => {
    for (const name of ["ARTIFICER_API_KEY", "ARTIFICER_TOKEN"]) {
      process.env[name] = "secret\n";
      try {
        const told = (error: Error) => error.message.startsWith(`${name} has`) && !error.message.includes("secret");
        assert.throws(() => createArtificer({ baseUrl: server.url }), told);
        assert.throws(() => createGrpcJsArtificer({ target: "127.0.0.1:1" }), told);
      } finally {
        delete process.env[name];
      }
    }
  });

  test("a header that no request carries is refused, and its value not repeated", async () => {
    for (const value of ["secret\nmore", "secret\u0001", "secret\u20ac"]) {
      for (const given of [{ "x-tenant": value }, [["x-tenant", value]] as [string, string][]]) {
        const told = (error: Error) => /header 'x-tenant' has a line break/.test(error.message) && !error.message.includes("secret");
        for (const create of [createArtificer, createFetchArtificer]) assert.throws(() => create({ baseUrl: server.url, headers: given }), told);
        const [failure, broken] = await using({}, async ({ batch }) => [
          await failureOf(batch.getJob({}, { headers: given })),
          await failureOf(all(batch.streamProgress({}, { headers: given }))),
        ]);
        for (const error of [failure!, broken!]) assert(error.code === Code.InvalidArgument && told(error));
      }
    }
    assert.throws(() => createArtificer({ headers: { "bad name": "v" } }), /'bad name' cannot be the name of a header/);
    assert.equal((await headers({ headers: new Headers({ "x-tenant": "caf\u00e9" }) })).get("x-tenant"), "caf\u00e9");
  });

  test("a key that does not come holds up neither a deadline nor an abort", async () => {
    const apiKey = () => new Promise<string>(() => {});
    await using({ apiKey }, async ({ batch }) => {
      assert.equal((await failureOf(batch.getJob({}, { timeoutMs: 1 }))).code, Code.DeadlineExceeded);
      assert.equal((await failureOf(all(batch.streamProgress({}, { signal: AbortSignal.timeout(1) })))).code, Code.Canceled);
    });
    const client = createArtificer({ baseUrl: server.url, apiKey });
    const waiting = failureOf(client.batch.getJob({}, { timeoutMs: 0 }));
    setImmediate(() => client.close());
    assert.equal((await waiting).rawMessage, "the client is closed");
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}`, apiKey, timeoutMs: 1 });
    assert.equal(toArtificerError(await new Promise((resolve) => clients.batch.getJob({}, resolve))).code, Code.DeadlineExceeded);
    const far = { deadline: Infinity };
    const cancelled = await new Promise((resolve) => setImmediate((call) => call.cancel(), clients.batch.getJob({}, new Metadata(), far, resolve)));
    clients.close();
    assert.equal(toArtificerError(cancelled).code, Code.Canceled);
  });

  test("a key that cannot be read fails the call", async () => {
    const apiKey = () => Promise.reject(new Error("the vault is locked"));
    const error = await using({ apiKey }, ({ batch }) => failureOf(batch.getJob({})));
    assert.deepEqual([error.code, error.rawMessage], [Code.Unauthenticated, "the API key or token could not be read: the vault is locked"]);
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}`, apiKey });
    const failure = await new Promise((resolve) => clients.batch.getJob({}, resolve));
    clients.close();
    assert.match(toArtificerError(failure).rawMessage, /the vault is locked/);
  });
});

describe("what a call carries", () => {
  test("the user agent", async () => {
    assert.equal((await headers({})).get("user-agent"), `artificer-typescript/${version}`);
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}` });
    await new Promise((resolve) => clients.batch.getJob({}, resolve));
    clients.close();
    assert.match(last.requestHeader.get("user-agent")!, new RegExp(`^artificer-typescript/${version} `));
    const { version: packaged } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    assert.equal(version, packaged);
  });

  test("the trace context, if the application uses OpenTelemetry", async () => {
    const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    context.setGlobalContextManager({
      active: () => ROOT_CONTEXT,
      with: (_, call, self, ...given) => call.apply(self, given),
      bind: (_, target) => target,
      enable: () => context as never,
      disable: () => context as never,
    });
    propagation.setGlobalPropagator({
      inject: (_, carrier, setter) => setter.set(carrier, "traceparent", trace),
      extract: (context) => context,
      fields: () => ["traceparent"],
    });
    const sent = await headers({});
    propagation.disable();
    assert.equal(sent.get("traceparent"), trace);
    assert.equal((await headers({})).get("traceparent"), null);
  });

  test("interceptors see a call once", async () => {
    let seen = 0;
    await headers({ interceptors: [(next) => (request) => (seen++, next(request))] });
    assert.equal(seen, 1);
  });
});

describe("helpers", () => {
  test("paginate asks for every page", () =>
    using({}, async ({ batch }) => {
      const ids = await all(paginate(batch.listJobs, { pageSize: 2 }));
      assert.deepEqual(ids.map(({ id }) => id), ["1", "2", "2"]);
    }));

  test("paginate ends when the server names a page again", () =>
    using({}, async ({ batch }) => {
      const error = await failureOf(all(paginate(batch.listJobs, { projectId: "endless" })));
      assert.equal(error.rawMessage, "the server named the same page as the next one");
    }));

  test("chunks refuses what is no bytes, instead of sending nothing", async () => {
    for (const given of [[1], new Uint16Array(2), Promise.resolve(), {}]) {
      await assert.rejects(all(chunks(given as never)), /is not bytes, a Blob or a stream of bytes/);
    }
    await assert.rejects(all(chunks(Readable.from(["text"]))), /the stream yields text; leave out its encoding/);
    await assert.rejects(all(chunks(Readable.from([{ part: 1 }]))), /yields values that are no Uint8Array/);
  });

  const source = Uint8Array.from({ length: 10 }, (_, index) => index);
  const stream = (parts: Uint8Array[]) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
  for (const [name, given] of Object.entries({
    "a Uint8Array": () => source,
    "an ArrayBuffer": () => source.buffer,
    "a Blob": () => new Blob([source]),
    "a stream": () => stream([source.subarray(0, 6), source.subarray(6)]),
  })) {
    test(`chunks cuts ${name}`, async () => {
      const told: number[] = [];
      const parts = await all(chunks(given(), { size: 4, onProgress: (bytes) => told.push(bytes) }));
      assert.deepEqual(Buffer.concat(parts), Buffer.from(source));
      assert(parts.every(({ length }) => length <= 4));
      assert.equal(told.at(-1), 10);
    });
  }

  test("chunks yields one empty chunk of nothing, and refuses a size without bytes", async () => {
    assert.deepEqual(await all(chunks(new Uint8Array())), [new Uint8Array()]);
    await assert.rejects(all(chunks(source, { size: 0 })), /size is 0/);
  });

  test("resume continues after the last message", () =>
    using({}, async ({ channels }) => {
      const messages = await all(resume(channels.streamMessages, { channel: "short" }));
      assert.deepEqual(messages.map(({ id }) => id), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
      for await (const { id } of resume(channels.streamMessages, { channel: "slow", after: "4" })) if (id === "12") break;
    }));

  test("resume ends with other errors, and when nothing comes any more", () =>
    using({ retry: false }, async ({ channels }) => {
      assert.equal((await failureOf(all(resume(channels.streamMessages, { channel: "broken" })))).code, Code.Internal);
      const silent = resume(channels.streamMessages, { channel: "silent" }, { giveUpAfterMs: 50 });
      assert.equal((await failureOf(all(silent))).code, Code.Unavailable);
      opened = 0;
      assert.equal((await failureOf(all(resume(channels.streamMessages, { channel: "later" })))).rawMessage, "later");
      assert.equal(opened, 1);
      await assert.rejects(all(resume(channels.streamMessages, {}, { giveUpAfterMs: NaN })), /giveUpAfterMs is NaN/);
      const abort = new AbortController();
      const read = async () => {
        for await (const _ of resume(channels.streamMessages, { channel: "long" }, { signal: abort.signal })) abort.abort();
      };
      assert.equal((await failureOf(read())).code, Code.Canceled);
    }));
});

describe("options", () => {
  test("faults are named when the client is made", () => {
    assert.throws(() => createArtificer({ baseUrl: "example.com:80" }), /must begin with https/);
    assert.throws(() => createArtificer({ baseUrl: "nonsense" }), /is not a URL/);
    assert.throws(() => createFetchArtificer({ transport: "grpc" as never }), /'grpc' is in @artificer\/client\/node/);
    assert.throws(() => createArtificer({ transport: "rest" as never }), /expected 'grpc', 'connect' or 'grpc-web'/);
    assert.throws(() => createArtificer({ baseUrl: "http://me:secret@127.0.0.1" }), /must not contain credentials/);
    assert.throws(() => createArtificer({ baseUrl: "http://127.0.0.1/?a=b" }), /without \? and #/);
    assert.throws(() => createArtificer({ timeoutMs: NaN }), /timeoutMs is NaN/);
    assert.throws(() => createGrpcJsArtificer({ target: "https://127.0.0.1:1" }), /expected host:port/);
    for (const create of [createArtificer, createFetchArtificer, (options: object) => createGrpcJsArtificer(options).batch]) {
      assert.throws(() => create({ retry: { attempts: NaN } }), /retry\.attempts is NaN/);
      assert.throws(() => create({ retry: { maxDelayMs: -1 } }), /retry\.maxDelayMs is -1/);
    }
  });

  test("a client that is closed calls no more", async () => {
    const client = createArtificer({ baseUrl: server.url });
    client.close();
    assert.equal((await failureOf(client.batch.getJob({}))).code, Code.Canceled);
    const clients = createGrpcJsArtificer({ target: `127.0.0.1:${server.port}` });
    clients.close();
    assert.throws(() => clients.batch.getJob({}, () => {}), /shut down/);
  });
});
