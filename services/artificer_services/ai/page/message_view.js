// The element of one message: its text, its sources, what is to be said about it, and its buttons.

import { copy, element, iconButton, isolated } from "./elements.js";
import { nameOf, pagesOf } from "./passage.js";
import { show } from "./rendered.js";

const FINISHED = {
  FINISH_REASON_LENGTH: "The answer was cut off: the most tokens that the model may write are used up.",
  FINISH_REASON_CONTENT_FILTER: "A filter of the model's server withheld the rest.",
  FINISH_REASON_TOOL_CALLS: "The model asked for a tool, which this page cannot run.",
};
const STATES = {
  MESSAGE_STATE_STOPPED: "The answer was stopped.",
  MESSAGE_STATE_FAILED: "The answer failed before it was complete.",
};

// `act` has the functions cite(citation), fork(message) and regenerate().
export class MessageView {
  constructor(message, act) {
    this.act = act;
    this.mine = message.role === "CHAT_ROLE_USER";
    const heading = element("h3", { className: "hidden" }, this.mine ? "You" : "Model");
    this.text = element("div", { className: "text" });
    this.sources = element("ul", { className: "sources", "aria-label": "Sources", hidden: true });
    this.notes = element("div");
    this.facts = element("span", { className: "facts" });
    this.copied = iconButton("copy", "Copy", () => this.#copy());
    this.forked = iconButton("fork", "Fork: continue from here in a new conversation", () => act.fork(this.message));
    this.again = iconButton("again", "Regenerate: let the model answer again", () => act.regenerate());
    this.tools = element("div", { className: "tools" }, this.copied, this.forked, this.again, this.facts);
    const article = element("article", {}, heading, this.text, this.sources, this.notes, this.tools);
    this.element = element("li", { className: `message ${this.mine ? "user" : "assistant"}` }, article);
    this.show(message);
  }

  // Shows a message anew. `passages` are what the model read, if that is known.
  show(message, { passages, last = false, busy = false } = {}) {
    const running = message.state === "MESSAGE_STATE_RUNNING";
    const stands = this.message === message && this.passages === passages && this.last === last && this.busy === busy;
    if (stands && !running) return; // stored messages never change
    Object.assign(this, { message, passages, last, busy });
    const content = message.content ?? "";
    this.element.dataset.state = (message.state ?? "").replace("MESSAGE_STATE_", "").toLowerCase();
    this.element.classList.toggle("pending", !message.id && this.mine);
    if (this.mine) {
      if (this.text.textContent !== content) this.text.textContent = content;
    } else if (running && !content) {
      this.#wait();
    } else {
      this.waiting?.remove();
      this.waiting = undefined;
      show(this.text, content, message.citations ?? [], this.act.cite);
    }
    this.text.setAttribute("aria-busy", String(running));
    this.#showSources(running ? [] : (message.citations ?? []));
    this.#showNotes(message, passages, running);
    const tokens = message.usage?.completionTokens;
    this.facts.textContent = running || this.mine ? "" : [message.model, tokens && `${tokens} tokens`].filter(Boolean).join(" · ");
    this.tools.hidden = running || !message.id;
    this.copied.hidden = !content;
    this.again.hidden = !last || busy;
    this.forked.disabled = busy;
  }

  #wait() {
    if (this.waiting) return;
    this.waiting = element("span", { className: "waiting", role: "img", "aria-label": "The model has not begun yet" });
    for (let count = 0; count < 3; count += 1) this.waiting.append(element("i"));
    this.text.replaceChildren(this.waiting);
  }

  #showNotes(message, passages, running) {
    const notes = [];
    const { droppedMessages: dropped, summarized } = message.historyCut ?? {};
    if (dropped) {
      const which = dropped === 1 ? "The oldest message does" : `The ${dropped} oldest messages do`;
      notes.push([`${which} not fit into the model's context; the model read ${summarized ? "a summary instead" : "the later ones only"}.`]);
    }
    if (passages && !passages.length) notes.push(["No passage of the collections matches: the model answers without any."]);
    const state = STATES[message.state];
    if (state) notes.push([state, message.state === "MESSAGE_STATE_FAILED" ? "error" : ""]);
    else if (FINISHED[message.finishReason]) notes.push([FINISHED[message.finishReason]]);
    else if (!running && !this.mine && !message.content) notes.push(["The model answered nothing."]);
    this.notes.replaceChildren(...notes.map(([text, kind = ""]) => element("p", { className: `note ${kind}` }, text)));
  }

  // One button for each place that is cited, in the order of their passages.
  #showSources(citations) {
    const places = new Map();
    for (const one of citations) {
      const key = JSON.stringify([one.passage, one.collection, one.document, one.span?.page]);
      if (!places.has(key)) places.set(key, one);
    }
    const shown = JSON.stringify([...places]);
    if (this.cited === shown) return;
    this.cited = shown;
    this.sources.hidden = !places.size;
    const sorted = [...places.values()].sort((a, b) => a.passage - b.passage);
    this.sources.replaceChildren(...sorted.map((citation) => element("li", {}, this.#source(citation))));
  }

  #source(citation) {
    const name = isolated("…");
    nameOf(citation).then((text) => { name.textContent = text; });
    const where = pagesOf(citation.span);
    const label = element("span", {}, name, where && `, ${where}`);
    const button = element("button", { type: "button", "aria-haspopup": "dialog" }, element("b", {}, String(citation.passage)), label);
    button.addEventListener("click", () => this.act.cite(citation));
    return button;
  }

  async #copy() {
    this.act.say((await copy(this.message.content ?? "")) ? "Copied." : "The browser does not allow copying.");
  }
}
