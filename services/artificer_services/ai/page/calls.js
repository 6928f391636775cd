// Calls of the API: addresses, credentials, and errors in plain words with the id of the request.

import { ask, credentials } from "./access.js";
import { eventsOf } from "./event_stream.js";

const base = location.pathname.replace(/\/assistant\/?$/, "");
const PATIENCE = 30_000; // milliseconds to wait for the answer to a call that is no stream

export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined);
  return `${base}/v1/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

const WORDS = {
  0: "The server cannot be reached.",
  401: "This server requires you to sign in.",
  403: "You may not do this.",
  404: "It is not there, or no longer.",
  409: "It was changed or taken in the meantime.",
  413: "This is too large for the server.",
  429: "The server has too much to do for you just now.",
  500: "The server failed.",
  503: "The server is busy or stopping.",
  504: "The server took too long.",
};

// An error of a call: `status` is the HTTP status, 0 if there was no answer; `detail` is the server's message.
export class Failure extends Error {
  constructor(status, detail = "", { requestId = "", retryAfter = 0 } = {}) {
    const plain = WORDS[status] ?? (status >= 500 ? WORDS[500] : "");
    const again = retryAfter ? `Try again in ${retryAfter} s.` : "";
    super([plain, sentence(detail), again].filter(Boolean).join(" ") || `The server answered ${status}.`);
    Object.assign(this, { name: "Failure", status, detail, requestId });
  }

  // Whether the same call may work later.
  get passing() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".") : "");

// Returns the Failure for an error's body in any of the gateway's dialects.
export function failureOf(status, text, header = () => null) {
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // An error of a proxy, perhaps: its page is not shown.
  }
  const error = body?.error ?? body ?? {};
  const details = error.details ?? [];
  const requestId = header("x-request-id") ?? details.find((one) => one.requestId)?.requestId ?? "";
  const retryAfter = Number(header("retry-after")) || 0;
  const fields = details.flatMap((one) => one.fieldViolations ?? []).map((one) => one.description).filter(Boolean);
  const message = error.message ?? error.detail ?? "";
  const detail = message || fields.join("; ");
  return new Failure(status || Number(error.code) || 500, detail, { requestId, retryAfter });
}

async function answer(path, { method, query, body, signal, accept }) {
  const init = { method, cache: "no-store", signal, headers: { accept, ...credentials() } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["content-type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(address(path, query), init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(error.name === "TimeoutError" ? 504 : 0);
  }
  if (response.ok) return response;
  const failure = failureOf(response.status, await response.text().catch(() => ""), (name) => response.headers.get(name));
  if (failure.status === 401) ask(failure.detail || failure.message);
  throw failure;
}

// Returns the JSON that a method answers. Throws a Failure.
export async function call(path, { method = "GET", query, body } = {}) {
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await answer(path, { method, query, body, signal, accept: "application/json" });
  try {
    const text = await response.text();
    return text ? JSON.parse(text) : {};
  } catch {
    throw new Failure(0);
  }
}

// Returns all items of a list by following its pages.
export async function all(path, name, query = {}) {
  const items = [];
  let token = "";
  do {
    const page = await call(path, { query: { ...query, page_size: 1000, page_token: token } });
    items.push(...(page[name] ?? []));
    token = page.nextPageToken ?? "";
  } while (token);
  return items;
}

// Yields lists of the messages of a stream. Throws a Failure if it ends without its end, and AbortError if it was left.
export async function* stream(path, body, signal) {
  const response = await answer(path, { method: "POST", body, signal, accept: "text/event-stream" });
  const requestId = response.headers.get("x-request-id") ?? "";
  try {
    for await (const events of eventsOf(response.body)) {
      const messages = [];
      for (const { type, data } of events) {
        if (type === "message") messages.push(JSON.parse(data));
        if (type !== "error" && type !== "end") continue;
        if (messages.length) yield messages;
        if (type === "end") return;
        throw failureOf(0, data, (name) => (name === "x-request-id" ? requestId || null : null));
      }
      yield messages;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Failure) throw error;
    throw new Failure(0, "", { requestId });
  }
  throw new Failure(0, "The connection was lost", { requestId });
}

// crypto.randomUUID exists only on secure origins, and the page may be served over plain HTTP.
export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
