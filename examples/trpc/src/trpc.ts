// The builder of routers and the procedure of known callers.

import { initTRPC, TRPCError } from "@trpc/server";
import type { Context } from "./context.js";
import { detailsOf, messageOf, toTRPCError } from "./errors.js";

const t = initTRPC.context<Context>().create({
  isDev: false, // No stack traces in answers.
  errorFormatter: ({ shape, error }) => ({ ...shape, message: messageOf(error), data: { ...shape.data, ...detailsOf(error) } }),
  sse: {
    // A client that hears nothing for 20 seconds connects again, and so notices a connection that is gone without a word.
    ping: { enabled: true, intervalMs: 5_000 },
    client: { reconnectAfterInactivityMs: 20_000 },
  },
});

export const router = t.router;

/** A procedure that needs a valid token. Errors of the gateway become errors of tRPC. */
export const procedure = t.procedure.use(async ({ ctx: { caller, artificer }, next }) => {
  if (caller === undefined) {
    throw new TRPCError({ code: "UNAUTHORIZED", message: "unknown token; expected the header 'authorization: Bearer TOKEN'" });
  }
  const result = await next({ ctx: { caller, artificer } });
  if (!result.ok) throw toTRPCError(result.error);
  return result;
});
