// The dialog of collections: which ones a conversation reads, their documents, uploads, and making and deleting them.

import { all, call } from "./calls.js";
import { confirmed } from "./confirm.js";
import { byId, element, iconButton, isolated, textButton } from "./elements.js";
import { upload } from "./upload.js";

const MOST = 8; // collections of a conversation
const path = (id) => `collections/${encodeURIComponent(id)}`;
const nameOf = (collection) => collection.displayName || collection.id;
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export class Collections {
  #known = new Map(); // by id
  #opened = new Set(); // ids whose documents are shown
  #chosen = [];

  // `choose` is called with the ids of the collections when they change, and answers whether that worked.
  constructor(choose, say) {
    [this.choose, this.say] = [choose, say];
    [this.dialog, this.shelf, this.problem, this.button] = ["library", "shelf", "library-problem", "collections"].map(byId);
    this.dialog.querySelector(".head").append(iconButton("close", "Close", () => this.dialog.close()));
    this.button.addEventListener("click", () => this.open());
    byId("create").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create(byId("collection-name"));
    });
  }

  // Shows which collections a conversation has.
  async show(ids) {
    this.#chosen = ids;
    this.#label();
    if (!ids.some((id) => !this.#known.has(id))) return;
    // Only the names are missing: an error leaves the ids in their place.
    await Promise.allSettled(ids.map(async (id) => this.#known.set(id, await call(path(id)))));
    this.#label();
  }

  async open() {
    this.problem.textContent = "";
    this.dialog.showModal();
    byId("library-title").focus();
    await this.#load();
  }

  #label() {
    const [first, ...others] = this.#chosen.map((id) => nameOf(this.#known.get(id) ?? { id }));
    const text = first === undefined ? "No collections" : first + (others.length ? ` and ${others.length} more` : "");
    this.button.querySelector("span").replaceChildren(isolated(text));
    this.button.setAttribute("aria-label", `Collections: ${text}`);
  }

  async #load() {
    await this.#try(async () => {
      const found = await all("collections", "collections");
      this.#known = new Map(found.map((one) => [one.id, one]));
      this.#show();
    });
  }

  // Runs an action; shows its error in the dialog.
  async #try(action) {
    this.problem.textContent = "";
    try {
      await action();
    } catch (error) {
      this.problem.textContent = error.message + (error.requestId ? ` (request ${error.requestId})` : "");
    }
  }

  #show() {
    const gone = this.#chosen.filter((id) => !this.#known.has(id)).map((id) => ({ id, gone: true }));
    const rows = [...this.#known.values(), ...gone].map((one) => this.#row(one));
    if (!rows.length) rows.push(element("li", { className: "soft" }, "There are no collections yet. Create one, then add files to it."));
    this.shelf.replaceChildren(...rows);
    this.#label();
  }

  #row(collection) {
    const name = nameOf(collection);
    const box = element("input", { type: "checkbox", checked: this.#chosen.includes(collection.id) });
    box.addEventListener("change", () => this.#use(collection.id, box));
    const size = collection.gone ? "deleted" : count(collection.documentCount ?? 0, "document");
    const label = element("label", { className: "use" }, box, element("span", {}, isolated(name), element("small", {}, size)));
    if (collection.gone) return element("li", {}, label);
    const file = element("input", { type: "file", multiple: true, className: "hidden", tabIndex: -1, "aria-hidden": "true" });
    const uploads = element("div");
    file.addEventListener("change", () => {
      this.#upload(collection, [...file.files], uploads);
      file.value = "";
    });
    const add = textButton("Add files", () => file.click());
    add.setAttribute("aria-label", `Add files to ${name}`);
    const remove = iconButton("delete", `Delete ${name}`, () => this.#delete(collection));
    const row = element("li", {}, element("div", { className: "row" }, label, add, file, remove), uploads);
    row.dataset.id = collection.id;
    if (collection.documentCount) row.append(this.#documents(collection));
    return row;
  }

  #documents(collection) {
    const list = element("ul");
    const details = element("details", {}, element("summary", {}, "Documents"), list);
    const load = () => this.#try(async () => {
      const found = await all(`${path(collection.id)}/documents`, "documents");
      list.replaceChildren(...found.map((one) => this.#document(collection, one)));
    });
    details.addEventListener("toggle", () => {
      if (details.open) this.#opened.add(collection.id);
      else this.#opened.delete(collection.id);
      if (details.open) load();
    });
    details.open = this.#opened.has(collection.id);
    return details;
  }

  #document(collection, document) {
    const name = document.displayName || document.id;
    const size = document.pageCount ? count(document.pageCount, "page") : count(document.characterCount ?? 0, "character");
    const remove = iconButton("delete", `Delete ${name}`, () => this.#deleteDocument(collection, document));
    return element("li", {}, element("span", {}, isolated(name), " ", element("small", {}, size)), remove);
  }

  async #use(id, box) {
    const wanted = box.checked ? [...this.#chosen, id] : this.#chosen.filter((one) => one !== id);
    if (wanted.length > MOST) {
      box.checked = false;
      this.problem.textContent = `A conversation reads at most ${MOST} collections.`;
      return;
    }
    const before = this.#chosen;
    await this.#try(async () => {
      this.#chosen = wanted;
      await this.choose(wanted);
    });
    if (!this.problem.textContent) return this.#label();
    this.#chosen = before;
    return this.#show();
  }

  async #create(input) {
    const name = input.value.trim();
    if (!name) return;
    await this.#try(async () => {
      // A name that can be an id becomes it, for those who use the API too.
      const id = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) ? name : "";
      const made = await call("collections", { method: "POST", query: { collection_id: id }, body: { displayName: name } });
      input.value = "";
      this.#known.set(made.id, made);
      this.#show();
      this.say(`The collection ${name} was created.`);
      this.shelf.querySelector(`[data-id="${CSS.escape(made.id)}"] .row button`)?.focus();
    });
  }

  async #upload(collection, files, place) {
    this.problem.textContent = "";
    const rows = files.map((file) => {
      const bar = element("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
      const state = element("span", { className: "soft" }, "waiting");
      const row = element("div", { className: "upload" }, isolated(file.name), " ", state, bar);
      place.append(row);
      return { file, bar, state, row };
    });
    let failed = false;
    for (const { file, bar, state, row } of rows) {
      try {
        await upload(collection.id, file, (part) => {
          if (part < 1) bar.value = part;
          else bar.removeAttribute("value"); // the server reads and indexes it
          state.textContent = part < 1 ? `${Math.floor(part * 100)} %` : "is read and indexed";
        });
        row.remove();
        this.say(`${file.name} was added.`);
      } catch (error) {
        failed = true;
        bar.remove();
        state.className = "error";
        state.textContent = error.message + (error.requestId ? ` (request ${error.requestId})` : "");
        this.say(`${file.name} was not added: ${error.message}`);
      }
    }
    this.#opened.add(collection.id);
    await this.#reload(collection.id, failed ? place : undefined);
  }

  // Loads one collection again, and keeps what its row says of failed uploads.
  async #reload(id, uploads) {
    await this.#try(async () => {
      const fresh = await call(path(id));
      this.#known.set(id, fresh);
      const old = this.shelf.querySelector(`[data-id="${CSS.escape(id)}"]`);
      const row = this.#row(fresh);
      if (uploads) row.children[1].replaceWith(uploads);
      const inside = old?.contains(document.activeElement);
      old?.replaceWith(row);
      if (inside) row.querySelector(".row button").focus();
    });
  }

  async #delete(collection) {
    const documents = collection.documentCount ?? 0;
    const contents = documents ? ` with its ${count(documents, "document")}` : "";
    if (!(await confirmed(`Delete the collection “${nameOf(collection)}”${contents}? This cannot be undone.`))) return;
    await this.#try(async () => {
      await call(path(collection.id), { method: "DELETE", query: { force: true } });
      this.say(`The collection ${nameOf(collection)} was deleted.`);
      if (this.#chosen.includes(collection.id)) {
        this.#chosen = this.#chosen.filter((id) => id !== collection.id);
        await this.choose(this.#chosen);
      }
    });
    const problem = this.problem.textContent;
    await this.#load();
    this.problem.textContent ||= problem;
    byId("library-title").focus();
  }

  async #deleteDocument(collection, document) {
    const name = document.displayName || document.id;
    if (!(await confirmed(`Delete the document “${name}”? This cannot be undone.`))) return;
    await this.#try(async () => {
      await call(`${path(collection.id)}/documents/${encodeURIComponent(document.id)}`, { method: "DELETE" });
      this.say(`${name} was deleted.`);
    });
    if (!this.problem.textContent) await this.#reload(collection.id);
  }
}
