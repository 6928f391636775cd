// The name of the open conversation, and the buttons that rename, fork and delete it.

import { titleOf } from "./conversation_list.js";
import { byId, iconButton, setText } from "./elements.js";

export class Heading {
  #id = undefined; // of the conversation shown; while it is renamed, it may be shown again

  // `act` has the functions rename(name), fork() and remove().
  constructor(act) {
    [this.title, this.form, this.name, this.actions] = ["title", "rename", "name", "actions"].map(byId);
    this.rename = iconButton("rename", "Rename", () => this.#edit(true));
    const fork = iconButton("fork", "Fork the conversation", () => act.fork());
    const remove = iconButton("delete", "Delete the conversation", () => act.remove());
    this.actions.append(this.rename, fork, remove);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = this.name.value.trim();
      this.#edit(false);
      if (name) act.rename(name);
    });
    byId("keep-name").addEventListener("click", () => this.#edit(false));
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#edit(false);
    });
  }

  // Shows a conversation; none is a new one.
  show(conversation) {
    const title = conversation ? titleOf(conversation) : "New conversation";
    setText(this.title, title);
    document.title = conversation ? `${title} · Assistant` : "Assistant";
    if (conversation?.id !== this.#id) this.#shown(false);
    this.#id = conversation?.id;
    if (this.form.hidden) this.actions.hidden = !conversation;
  }

  focus() {
    this.title.focus();
  }

  #edit(editing) {
    this.name.value = this.title.textContent;
    this.#shown(editing);
    if (editing) this.name.select();
    else this.rename.focus();
  }

  #shown(editing) {
    this.form.hidden = !editing;
    this.title.hidden = editing;
    this.actions.hidden = editing;
  }
}
