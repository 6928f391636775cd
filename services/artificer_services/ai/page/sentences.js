// Reads answers to screen readers sentence by sentence: a live region that changed with each token would say fragments.

import { element } from "./elements.js";

// Sentences end with a mark and a space, or with the line; those of code are left out.
const END = /[.!?…]["'”’)\]]*\s|[。！？]|\n/g;
const LONGEST = 1000; // characters without an end that are read as a sentence
const KEPT = 40; // sentences in the region, which readers can go back to

// Divides text that arrives in pieces into sentences.
export class Sentences {
  #rest = "";
  #code = false;

  // Returns the sentences that this piece completes.
  feed(text) {
    this.#rest += text;
    const found = [];
    let from = 0;
    for (const { 0: mark, index } of this.#rest.matchAll(END)) {
      const sentence = this.#rest.slice(from, index + mark.length);
      from = index + mark.length;
      found.push(...this.#spoken(sentence));
    }
    this.#rest = this.#rest.slice(from);
    return this.#rest.length > LONGEST ? [...found, ...this.end()] : found;
  }

  // Returns what is left at the end.
  end() {
    const rest = this.#rest;
    this.#rest = "";
    return this.#spoken(rest);
  }

  #spoken(sentence) {
    if (/^\s*(```|~~~)/.test(sentence)) {
      this.#code = !this.#code;
      return this.#code ? ["Code follows."] : [];
    }
    const spoken = sentence.replace(/[*`#>]+/g, "").replace(/\[\d+\]/g, "").trim();
    return this.#code || !spoken ? [] : [spoken];
  }
}

// Adds sentences to a live region.
export function speak(region, sentences) {
  for (const sentence of sentences) region.append(element("p", {}, sentence));
  while (region.children.length > KEPT) region.firstElementChild.remove();
}
