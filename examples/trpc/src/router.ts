// The API: all routers under their names.

import { chat } from "./routers/chat.js";
import { documents } from "./routers/documents.js";
import { jobs } from "./routers/jobs.js";
import { uploads } from "./routers/uploads.js";
import { router } from "./trpc.js";

export const appRouter = router({ chat, documents, jobs, uploads });

/** What a typed client needs to know; a type alone, so that no code of the server reaches the client. */
export type AppRouter = typeof appRouter;
