// The messages of the open conversation, the running answer among them, and what is scrolled into view.

import { byId } from "./elements.js";
import { MessageView } from "./message_view.js";
import { Sentences, speak } from "./sentences.js";

const NEAR = 80; // pixels from the end within which new text is followed

export class Thread {
  messages = [];
  busy = false;
  #views = new Map();
  #answer = undefined;
  #passages = new Map(); // what the model read, by the id of the answer; only of answers that this page has seen
  #following = true;
  #frame = 0;

  // `act` has the functions of MessageView, and say(text).
  constructor(act) {
    this.act = act;
    [this.list, this.scroller, this.welcome, this.latest, this.spoken] = ["messages", "scroller", "welcome", "latest", "spoken"].map(byId);
    this.scroller.addEventListener("scroll", () => this.#follow(this.#distance() < NEAR));
    new ResizeObserver(() => this.#end()).observe(this.list);
    new ResizeObserver(() => this.#end()).observe(this.scroller);
    this.latest.addEventListener("click", () => {
      this.#follow(true);
      this.#end();
      this.scroller.focus();
    });
  }

  // Shows stored messages, and behind them a running answer, if there is one.
  show(messages, { answer, busy = false } = {}) {
    this.#follow(true);
    [this.messages, this.busy] = [messages, busy];
    this.#attach(answer);
    this.#draw();
  }

  // Shows stored messages of the same conversation anew, where it is scrolled to.
  update(messages, { busy = false } = {}) {
    [this.messages, this.busy] = [messages, busy];
    this.#attach(undefined);
    this.#draw();
  }

  // Shows a message that is being sent, or begins to replace the last answer if there is no text.
  begin(answer, content) {
    if (content !== undefined) this.messages = [...this.messages, { role: "CHAT_ROLE_USER", content }];
    else if (this.messages.at(-1)?.role === "CHAT_ROLE_ASSISTANT") this.messages = this.messages.slice(0, -1);
    this.busy = true;
    this.#follow(true);
    this.#attach(answer);
    this.#draw();
  }

  #attach(answer) {
    if (this.#answer === answer) return;
    if (this.#answer) this.#answer.removeEventListener("change", this.#changed);
    this.#answer = answer;
    this.sentences = new Sentences();
    this.sentences.feed(answer?.message.content ?? ""); // what was shown before is not spoken
    answer?.addEventListener("change", this.#changed);
  }

  // Takes the answer into the messages as it was stored, when it has ended. Answers whether there is such a message.
  settle(answer) {
    if (this.#answer !== answer) return false;
    this.#attach(undefined);
    this.busy = false;
    if (answer.running || !answer.message.id) return false;
    this.messages = [...this.messages, answer.message];
    this.#draw();
    return true;
  }

  #changed = ({ detail: { text } }) => {
    const answer = this.#answer;
    if (answer.sent && this.messages.every(({ id }) => id !== answer.sent.id)) {
      this.messages = [...this.messages.filter(({ id }) => id), answer.sent]; // in place of what was being sent
    }
    if (answer.passages && answer.message.id) this.#passages.set(answer.message.id, answer.passages);
    speak(this.spoken, this.sentences.feed(text));
    if (!answer.running) speak(this.spoken, this.sentences.end());
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  };

  #draw() {
    const shown = this.#answer ? [...this.messages, this.#answer.message] : this.messages;
    const kept = new Map();
    shown.forEach((message, index) => {
      const key = message.id || `new ${index}`;
      const view = this.#views.get(key) ?? new MessageView(message, this.act);
      kept.set(key, view);
      const last = index === shown.length - 1 && Boolean(message.id);
      view.show(message, { passages: this.#passages.get(message.id), last, busy: this.busy });
      if (this.list.children[index] !== view.element) this.list.insertBefore(view.element, this.list.children[index] ?? null);
    });
    for (const [key, view] of this.#views) if (!kept.has(key)) view.element.remove();
    this.#views = kept;
    this.welcome.hidden = shown.length > 0;
    this.#end();
  }

  #distance() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #follow(following) {
    this.#following = following;
    this.latest.hidden = following;
  }

  #end() {
    if (this.#following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
