// The choice of the chat model.

import { call } from "./calls.js";
import { byId, element } from "./elements.js";

const chats = (model) => (model.capabilities ?? ["chat"]).includes("chat");

export class Models {
  #names = [];
  #chosen = "";
  #drawn = "";

  // `choose` is called with the name of the model; "" is the server's default.
  constructor(choose) {
    this.select = byId("model");
    this.select.addEventListener("change", async () => {
      const before = this.#chosen;
      if (!(await choose(this.select.value))) this.show(before);
    });
    this.#draw();
  }

  async load() {
    this.#names = ((await call("models")).data ?? []).filter(chats).map((model) => model.id);
    this.#draw();
  }

  show(name) {
    this.#chosen = name;
    this.#draw();
  }

  #draw() {
    const [first] = this.#names; // the server lists its default first
    const options = [["", first ? `Default (${first})` : "Default model"], ...this.#names.map((name) => [name, name])];
    // A conversation may have a model that the server no longer has.
    if (this.#chosen && !this.#names.includes(this.#chosen)) options.push([this.#chosen, `${this.#chosen} (unknown)`]);
    const drawn = JSON.stringify(options);
    if (drawn !== this.#drawn) { // replacing them closes an open list
      this.select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
      this.#drawn = drawn;
    }
    this.select.value = this.#chosen;
  }
}
