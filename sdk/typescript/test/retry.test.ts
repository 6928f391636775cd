// Which failed calls are sent again, over each protocol.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { createArtificer, type NodeArtificer, type NodeOptions } from "@artificer/client/node";
import { BatchService } from "@artificer/client/gen/artificer/batch/v1/batch_service_pb";
import { RetryInfoSchema } from "@artificer/client/gen/google/rpc/error_details_pb";
import { all, failureOf, freePort, type Running, serve } from "./server.js";

/** What the server throws, call by call; when the list is empty it succeeds. */
let failures: ConnectError[] = [];
let calls: HandlerContext[] = [];

function begin(context: HandlerContext): void {
  calls.push(context);
  const failure = failures.shift();
  if (failure) throw failure;
}

const busy = () => new ConnectError("busy", Code.Unavailable);
const later = (code: Code, nanos: number, seconds = 0n) =>
  new ConnectError("later", code, undefined, [{ desc: RetryInfoSchema, value: { retryDelay: { seconds, nanos } } }]);

let server: Running;
before(async () => {
  server = await serve((router) =>
    router.service(BatchService, {
      getJob: (_, context) => (begin(context), { id: "j" }),
      createJob: (_, context) => (begin(context), { id: "j" }),
      startJob: (_, context) => (begin(context), { id: "j" }),
      async *streamProgress(_, context) {
        begin(context);
        yield { completedItems: 1n };
        begin(context);
        yield { completedItems: 2n };
      },
      async uploadItems(requests, context) {
        for await (const _ of requests) calls.length ||= 0;
        begin(context);
        return {};
      },
    }),
  );
});
after(() => server.close());
beforeEach(() => {
  failures = [];
  calls = [];
});

