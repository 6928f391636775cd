// The list of conversations: pages of it, and a search by name.

import { call } from "./calls.js";
import { byId, element, isolated } from "./elements.js";

const PAGE = 100;

export const titleOf = (conversation) => conversation?.displayName || "Untitled conversation";

export class ConversationList {
  #items = [];
  #token = "";
  #current = "";
  #drawn = ""; // what the rows show
  #asked = 0;

  // `fail` is called with the errors of calls.
  constructor(fail) {
    [this.list, this.empty, this.more, this.search] = ["conversations", "no-conversations", "more", "search"].map(byId);
    this.fail = fail;
    this.more.addEventListener("click", () => this.#next(PAGE));
    this.search.addEventListener("input", () => this.#find());
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.list.querySelector("a")?.focus();
      if (event.key === "ArrowDown") event.preventDefault();
    });
    this.list.addEventListener("keydown", (event) => this.#move(event));
  }

  // Loads the list again, as many as are shown.
  async refresh() {
    const number = ++this.#asked;
    try {
      const size = Math.min(Math.max(this.#items.length, PAGE), 1000);
      const page = await call("conversations", { query: { page_size: size } });
      if (number !== this.#asked) return;
      [this.#items, this.#token] = [page.conversations ?? [], page.nextPageToken ?? ""];
      this.#show();
    } catch (error) {
      if (number === this.#asked) this.fail(error);
    }
  }

  mark(id) {
    this.#current = id;
    this.#show();
  }

  async #next(size) {
    const number = this.#asked;
    try {
      const page = await call("conversations", { query: { page_size: size, page_token: this.#token } });
      if (number !== this.#asked) return;
      const known = new Set(this.#items.map(({ id }) => id));
      this.#items.push(...(page.conversations ?? []).filter(({ id }) => !known.has(id)));
      this.#token = page.nextPageToken ?? "";
      this.#show();
    } catch (error) {
      this.fail(error);
      this.#token = "";
    }
  }

  // A search covers all conversations, so the rest of the list is loaded.
  async #find() {
    this.#show();
    while (this.search.value.trim() && this.#token) await this.#next(1000);
  }

  #show() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    const shown = this.#items.filter((one) => titleOf(one).toLocaleLowerCase().includes(wanted));
    this.#draw(shown);
    this.more.hidden = !this.#token;
    this.empty.hidden = shown.length > 0;
    this.empty.textContent = this.#items.length ? "No name matches." : "No conversations yet.";
  }

  // Replaces the rows if they differ: a click that began on one would be lost.
  #draw(shown) {
    const drawn = JSON.stringify([this.#current, ...shown.map((one) => [one.id, titleOf(one)])]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    this.list.replaceChildren(...shown.map((one) => this.#row(one)));
    if (focused) this.list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  #row(conversation) {
    const link = element("a", { href: `#conversation=${encodeURIComponent(conversation.id)}` }, isolated(titleOf(conversation)));
    link.dataset.id = conversation.id;
    link.title = titleOf(conversation);
    if (conversation.id === this.#current) link.setAttribute("aria-current", "page");
    return element("li", {}, link);
  }

  // Arrow keys move along the list; Tab works too.
  #move(event) {
    const links = [...this.list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    if (next < 0) this.search.focus();
    else links[next]?.focus();
  }
}
