// What the API is told by its environment, read once. The gateway's address and key are read by @artificer/client.

import { z } from "zod";

const schema = z.object({
  API_HOST: z.string().default("127.0.0.1"),
  API_PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  API_ORIGINS: z.string().default(""),
  // A caller's name is also the id of the caller's collection and project.
  API_TOKENS: z.string().regex(/^[A-Za-z0-9_-]{1,64}:[^,:\s]+(,[A-Za-z0-9_-]{1,64}:[^,:\s]+)*$/, "expected name:token,name:token"),
});

export interface Config {
  host: string;
  /** 0 chooses a free port. */
  port: number;
  /** The origins whose pages may call the API. */
  origins: string[];
  /** The callers' names by their tokens. */
  callers: ReadonlyMap<string, string>;
}

/** Returns the configuration. Throws with the names of the variables that are wrong. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const found = schema.safeParse(environment);
  if (!found.success) throw new Error(`the environment is not usable:\n${z.prettifyError(found.error)}`);
  const { API_HOST, API_PORT, API_ORIGINS, API_TOKENS } = found.data;
  const pairs = API_TOKENS.split(",").map((pair) => pair.split(":").reverse() as [string, string]);
  const callers = new Map(pairs);
  if (callers.size < pairs.length) throw new Error("the environment is not usable: two callers of API_TOKENS have the same token");
  return { host: API_HOST, port: API_PORT, origins: API_ORIGINS.split(",").filter(Boolean), callers };
}
