// Uploads: files that jobs work on, and documents that are searched.

import { type Artificer, ArtificerError, Code } from "@artificer/client/node";
import { octetInputParser } from "@trpc/server/http";
import { z } from "zod";
import { file, form } from "../forms.js";
import { pieces } from "../pieces.js";
import { procedure, router } from "../trpc.js";

// A stream may be as long as the network needs, so that uploads have no deadline but the caller's patience.
export const uploads = router({
  /** Stores a PDF or an image of any size (`application/octet-stream`), as the input of a job's item. */
  blob: procedure.input(octetInputParser).mutation(async ({ input, ctx, signal }) => {
    const requests = async function* () {
      for await (const content of pieces(input)) yield { content };
    };
    const blob = await ctx.artificer.batch.uploadBlob(requests(), { ...(signal && { signal }), timeoutMs: 0 });
    return { input: `blob:${blob.id}`, size: Number(blob.size), contentType: blob.contentType };
  }),

  /** Reads a PDF or an image (`multipart/form-data`) and puts it into the caller's collection. */
  document: procedure
    .input(form({ file, documentId: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/).optional() }))
    .mutation(async ({ input, ctx, signal }) => {
      const options = signal ? { signal } : {};
      await makeCollection(ctx.artificer, ctx.caller, options);
      const requests = async function* () {
        const first = { collection: ctx.caller, documentId: input.documentId ?? "", filename: input.file.name, replace: true };
        for await (const content of pieces(input.file)) yield { ...first, content };
      };
      const document = await ctx.artificer.collections.createDocument(requests(), { ...options, timeoutMs: 300_000 });
      return { id: document.id, pages: document.pageCount, chunks: document.chunkCount };
    }),
});

async function makeCollection(artificer: Artificer, collectionId: string, options: { signal?: AbortSignal }): Promise<void> {
  try {
    await artificer.collections.createCollection({ collectionId }, options);
  } catch (error) {
    if (!(error instanceof ArtificerError && error.code === Code.AlreadyExists)) throw error;
  }
}
