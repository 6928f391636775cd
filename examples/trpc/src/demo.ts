// A client on the command line: `npm run demo -- COMMAND ARGUMENT…`. It prints what it receives, a line of JSON each.

import { openAsBlob } from "node:fs";
import { access, constants, stat, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import type { TRPCClientError } from "@trpc/client";
import { type Api, createApi } from "./client.js";
import type { AppRouter } from "./router.js";

const print = (value: unknown) => console.log(JSON.stringify(value));

/** Opens a file, which is read from the disk as it is sent. */
async function opened(path: string): Promise<Blob> {
  if (path === "") throw new Error("expected the path of a file");
  // The errors of openAsBlob do not name the file; those of access do.
  await access(path, constants.R_OK);
  if (!(await stat(path)).isFile()) throw new Error(`'${path}' is not a file`);
  return openAsBlob(path);
}

async function formOf(path: string): Promise<FormData> {
  const form = new FormData();
  form.set("file", await opened(path), basename(path));
  return form;
}

type Follow = { onData(event: unknown): void; onError(error: unknown): void; onComplete(): void; onConnectionStateChange(state: unknown): void };

/** Prints the events of a subscription until it ends, and the changes of its connection. */
function followed(subscribe: (follow: Follow) => unknown, show: (event: { data: unknown }) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    subscribe({
      onData: (event) => print(show(event as { data: unknown })),
      onError: reject,
      onComplete: resolve,
      onConnectionStateChange: (change) => print({ connection: (change as { state: string }).state }),
    });
  });
}

async function follow(api: Api, jobId: string): Promise<void> {
  await Promise.all([
    followed((on) => api.jobs.progress.subscribe({ jobId }, on), ({ data }) => ({ progress: data })),
    followed((on) => api.jobs.log.subscribe({ jobId }, on), ({ data }) => ({ log: data })),
  ]);
}

/** Uploads the files and creates a job that reads them. Returns its id. */
async function create(api: Api, start: boolean, paths: string[]): Promise<string> {
  const items: string[] = [];
  for (const path of paths) {
    const blob = await api.uploads.blob.mutate(new File([await opened(path)], basename(path)));
    print({ uploaded: blob });
    items.push(blob.input);
  }
  const job = await api.jobs.create.mutate({ name: "demo", items, start, phases: [{ name: "read", taskType: "ocr.extract" }] });
  print({ job });
  return job.id;
}

/** Reads the files in a job, follows the job until it ends, and prints the texts. */
async function run(api: Api, ...paths: string[]): Promise<void> {
  const jobId = await create(api, true, paths);
  await follow(api, jobId);
  print(await api.jobs.results.query({ jobId }));
}

const COMMANDS: Record<string, (api: Api, ...given: string[]) => Promise<unknown>> = {
  check: async (api, path = "") => print(await api.documents.check.mutate(await formOf(path))),
  process: async (api, path = "") => print(await api.documents.process.mutate(await formOf(path))),
  searchable: async (api, path = "", to = "searchable.pdf") =>
    writeFile(to, Buffer.from((await api.documents.makeSearchable.mutate(await formOf(path))).pdf, "base64")),
  add: async (api, path = "") => print(await api.uploads.document.mutate(await formOf(path))),
  search: async (api, query = "") => print(await api.documents.search.query({ query })),
  run,
  create: (api, ...paths) => create(api, false, paths),
  follow,
  jobs: async (api) => print(await api.jobs.list.query({})),
  get: async (api, jobId = "") => print(await api.jobs.get.query({ jobId })),
  start: async (api, jobId = "") => print(await api.jobs.start.mutate({ jobId })),
  pause: async (api, jobId = "") => print(await api.jobs.pause.mutate({ jobId })),
  resume: async (api, jobId = "") => print(await api.jobs.resume.mutate({ jobId })),
  cancel: async (api, jobId = "") => print(await api.jobs.cancel.mutate({ jobId })),
  results: async (api, jobId = "") => print(await api.jobs.results.query({ jobId })),
  ask: (api, content = "") =>
    followed((on) => api.chat.answer.subscribe({ messages: [{ role: "user", content }] }, on), ({ data }) => data),
};

// A reader such as `head` has what it wants: the demo ends, and with it its calls.
for (const output of [process.stdout, process.stderr]) {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
}

const [name = "", ...given] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) {
  console.error(`unknown command '${name}'; expected one of ${Object.keys(COMMANDS).join(", ")}`);
  process.exit(2);
}
try {
  await command(createApi(process.env["API_URL"] ?? "http://127.0.0.1:3000/trpc", process.env["API_TOKEN"] ?? ""), ...given);
} catch (error) {
  const { data } = error as Partial<TRPCClientError<AppRouter>>;
  console.error(JSON.stringify({ message: (error as Error).message, ...data }));
  process.exitCode = 1;
}
