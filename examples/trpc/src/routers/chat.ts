// Answers of a language model, relayed as they are generated.

import { ChatRole, FinishReason } from "@artificer/client/gen/artificer/ai/v1/chat_pb";
import type { Artificer } from "@artificer/client/node";
import { tracked, TRPCError } from "@trpc/server";
import { z } from "zod";
import { mapped } from "../errors.js";
import { procedure, router } from "../trpc.js";

const ROLES = { system: ChatRole.SYSTEM, user: ChatRole.USER, assistant: ChatRole.ASSISTANT };

const MAX_CHARACTERS = 8000; // A subscription's input is part of its URL.

const chatInput = z.strictObject({
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string().min(1) }))
    .min(1)
    .refine((all) => all.reduce((sum, { content }) => sum + content.length, 0) <= MAX_CHARACTERS, `at most ${MAX_CHARACTERS} characters in all`),
  maxTokens: z.int().min(1).max(4096).optional(),
  lastEventId: z.string().optional(),
});

/** What a caller receives: pieces of text, and how the answer ended. */
export type ChatEvent = { type: "start" } | { type: "text"; text: string } | { type: "end"; finish: string; tokens: number };

export const chat = router({
  /** Yields a model's answer. A caller that leaves stops the model. */
  answer: procedure.input(chatInput).subscription(({ input, ctx, signal }) => mapped(answer(ctx.artificer, input, signal))),
});

async function* answer(artificer: Artificer, input: z.infer<typeof chatInput>, signal: AbortSignal | undefined) {
  // tRPC's client connects again by itself, and the model would answer anew.
  if (input.lastEventId !== undefined) {
    throw new TRPCError({ code: "PRECONDITION_FAILED", message: "the answer was cut off and cannot be resumed; ask again" });
  }
  const event = (id: number, data: ChatEvent) => tracked(String(id), data);
  let count = 0;
  yield event(count++, { type: "start" });
  const messages = input.messages.map(({ role, content }) => ({ role: ROLES[role], content }));
  const request = { messages, ...(input.maxTokens !== undefined && { options: { maxTokens: input.maxTokens } }) };
  for await (const { text, finishReason, usage } of artificer.ai.chatStream(request, signal ? { signal } : {})) {
    if (text !== "") yield event(count++, { type: "text", text });
    if (finishReason !== FinishReason.UNSPECIFIED) {
      yield event(count++, { type: "end", finish: FinishReason[finishReason] ?? "UNSPECIFIED", tokens: usage?.completionTokens ?? 0 });
    }
  }
}
