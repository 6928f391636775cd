// The HTTP application: tRPC below /trpc, a check for load balancers, CORS and a limit for bodies.

import type { Artificer } from "@artificer/client/node";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import type { Config } from "./config.js";
import { contexts } from "./context.js";
import { appRouter } from "./router.js";

// Bodies that are read whole: JSON and forms. `application/octet-stream` is passed on as it arrives, and has no limit here.
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const TOO_LARGE = {
  error: {
    message: `the body is larger than ${MAX_BODY_BYTES} bytes, the maximum`,
    code: TRPC_ERROR_CODES_BY_KEY.PAYLOAD_TOO_LARGE,
    data: { code: "PAYLOAD_TOO_LARGE", httpStatus: 413, fieldViolations: [] },
  },
};

/** Returns the application in front of this gateway. */
export function createApp({ callers, origins }: Config, artificer: Artificer): Hono {
  const contextOf = contexts(callers, artificer);
  const limit = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (context) => context.json(TOO_LARGE, 413) });
  const app = new Hono();
  app.get("/healthz", (context) => context.text("ok\n"));
  app.use("/trpc/*", cors({ origin: origins, allowHeaders: ["authorization", "content-type", "last-event-id"] }));
  app.use("/trpc/*", (context, next) => (context.req.header("content-type") === "application/octet-stream" ? next() : limit(context, next)));
  app.all("/trpc/*", ({ req }) =>
    fetchRequestHandler({
      endpoint: "/trpc",
      router: appRouter,
      req: req.raw,
      createContext: ({ req: request }) => contextOf(request),
      onError: ({ error, path }) => {
        if (error.code === "INTERNAL_SERVER_ERROR") console.error(`${path ?? "?"} failed:`, error.cause ?? error);
      },
    }),
  );
  return app;
}
