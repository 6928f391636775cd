// Which calls may be sent twice. It works from the descriptors and knows no transport.

import { type DescMethod, getOption, isMessage, type Message } from "@bufbuild/protobuf";
import { http } from "./gen/google/api/annotations_pb.js";

// Calls that only read, although they are bound to POST: their requests are too large for a query.
const READS = new Set([
  "artificer.ai.v1.AiWorkerService.GetEmbedding",
  "artificer.ai.v1.AiWorkerService.VectorSearch",
  "artificer.ocr.v1.OCRService.CheckPDFNeedsOCR",
  "artificer.openai.v1.OpenAIService.CreateEmbeddings",
  "artificer.rag.v1.RagService.RetrievePassages",
]);

/** Whether a method only reads, so that it may be called again when its outcome is unknown. */
export function isSafe(method: DescMethod): boolean {
  return getOption(method, http).pattern.case === "get" || READS.has(`${method.parent.typeName}.${method.name}`);
}

/**
 * Whether the server recognizes a repetition of this call, by its `request_id`, or by its header `idempotency-key` that
 * stands for it. Other methods do not read the header.
 */
export function isIdempotent(message: unknown, headers: Headers): boolean {
  if (!isMessage(message)) return false;
  const id = (message as Message & { requestId?: unknown }).requestId;
  return typeof id === "string" && (id !== "" || headers.has("idempotency-key"));
}
