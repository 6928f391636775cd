// The field where a message is written, and the buttons that send it and stop the answer.

import { byId } from "./elements.js";

const onScreen = () => matchMedia("(pointer: coarse)").matches; // a keyboard on the screen

export class Composer {
  // `send` is called with the text, `stop` without anything.
  constructor(send, stop) {
    [this.form, this.text, this.sendButton, this.stopButton] = ["composer", "text", "send", "stop"].map(byId);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.text.value;
      if (!text.trim() || this.busy) return;
      this.fill("");
      send(text);
    });
    this.text.addEventListener("keydown", (event) => {
      // A keyboard on the screen has no Shift and Enter, and Enter may end the choice of a character.
      const plain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
      if (!plain || onScreen()) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.text.addEventListener("input", () => this.#fit());
    this.stopButton.addEventListener("click", stop);
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.text.focus();
    });
  }

  // Focuses the field, unless that would bring up a keyboard that covers the page.
  focus() {
    if (!onScreen()) this.text.focus();
  }

  fill(text) {
    this.text.value = text;
    this.#fit();
  }

  show(busy) {
    if (busy === this.busy) return;
    this.busy = busy;
    const focused = [this.sendButton, this.stopButton].includes(document.activeElement);
    this.sendButton.hidden = busy;
    this.stopButton.hidden = !busy;
    this.stopButton.disabled = false;
    if (focused) (busy ? this.stopButton : this.text).focus();
  }

  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }
}