for (const transport of ["grpc", "connect", "grpc-web"] as const) {
  describe(transport, () => {
    const made: NodeArtificer[] = [];
    const client = (options: NodeOptions = {}) => {
      made.push(createArtificer({ baseUrl: server.url, transport, retry: { firstDelayMs: 1 }, ...options }));
      return made.at(-1)!.batch;
    };
    after(() => made.forEach((each) => each.close()));

    test("a call that only reads is sent three times at most", async () => {
      failures = [busy(), busy()];
      assert.equal((await client().getJob({ jobId: "j" })).id, "j");
      assert.equal(calls.length, 3);
      calls = [];
      failures = [busy(), busy(), busy()];
      assert.equal((await failureOf(client().getJob({ jobId: "j" }))).rawMessage, "busy");
      assert.equal(calls.length, 3);
    });

    test("a call that changes something is sent once", async () => {
      failures = [busy()];
      assert.equal((await failureOf(client().startJob({ jobId: "j" }))).code, Code.Unavailable);
      assert.equal(calls.length, 1);
    });

    test("a call with a request id or an idempotency key is sent again", async () => {
      failures = [busy()];
      await client().createJob({ requestId: "r" });
      failures = [busy()];
      await client().createJob({}, { headers: { "idempotency-key": "k" } });
      assert.equal(calls.length, 4);
      calls = [];
      failures = [busy()]; // startJob has no request id, so that the server does not read the header
      const headers = { "idempotency-key": "k" };
      assert.equal((await failureOf(client().startJob({ jobId: "j" }, { headers }))).code, Code.Unavailable);
      assert.equal(calls.length, 1);
    });

    test("other errors are not repeated", async () => {
      // What the transport says of a lost connection is not that if the server says it.
      failures = [new ConnectError("protocol error: missing status", Code.Internal)];
      assert.equal((await failureOf(client().getJob({}))).code, Code.Internal);
      assert.equal(calls.length, 1);
    });

    test("RESOURCE_EXHAUSTED is repeated after the delay that the server asks for", async () => {
      failures = [later(Code.ResourceExhausted, 80_000_000)];
      const start = performance.now();
      await client().getJob({});
      // Timers may fire a millisecond early.
      assert(performance.now() - start >= 79);
      failures = [new ConnectError("no delay", Code.ResourceExhausted)];
      assert.equal((await failureOf(client().getJob({}))).rawMessage, "no delay");
      assert.equal(calls.length, 3);
    });

    test("a delay beyond the deadline ends the call with the server's error", async () => {
      failures = [later(Code.Unavailable, 0, 50n)];
      const error = await failureOf(client().getJob({}, { timeoutMs: 40_000 }));
      assert.equal(error.code, Code.Unavailable);
      assert.equal(error.retryDelayMs, 50_000);
    });

    test("the next attempt has what remains of the deadline", async () => {
      failures = [later(Code.Unavailable, 100_000_000)];
      await client().getJob({}, { timeoutMs: 10_000 });
      const [first, second] = calls.map(({ requestHeader }) => parseInt(requestHeader.get("grpc-timeout") ?? requestHeader.get("connect-timeout-ms")!));
      assert(first! <= 10_000 && second! <= first! - 90);
    });

    test("a stream is opened again before its first message, and never after it", async () => {
      failures = [busy()];
      const messages = await all(client().streamProgress({ jobId: "j" }));
      assert.deepEqual(messages.map((message) => message.completedItems), [1n, 2n]);
      assert.equal(calls.length, 3);
      calls = [];
      let count = 0;
      const broken = async () => {
        // The server fails at the second message.
        const original = failures.shift.bind(failures);
        failures.shift = () => (calls.length === 2 ? busy() : original());
        for await (const message of client().streamProgress({ jobId: "j" })) count = Number(message.completedItems);
      };
      assert.equal((await failureOf(broken())).rawMessage, "busy");
      assert.equal(count, 1);
      assert.equal(calls.length, 2);
    });

    test("a stream of requests is sent once", async () => {
      failures = [busy()];
      const items = async function* () {
        yield { jobId: "j" };
      };
      const options = { headers: { "idempotency-key": "k" } };
      assert.equal((await failureOf(client().uploadItems(items(), options))).code, Code.Unavailable);
      assert.equal(calls.length, 1);
    });

    test("retry: false sends every call once", async () => {
      failures = [busy()];
      assert.equal((await failureOf(client({ retry: false }).getJob({}))).code, Code.Unavailable);
      assert.equal(calls.length, 1);
    });

    test("any call is sent again until something listens", async () => {
      const port = await freePort();
      const baseUrl = `http://127.0.0.1:${port}`;
      const retry = { attempts: 10_000, firstDelayMs: 5, maxDelayMs: 5 };
      const artificer = createArtificer({ baseUrl, transport, retry });
      made.push(artificer);
      const started = artificer.batch.startJob({ jobId: "j" });
      const failed = await failureOf(createArtificer({ baseUrl, transport, retry: false }).batch.startJob({}));
      assert.equal(failed.code, Code.Unavailable);
      const second = await serve((router) => router.service(BatchService, { startJob: () => ({ id: "late" }) }), port);
      assert.equal((await started).id, "late");
      await second.close();
    });

    test("an abort ends the wait between attempts", async () => {
      failures = [busy(), busy()];
      const abort = new AbortController();
      const call = failureOf(client({ retry: { firstDelayMs: 1e9, maxDelayMs: 1e9 } }).getJob({}, { signal: abort.signal }));
      while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      abort.abort();
      assert.equal((await call).code, Code.Canceled);
    });

    test("close ends the wait between attempts", async () => {
      failures = [busy(), busy()];
      const artificer = createArtificer({ baseUrl: server.url, transport, retry: { firstDelayMs: 1e9, maxDelayMs: 1e9 } });
      const call = failureOf(artificer.batch.getJob({}, { timeoutMs: 0 }));
      while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      await failureOf(artificer.batch.startJob({})); // once its answer is here, so is the other call's
      artificer.close();
      assert.equal((await call).code, Code.Canceled);
      assert.equal(calls.length, 2);
    });

    test("a pause that no timer measures is no short one", async () => {
      failures = [busy(), busy()];
      const abort = new AbortController();
      const call = failureOf(client({ retry: { firstDelayMs: 1e15, maxDelayMs: 1e15 } }).getJob({}, { signal: abort.signal, timeoutMs: 0 }));
      while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      abort.abort();
      await call;
      assert.equal(calls.length, 1);
    });
  });
}
