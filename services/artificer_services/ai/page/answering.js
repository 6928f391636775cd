// One running answer: reads its stream, and stops it. Knows no elements, so that an answer goes on while the visitor looks
// at another conversation: leaving its stream would stop the model.

import { call, stream } from "./calls.js";

export const conversationPath = (id) => `conversations/${encodeURIComponent(id)}`;

// Dispatches "change" when the message has more, with `text` if that is more of its text.
export class Answer extends EventTarget {
  message = { role: "CHAT_ROLE_ASSISTANT", state: "MESSAGE_STATE_RUNNING", content: "", citations: [] };
  sent = undefined; // the user's message as it was stored
  passages = undefined; // what the model reads, if there are collections
  #leave = new AbortController();

  constructor(conversation) {
    super();
    this.conversation = conversation;
  }

  get running() {
    return this.message.state === "MESSAGE_STATE_RUNNING";
  }

  // Sends a message, or asks for another answer if there is no text, and reads the answer to its end. Throws a Failure.
  async run(content, requestId) {
    const path = conversationPath(this.conversation);
    const events = content === undefined
      ? stream(`${path}:regenerate`, {}, this.#leave.signal)
      : stream(`${path}:send`, { content, requestId }, this.#leave.signal);
    try {
      for await (const several of events) this.#take(several);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  #take(events) {
    let text = "";
    for (const event of events) {
      if (event.sent) this.sent = event.sent;
      else if (event.started) this.message = { ...this.message, ...event.started, content: this.message.content };
      else if (event.passages) this.passages = event.passages.passages ?? [];
      else if (event.text) text += event.text;
      else if (event.citation) this.message.citations.push(event.citation);
      else if (event.finished) this.message = { content: "", citations: [], ...event.finished };
      if (event.text) this.message.content += event.text;
    }
    this.dispatchEvent(new CustomEvent("change", { detail: { text } }));
  }

  // Stops the model and leaves the stream. Throws a Failure.
  async stop() {
    const { message } = await call(`${conversationPath(this.conversation)}:stop`, { method: "POST", body: {} });
    this.#leave.abort();
    if (message && this.running) {
      this.message = { content: "", citations: [], ...message };
      this.dispatchEvent(new CustomEvent("change", { detail: { text: "" } }));
    }
  }
}
