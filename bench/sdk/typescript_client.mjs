// One way to call the benchmark's server from Node: typescript_client WAY HTTP GRPC WORK COUNT. It prints what it took as
// JSON. WAY is grpc-js, sdk-grpc-js, connect, sdk-connect, grpc or sdk-grpc; WORK is unary or stream.

import { createArtificer } from "@artificer/client/node";
import { createGrpcJsArtificer, serviceDefinition } from "@artificer/client/grpc-js";
import { BatchService } from "@artificer/client/gen/artificer/batch/v1/batch_service_pb";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import * as grpcJs from "@grpc/grpc-js";

const WARM_CALLS = 300;
const JOB = { jobId: "nightly" };

/** Connect's clients, and those of the package that are made of them. */
function onConnect(client, close) {
  return {
    unary: () => client.getJob(JOB, { timeoutMs: 60_000 }),
    async stream(count) {
      let seen = 0;
      for await (const _ of client.streamProgress({ jobId: String(count) })) seen += 1;
      return seen;
    },
    close,
  };
}

function bare(make, baseUrl) {
  const sessionManager = new Http2SessionManager(baseUrl);
  const transport = make({ baseUrl, httpVersion: "2", useBinaryFormat: true, sessionManager });
  return onConnect(createClient(BatchService, transport), () => sessionManager.abort());
}

function sdk(options) {
  const client = createArtificer(options);
  return onConnect(client.batch, () => client.close());
}

function onGrpcJs(client, close) {
  const { input: Get } = BatchService.method.getJob;
  const { input: Follow } = BatchService.method.streamProgress;
  return {
    unary: () =>
      new Promise((resolve, reject) =>
        client.getJob(create(Get, JOB), new grpcJs.Metadata(), { deadline: Date.now() + 60_000 }, (error, job) =>
          error ? reject(error) : resolve(job),
        ),
      ),
    stream: (count) =>
      new Promise((resolve, reject) => {
        let seen = 0;
        const call = client.streamProgress(create(Follow, { jobId: String(count) }));
        call.on("data", () => (seen += 1));
        call.on("end", () => resolve(seen));
        call.on("error", reject);
      }),
    close,
  };
}

function bareGrpcJs(target) {
  const Client = grpcJs.makeClientConstructor(serviceDefinition(BatchService), BatchService.typeName);
  const client = new Client(target, grpcJs.credentials.createInsecure());
  return onGrpcJs(client, () => client.close());
}

function sdkGrpcJs(target) {
  const client = createGrpcJsArtificer({ target });
  return onGrpcJs(client.batch, () => client.close());
}

const WAYS = {
  "grpc-js": (_, grpc) => bareGrpcJs(grpc),
  "sdk-grpc-js": (_, grpc) => sdkGrpcJs(grpc),
  connect: (http) => bare(createConnectTransport, http),
  "sdk-connect": (http) => sdk({ transport: "connect", baseUrl: http }),
  grpc: (_, grpc) => bare(createGrpcTransport, `http://${grpc}`),
  "sdk-grpc": (_, grpc) => sdk({ transport: "grpc", baseUrl: `http://${grpc}` }),
};

async function main([name, http, grpc, work, count]) {
  const way = WAYS[name](http, grpc);
  for (let call = 0; call < (work === "unary" ? WARM_CALLS : 1); call += 1) await way.unary();
  const began = performance.now();
  const cpu = process.cpuUsage();
  if (work === "unary") {
    for (let call = 0; call < Number(count); call += 1) await way.unary();
  } else {
    const seen = await way.stream(Number(count));
    if (seen !== Number(count)) throw new Error(`${seen} messages came, not ${count}`);
  }
  const { user, system } = process.cpuUsage(cpu);
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6, peak }));
  way.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
