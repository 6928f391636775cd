// Jobs over many files. A job belongs to the caller that created it: its project is the caller's name.

import { createHash, randomUUID } from "node:crypto";
import { type Artificer, resume } from "@artificer/client/node";
import { tracked, TRPCError } from "@trpc/server";
import { z } from "zod";
import { mapped } from "../errors.js";
import { procedure, router } from "../trpc.js";
import { job, logEntry, progress, result } from "../views.js";

const jobId = z.string().min(1).max(128);
const page = { cursor: z.string().max(1000).default(""), limit: z.int().min(1).max(1000).default(50) };
// tRPC's client adds the id of the last event when it connects again.
const followed = z.strictObject({ jobId, lastEventId: z.string().max(128).optional() });

// Those that work on the caller's own files alone: others of the gateway read collections, which this API keeps apart.
const TASK_TYPES = ["ocr.extract", "ocr.searchable", "document.convert", "image.process", "image.preprocess", "text.normalize"] as const;

const phase = z.strictObject({
  name: z.string().min(1).max(100),
  taskType: z.enum(TASK_TYPES),
  parameters: z.record(z.string(), z.string()).default({}),
});

const newJob = z.strictObject({
  name: z.string().min(1).max(200),
  /** What `uploads.blob` returned as `input`. A path would be one on the gateway's disk. */
  items: z.array(z.string().regex(/^blob:[0-9a-f]{64}$/, "expected the input that uploads.blob returned")).min(1).max(1000),
  phases: z.array(phase).min(1).max(10),
  /** Whether the job starts at once. */
  start: z.boolean().default(true),
  /** Chosen by the caller, so that a repeated request creates one job only. */
  requestId: z.uuid().optional(),
});

const ofJob = procedure.input(z.strictObject({ jobId }));

export const jobs = router({
  /** Creates a job. */
  create: procedure.input(newJob).mutation(async ({ input, ctx, signal }) => {
    const { name, phases, requestId = randomUUID() } = input;
    const request = { name, phases, requestId, projectId: ctx.caller, options: { autoStart: input.start } };
    return job(await ctx.artificer.batch.createJob({ ...request, items: input.items.map((item) => ({ input: item })) }, until(signal)));
  }),

  get: ofJob.query(async ({ input, ctx, signal }) => job(await owned(ctx, input.jobId, signal))),

  /** Lists the caller's jobs, newest first. `nextCursor` is the `cursor` of the next page. */
  list: procedure.input(z.strictObject(page)).query(async ({ input, ctx, signal }) => {
    const request = { projectId: ctx.caller, pageSize: input.limit, pageToken: input.cursor };
    const found = await ctx.artificer.batch.listJobs(request, until(signal));
    return { jobs: found.jobs.map(job), nextCursor: found.nextPageToken || undefined };
  }),

  start: ofJob.mutation(async ({ input, ctx, signal }) => {
    await owned(ctx, input.jobId, signal);
    return job(await ctx.artificer.batch.startJob(input, until(signal)));
  }),

  pause: ofJob.mutation(async ({ input, ctx, signal }) => {
    await owned(ctx, input.jobId, signal);
    return job(await ctx.artificer.batch.pauseJob(input, until(signal)));
  }),

  resume: ofJob.mutation(async ({ input, ctx, signal }) => {
    await owned(ctx, input.jobId, signal);
    return job(await ctx.artificer.batch.resumeJob(input, until(signal)));
  }),

  cancel: ofJob.mutation(async ({ input, ctx, signal }) => {
    await owned(ctx, input.jobId, signal);
    return job(await ctx.artificer.batch.cancelJob(input, until(signal)));
  }),

  results: procedure.input(z.strictObject({ jobId, ...page })).query(async ({ input, ctx, signal }) => {
    await owned(ctx, input.jobId, signal);
    const request = { jobId: input.jobId, pageSize: input.limit, pageToken: input.cursor };
    const found = await ctx.artificer.batch.getResults(request, until(signal));
    return { results: found.results.map(result), nextCursor: found.nextPageToken || undefined };
  }),

  /** Yields the progress of a job now, then every change, until the job ends. */
  progress: procedure.input(followed).subscription(({ input, ctx, signal }) => mapped(progressOf(ctx, input, signal))),

  /** Yields the lines of a job's log until the job ends. A client that connects again misses no line and gets none twice. */
  log: procedure.input(followed).subscription(({ input, ctx, signal }) => mapped(logOf(ctx, input, signal))),
});

type Caller = { caller: string; artificer: Artificer };
type Followed = z.infer<typeof followed>;

async function* progressOf(ctx: Caller, input: Followed, signal: AbortSignal | undefined) {
  await owned(ctx, input.jobId, signal);
  // Progress has no ids at the gateway. Equal progress has an equal id, so that a client that connects again is not told twice.
  let last = input.lastEventId;
  for await (const message of resume(ctx.artificer.batch.streamProgress, { jobId: input.jobId }, until(signal))) {
    const now = progress(message);
    // Hashed, since the name of a phase may be long, or have what no id of an event carries.
    const id = createHash("sha256").update(JSON.stringify(now)).digest("base64url");
    if (id !== last) yield tracked((last = id), now);
  }
}

async function* logOf(ctx: Caller, input: Followed, signal: AbortSignal | undefined) {
  await owned(ctx, input.jobId, signal);
  const request = { jobId: input.jobId, after: input.lastEventId ?? "" };
  for await (const entry of resume(ctx.artificer.batch.streamLogs, request, until(signal))) yield tracked(entry.id, logEntry(entry));
}

/** Ends a call of the gateway when the caller leaves. */
function until(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

/** Returns the job if it is the caller's. Another caller's job is answered like one that does not exist. */
async function owned({ caller, artificer }: Caller, id: string, signal: AbortSignal | undefined) {
  const found = await artificer.batch.getJob({ jobId: id }, until(signal));
  if (found.projectId !== caller) throw new TRPCError({ code: "NOT_FOUND", message: `there is no job '${id}'` });
  return found;
}

