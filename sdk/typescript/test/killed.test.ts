// A gateway that is killed amid streams and uploads, and started again.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { createArtificer as createFetchArtificer } from "@artificer/client";
import { type Artificer, Code, createArtificer, resume } from "@artificer/client/node";
import { failureOf, freePort } from "./server.js";

const command = JSON.parse(process.env["ARTIFICER_SERVE"] ?? "null") as string[] | null;
assert(command, "ARTIFICER_SERVE is the command that serves, as a list in JSON");

let gateway: ChildProcess;
const ports = [await freePort(), await freePort()];

async function start(): Promise<void> {
  const [program, ...given] = command!;
  gateway = spawn(program!, [...given, "--http-port", `${ports[0]}`, "--grpc-port", `${ports[1]}`], { stdio: ["ignore", "ignore", "pipe"] });
  const seen: string[] = [];
  for await (const line of createInterface(gateway.stderr!)) {
    seen.push(line);
    if (!/HTTP on .*gRPC on /.test(line)) continue;
    gateway.stderr!.resume();
    return;
  }
  assert.fail(`the gateway ended:\n${seen.join("\n")}`);
}

async function kill(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => gateway.once("exit", resolve));
  gateway.kill(signal);
  await ended;
}

before(start);
after(() => kill("SIGTERM"));

/** A client's part: what it does before the gateway is killed, and what must hold after it runs again. */
async function user(name: string, artificer: Artificer, sender: Artificer, killed: Promise<void>, restarted: Promise<void>) {
  const say = async (contents: string[]) => {
    const messages = async function* () {
      for (const content of contents) yield { channel: name, user: { id: "ann" }, content, requestId: content };
    };
    await sender.channels.sendMessages(messages());
  };
  const heard: string[] = [];
  const opened = event();
  const listening = (async () => {
    for await (const { content } of resume(artificer.channels.streamMessages, { channel: name }, { giveUpAfterMs: 600_000 })) {
      if (heard.push(content) === 3) opened.resolve();
      if (heard.length === 6) return;
    }
  })();
  await say(["1", "2", "3"]);
  await opened.promise;
  const following = (async () => {
    for await (const _ of artificer.channels.streamMessages({ channel: name }));
  })();
  const failed = failureOf(following);

  const uploaded = await uploads(name, sender, killed);
  const broken = await failed;
  assert.equal(broken.code, Code.Unavailable, broken.message);
  await restarted;
  await say(["4", "5", "6"]);
  await listening;
  assert.deepEqual(heard, ["1", "2", "3", "4", "5", "6"]);
  await uploaded();
}

/** Starts an upload that the kill breaks. Returns what sends it again. */
async function uploads(name: string, sender: Artificer, killed: Promise<void>): Promise<() => Promise<void>> {
  const { id: jobId } = await sender.batch.createJob({ name, phases: [{ name: "tidy", taskType: "text.normalize" }], requestId: name });
  const items = async function* (between: Promise<void>) {
    for (let index = 0; index < 3; index++) {
      yield { jobId, firstIndex: BigInt(index), items: [{ input: `line ${index}` }] };
      if (index === 1) await between;
    }
  };
  const ready = event();
  const first = items(killed);
  const watched = async function* () {
    for await (const request of first) {
      if (request.firstIndex === 1n) ready.resolve();
      yield request;
    }
  };
  const broken = failureOf(sender.batch.uploadItems(watched()));
  await ready.promise;
  isReady.get(name)!();
  const error = await broken;
  assert.equal(error.code, Code.Unavailable, error.message);
  return async () => {
    const { storedCount, duplicateCount } = await sender.batch.uploadItems(items(Promise.resolve()));
    assert.equal(storedCount + duplicateCount, 3n);
  };
}

/** A promise and what resolves it; Node 20 has no Promise.withResolvers. */
function event() {
  let resolve = () => {};
  const promise = new Promise<void>((found) => (resolve = found));
  return { promise, resolve };
}

const isReady = new Map<string, () => void>();

test("streams break with UNAVAILABLE or resume, and uploads can be sent again", async () => {
  const [http, grpc] = ports.map((port) => `http://127.0.0.1:${port}`);
  const made = {
    grpc: createArtificer({ baseUrl: grpc }),
    connect: createArtificer({ baseUrl: http, transport: "connect" }),
    "grpc-web": createArtificer({ baseUrl: http, transport: "grpc-web" }),
  };
  const byFetch = { "fetch-connect": createFetchArtificer({ baseUrl: http }), "fetch-grpc-web": createFetchArtificer({ baseUrl: http, transport: "grpc-web" }) };
  const killed = event();
  const restarted = event();
  const names = [...Object.keys(made), ...Object.keys(byFetch)];
  const allReady = Promise.all(names.map((name) => new Promise<void>((resolve) => isReady.set(name, resolve))));
  const users = [
    ...Object.entries(made).map(([name, artificer]) => user(name, artificer, artificer, killed.promise, restarted.promise)),
    // fetch sends no streams of requests, so another client sends for it.
    ...Object.entries(byFetch).map(([name, artificer]) => user(name, artificer, made.grpc, killed.promise, restarted.promise)),
  ];
  const done = Promise.all(users);
  await Promise.race([allReady, done]);
  await kill("SIGKILL");
  killed.resolve();
  await start();
  restarted.resolve();
  await done;
  Object.values(made).forEach((each) => each.close());
});
