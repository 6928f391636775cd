// Shared by both parts of the page: calls, names of states, and elements that hold text, never markup.

import { ask, credentials } from "./access.js";

const base = location.pathname.replace(/\/jobs$/, "");
const PATIENCE = 20_000; // milliseconds to wait for an answer

export const byId = (id) => document.getElementById(id);

// A state has a symbol and a name, so that it does not depend on its colour.
const SIGNS = { pending: "○", running: "▶", paused: "⏸", completed: "✓", failed: "✗", cancelled: "⊘" };

export const word = (status) => (status ?? "").replace(/^(JOB|ITEM)_STATUS_/, "").toLowerCase();
export const ended = (status) => ["completed", "failed", "cancelled"].includes(word(status));

export const url = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined);
  return `${base}/v1/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
};

export const jobPath = (id) => `jobs/${encodeURIComponent(id)}`;

// Returns the answer to a call. Throws an Error with the server's message.
export async function call(path, { query, verb } = {}) {
  const init = verb ? { method: "POST", body: "{}" } : {};
  const headers = { ...(verb ? { "content-type": "application/json" } : {}), ...credentials() };
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(url(verb ? `${path}:${verb}` : path, query), { ...init, headers, signal });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  if (response.status === 401) ask(messageOf(text));
  throw new Error(messageOf(text) || `the server answered ${response.status}`);
}

// Returns the message of an error in any of the gateway's dialects.
export function messageOf(text) {
  try {
    const body = JSON.parse(text);
    return body.error?.message ?? body.message ?? body.detail ?? "";
  } catch {
    return "";
  }
}

export function showStatus(element, status) {
  const state = word(status);
  element.dataset.state = state;
  setText(element, `${SIGNS[state] ?? ""} ${state}`.trim());
}

// Does nothing if the text is unchanged, since any change would clear a selection.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showTime(element, stamp) {
  element.dateTime = stamp ?? "";
  setText(element, stamp ? new Date(stamp).toLocaleString() : "");
}

export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

// Navigates pages by token, in both directions.
export class Pages {
  constructor(back, on, changed) {
    [this.back, this.on, this.changed] = [back, on, changed];
    back.addEventListener("click", () => this.#turn(() => this.tokens.pop()));
    on.addEventListener("click", () => this.#turn(() => this.tokens.push(this.next)));
    this.reset();
  }

  reset() {
    this.tokens = [""];
    this.show("");
  }

  get token() {
    return this.tokens.at(-1);
  }

  show(next) {
    this.next = next;
    this.back.disabled = this.tokens.length < 2;
    this.on.disabled = !next;
  }

  #turn(step) {
    step();
    this.back.disabled = this.on.disabled = true;
    this.changed();
  }
}
