// Documents that are read while the caller waits.

import { PageReason } from "@artificer/client/gen/artificer/ocr/v1/ocr_service_pb";
import { z } from "zod";
import { bytes, file, form } from "../forms.js";
import { procedure, router } from "../trpc.js";

const OCR_TIMEOUT_MS = 120_000;

const pages = z.string().regex(/^(\d+(-\d*)?|-\d*)?(,(\d+(-\d*)?|-\d*)?)*$/, "expected pages such as 1-3,7").optional();
const languages = z.string().regex(/^[A-Za-z_]+(\+[A-Za-z_]+)*$/, "expected languages such as eng+deu").optional();
const options = { file, pages, languages };

/** How a call of the gateway ends early: when the caller leaves, or after this time. */
function within(timeoutMs: number, signal: AbortSignal | undefined) {
  return { timeoutMs, ...(signal && { signal }) };
}

export const documents = router({
  /** Reads the text of a PDF. */
  process: procedure
    .input(form({ ...options, forceOcr: z.stringbool().optional() }))
    .mutation(async ({ input, ctx, signal }) => {
      const request = { pdfData: await bytes(input.file), pages: input.pages ?? "", languages: input.languages?.split("+") ?? [] };
      const { text, metadata } = await ctx.artificer.documents.processPDF(
        { ...request, forceOcr: input.forceOcr ?? false },
        within(OCR_TIMEOUT_MS, signal),
      );
      return { pages: text.split("\f"), method: metadata?.method ?? "", confidence: metadata?.ocrConfidence ?? 0 };
    }),

  /** Says which pages of a PDF need OCR, without running it. */
  check: procedure.input(form({ file, pages })).mutation(async ({ input, ctx, signal }) => {
    const request = { pdfData: await bytes(input.file), pages: input.pages ?? "" };
    const found = await ctx.artificer.documents.checkPDFNeedsOCR(request, within(30_000, signal));
    const reports = found.pageReports.map(({ pageNumber, method, reason }) => ({ pageNumber, method, reason: PageReason[reason] }));
    return { needsOcr: found.needsOcr, pages: found.pages, reports };
  }),

  /** Adds the text that OCR finds to a PDF or an image. An answer of tRPC is JSON, so that the new PDF is in base64. */
  makeSearchable: procedure.input(form(options)).mutation(async ({ input, ctx, signal }) => {
    const request = { documentData: await bytes(input.file), pages: input.pages ?? "", languages: input.languages?.split("+") ?? [] };
    const parts: Uint8Array[] = [];
    for await (const { data } of ctx.artificer.documents.makeSearchablePDF(request, within(OCR_TIMEOUT_MS, signal))) parts.push(data);
    return { pdf: Buffer.concat(parts).toString("base64") };
  }),

  /** Finds passages in the documents of the caller's collection. */
  search: procedure
    .input(z.strictObject({ query: z.string().min(1).max(2000), limit: z.int().min(1).max(100).default(5) }))
    .query(async ({ input, ctx, signal }) => {
      const request = { collection: ctx.caller, query: input.query, topK: input.limit };
      const { passages } = await ctx.artificer.collections.retrievePassages(request, within(30_000, signal));
      return passages.map(({ document, chunk, score }) => ({ document, score, text: chunk?.text ?? "", page: chunk?.span?.page ?? 0 }));
    }),
});
