// The key or token of the environment, for Node's clients.

import { assertHeader, type Credentials } from "./credentials.js";

/** Returns the credentials, or the environment's if the caller gave none. Throws with the variable's name if no header can carry it. */
export function credentialsOrEnvironments(given: Credentials): Credentials {
  if (given.apiKey !== undefined || given.token !== undefined) return given;
  return { ...given, apiKey: read("ARTIFICER_API_KEY"), token: read("ARTIFICER_TOKEN") };
}

function read(name: string): string | undefined {
  const value = process.env[name] || undefined;
  if (value !== undefined) assertHeader(name, value);
  return value;
}
