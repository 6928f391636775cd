// Server-Sent Events like EventSource, but with headers, which carry the credentials.

import { ask, credentials } from "./access.js";
import { messageOf } from "./shown.js";

const [CONNECTING, OPEN, CLOSED] = [0, 1, 2];

export class Events extends EventTarget {
  static CLOSED = CLOSED;
  readyState = CONNECTING;
  #abort = new AbortController();
  #last = "";
  #wait = 3000; // milliseconds, unless the server says otherwise

  constructor(url) {
    super();
    this.#run(url);
  }

  close() {
    this.readyState = CLOSED;
    this.#abort.abort();
  }

  async #run(url) {
    while (this.readyState !== CLOSED) {
      try {
        await this.#once(url);
      } catch {
        // The connection was lost, or this page closed it.
      }
      if (this.readyState === CLOSED) return;
      this.readyState = CONNECTING;
      this.dispatchEvent(new Event("error"));
      await new Promise((done) => setTimeout(done, this.#wait));
    }
  }

  async #once(url) {
    const last = this.#last ? { "last-event-id": this.#last } : {};
    const headers = { accept: "text/event-stream", ...last, ...credentials() };
    const response = await fetch(url, { headers, cache: "no-store", signal: this.#abort.signal });
    if (response.ok) {
      this.readyState = OPEN;
      await this.#read(response.body.getReader());
    } else if (response.status < 500) {
      if (response.status === 401) ask(messageOf(await response.text()));
      this.close();
      this.dispatchEvent(new Event("error"));
    }
  }

  async #read(reader) {
    const decoder = new TextDecoder();
    let [rest, type, data] = ["", "", []];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines.map((one) => one.replace(/\r$/, ""))) {
        const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line);
        if (!line && data.length && this.readyState === OPEN) {
          this.dispatchEvent(new MessageEvent(type || "message", { data: data.join("\n"), lastEventId: this.#last }));
        }
        if (!line) [type, data] = ["", []];
        else if (name === "data") data.push(text);
        else if (name === "event") type = text;
        else if (name === "id") this.#last = text;
        else if (name === "retry") this.#wait = Number(text) || this.#wait;
      }
    }
  }
}
