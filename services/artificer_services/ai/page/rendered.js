// Makes elements of a parsed answer. Text becomes text nodes; addresses of links are shown and cannot be followed.

import { place } from "./citations.js";
import { copy, element, textButton } from "./elements.js";
import { parse } from "./markdown.js";

// Controls that change the order of characters: in code, what is shown must be what is there.
const CONTROLS = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/;
const blockKeys = new WeakMap(); // what an element was made of

// Shows an answer. Blocks that have not changed keep their elements, so that a selection survives while text arrives.
// `cite` is called with the citation whose button was pressed.
export function show(target, source, citations, cite) {
  const blocks = parse(source);
  place(blocks, source, citations);
  const shown = [...target.children];
  blocks.forEach((block, index) => {
    const key = JSON.stringify(block);
    const old = shown[index];
    if (old && blockKeys.get(old) === key) return;
    const made = ofBlock(block, cite);
    blockKeys.set(made, key);
    if (old) old.replaceWith(made);
    else target.append(made);
  });
  for (const old of shown.slice(blocks.length)) old.remove();
}

function ofBlock(block, cite) {
  switch (block.kind) {
    case "heading":
      return element(`h${Math.min(block.level + 3, 6)}`, { dir: "auto" }, ofInlines(block.children, cite));
    case "rule":
      return element("hr");
    case "quote":
      return element("blockquote", {}, block.blocks.map((one) => ofBlock(one, cite)));
    case "list":
      return ofList(block, cite);
    case "code":
      return ofCode(block, cite);
    default:
      return element("p", { dir: "auto" }, ofInlines(block.children, cite));
  }
}

function ofList({ ordered, first, items }, cite) {
  const list = element(ordered ? "ol" : "ul", ordered && first !== 1 ? { start: first } : {});
  for (const item of items) {
    // A single paragraph needs no element of its own.
    const [only, ...others] = item;
    const bare = only?.kind === "paragraph" && others.every((one) => one.kind === "list");
    const inner = (bare ? others : item).map((one) => ofBlock(one, cite));
    list.append(element("li", { dir: "auto" }, bare ? ofInlines(only.children, cite) : [], inner));
  }
  return list;
}

function ofCode({ language, text, after = [] }, cite) {
  // Focusable, since it scrolls sideways: otherwise the keyboard could not reach its end.
  const shown = element("pre", { tabIndex: 0, role: "region", "aria-label": `Code ${language}`.trim() }, element("code", {}, visible(text)));
  const bar = element("div", { className: "code-bar" }, element("span", {}, language));
  bar.append(textButton("Copy code", async (event) => {
    if (await copy(text)) event.target.textContent = "Copied";
  }, "quiet"));
  return element("div", { className: "code" }, bar, shown, ofInlines(after, cite));
}

function ofInlines(children, cite) {
  return children.flatMap((node) => {
    switch (node.kind) {
      case "break":
        return element("br");
      case "code":
        return element("code", {}, visible(node.text));
      case "strong":
        return element("strong", {}, ofInlines(node.children, cite));
      case "emphasis":
        return element("em", {}, ofInlines(node.children, cite));
      case "link":
        return element("span", { className: "link" }, ofInlines(node.children, cite), " (", element("bdi", {}, visible(node.address)), ")");
      case "marker":
        return node.citations?.length ? node.citations.map((one) => button(one, cite)) : node.text;
      case "citation":
        return button(node.citation, cite);
      default:
        return node.text;
    }
  });
}

function button(citation, cite) {
  const made = textButton(String(citation.passage), () => cite(citation), "cite");
  made.setAttribute("aria-label", `Passage ${citation.passage}`);
  made.setAttribute("aria-haspopup", "dialog");
  return made;
}

function visible(text) {
  return text.split(CONTROLS).map((part, index) => {
    if (index % 2 === 0) return part;
    return element("span", { className: "control" }, `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
  });
}
