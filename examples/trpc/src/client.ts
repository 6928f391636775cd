// The typed client, for browsers and Node alike. It knows the API by its type alone.

import { createTRPCClient, httpBatchLink, httpLink, httpSubscriptionLink, isNonJsonSerializable, splitLink } from "@trpc/client";
import { EventSource } from "eventsource";
import type { AppRouter } from "./router.js";

/** Returns a client of the API at `url`, such as `http://127.0.0.1:3000/trpc`. */
export function createApi(url: string, token: string) {
  const authorization = `Bearer ${token}`;
  const headers = { authorization };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === "subscription",
        // The browser's own EventSource cannot send headers, and a token does not belong into a URL.
        true: httpSubscriptionLink({
          url,
          EventSource,
          eventSourceOptions: {
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
          },
        }),
        false: splitLink({
          condition: ({ input }) => isNonJsonSerializable(input),
          true: httpLink({ url, headers }),
          false: httpBatchLink({ url, headers }),
        }),
      }),
    ],
  });
}

export type Api = ReturnType<typeof createApi>;
