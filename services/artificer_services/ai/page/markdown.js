// Parses the Markdown that models write into a tree of plain objects. Knows no document: `rendered.js` makes elements.
//
// A small subset: paragraphs, headings, lists, quotes, rules, fenced code; bold, italic, code, links and markers like
// "[2]". Everything else is text. Each leaf has the offset of its first character in the source, by which citations find
// their places. The time is linear in the length of the source, since models and documents may be hostile.

const DEEPEST = 8; // levels of lists and quotes; further ones are text
const FENCE = /^ {0,3}(`{3,}(?!.*`)|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(\S.*)$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])(\s+)(?=\S)/;

// Returns the blocks of a text: { kind, start, end, ... } with `children` (inlines) or `items` and `blocks`.
export const parse = (source) => blocks(linesOf(source), 0);

function linesOf(source) {
  const lines = [];
  for (let start = 0; start <= source.length;) {
    const found = source.indexOf("\n", start);
    const end = found < 0 ? source.length : found;
    lines.push({ text: source.slice(start, end).replace(/\r$/, ""), start });
    start = end + 1;
  }
  return lines;
}

const cut = ({ text, start }, count) => ({ text: text.slice(count), start: start + count });
const indent = (text) => text.length - text.trimStart().length;
const begins = (text) => FENCE.test(text) || HEADING.test(text) || RULE.test(text) || QUOTE.test(text) || ITEM.test(text);

function blocks(lines, depth) {
  const found = [];
  for (let at = 0; at < lines.length;) {
    const { text } = lines[at];
    if (!text.trim()) {
      at += 1;
      continue;
    }
    const [block, next] = read(lines, at, depth);
    const last = lines[next - 1];
    found.push({ ...block, start: lines[at].start, end: last.start + last.text.length });
    at = next;
  }
  return found;
}

// Returns the block that begins at a line, and the first line behind it.
function read(lines, at, depth) {
  const { text, start } = lines[at];
  const fence = FENCE.exec(text);
  if (fence) return fenced(lines, at, fence);
  const heading = HEADING.exec(text);
  if (heading) {
    const offset = text.indexOf(heading[2], heading[1].length);
    return [{ kind: "heading", level: heading[1].length, children: inlines(heading[2].replace(/\s#+\s*$/, ""), start + offset) }, at + 1];
  }
  if (RULE.test(text)) return [{ kind: "rule" }, at + 1];
  if (depth < DEEPEST && QUOTE.test(text)) return quoted(lines, at, depth);
  if (depth < DEEPEST && ITEM.test(text)) return listed(lines, at, depth);
  return paragraph(lines, at);
}

function fenced(lines, at, [, mark, info]) {
  const language = info.trim().split(/\s/, 1)[0].slice(0, 30);
  const inside = [];
  let next = at + 1;
  for (; next < lines.length; next += 1) {
    const closing = lines[next].text.trim();
    if (closing.length >= mark.length && closing === mark[0].repeat(closing.length)) break;
    inside.push(lines[next].text);
  }
  const block = { kind: "code", language, text: inside.join("\n"), closed: next < lines.length };
  return [block, Math.min(next + 1, lines.length)];
}

function quoted(lines, at, depth) {
  const inside = [];
  let next = at;
  for (; next < lines.length && QUOTE.test(lines[next].text); next += 1) {
    inside.push(cut(lines[next], QUOTE.exec(lines[next].text)[0].length));
  }
  return [{ kind: "quote", blocks: blocks(inside, depth + 1) }, next];
}

function listed(lines, at, depth) {
  const [, , , first] = ITEM.exec(lines[at].text);
  const items = [];
  let next = at;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next].text);
    if (!item || (item[3] === undefined) !== (first === undefined) || RULE.test(lines[next].text)) break;
    const width = item[0].length;
    const inside = [cut(lines[next], width)];
    next += 1;
    for (; next < lines.length; next += 1) {
      const { text } = lines[next];
      const blank = !text.trim();
      const deeper = indent(text) >= Math.min(width, item[1].length + 2);
      const continued = !blank && lines[next - 1].text.trim() && !begins(text);
      if (blank ? !continues(lines, next, item[1].length + 2) : !deeper && !continued) break;
      inside.push(cut(lines[next], Math.min(indent(text), width)));
    }
    items.push(blocks(inside, depth + 1));
    while (next < lines.length && !lines[next].text.trim() && ITEM.test(lines[next + 1]?.text ?? "")) next += 1;
  }
  return [{ kind: "list", ordered: first !== undefined, first: Number(first ?? 1), items }, next];
}

// Whether an empty line is inside a list item: the next line is indented.
const continues = (lines, at, width) => {
  const text = lines[at + 1]?.text ?? "";
  return Boolean(text.trim()) && indent(text) >= width;
};

function paragraph(lines, at) {
  const children = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const { text, start } = lines[next];
    if (!text.trim() || (next > at && begins(text))) break;
    if (next > at) children.push({ kind: "break", start });
    for (const one of inlines(text.trim(), start + indent(text))) children.push(one);
  }
  return [{ kind: "paragraph", children }, next];
}

// Returns the inlines of one line, whose first character is at `base` in the source.
function inlines(text, base) {
  const found = [];
  const missing = new Set(); // delimiters that do not occur again, so that each is looked for once
  let [plain, at] = [0, 0];
  const flush = () => {
    if (at > plain) found.push({ kind: "text", text: text.slice(plain, at), start: base + plain });
  };
  while (at < text.length) {
    const one = special(text, at, base, missing);
    if (!one) {
      at += 1;
      continue;
    }
    flush();
    found.push(one.node);
    at = plain = one.next;
  }
  flush();
  return found;
}

function special(text, at, base, missing) {
  const char = text[at];
  if (char === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
    return { node: { kind: "text", text: text[at + 1], start: base + at + 1 }, next: at + 2 };
  }
  if (char === "`") return codeSpan(text, at, base, missing);
  if (char === "*") {
    return spread(text, at, base, "**", "strong", missing) ?? spread(text, at, base, "*", "emphasis", missing);
  }
  if (char === "[") return marker(text, at, base) ?? link(text, at, base);
  return undefined;
}

function codeSpan(text, at, base, missing) {
  let end = at;
  while (text[end] === "`") end += 1;
  const mark = text.slice(at, end);
  const close = find(text, mark, end, missing);
  // A run of backticks is taken whole: a shorter part of it opens nothing.
  if (close < 0) return { node: { kind: "text", text: mark, start: base + at }, next: end };
  return { node: { kind: "code", text: text.slice(end, close).trim(), start: base + end }, next: close + mark.length };
}

function spread(text, at, base, mark, kind, missing) {
  const begin = at + mark.length;
  if (!text.startsWith(mark, at) || /^[\s*]?$/.test(text[begin] ?? "")) return undefined;
  let close = find(text, mark, begin + 1, missing);
  while (mark.length === 2 && close >= 0 && text[close + 2] === "*") close += 1; // "**a *b***" ends with the last ones
  if (close < 0 || /\s/.test(text[close - 1])) return undefined;
  return { node: { kind, children: inlines(text.slice(begin, close), base + begin) }, next: close + mark.length };
}

function find(text, mark, from, missing) {
  if (missing.has(mark)) return -1;
  const found = text.indexOf(mark, from);
  if (found < 0) missing.add(mark);
  return found;
}

const MARKER = /\[(\d{1,3}(?:\s?[,;]\s?\d{1,3}){0,9})\](?!\()/y;

// A marker names passages: "[2]" or "[1, 3]".
function marker(text, at, base) {
  MARKER.lastIndex = at;
  const found = MARKER.exec(text);
  if (!found) return undefined;
  const numbers = found[1].split(/[,;]/).map(Number);
  return { node: { kind: "marker", text: found[0], numbers, start: base + at }, next: at + found[0].length };
}

// The longest label and address of a link; longer ones are text, so that no search runs far.
const LINK = /\[([^[\]]{1,300})\]\(\s{0,9}<?((?:[^\s()<>]|\([^\s()<>]{0,300}\)){1,2000})>?(?:\s+"[^"]{0,300}")?\s*\)/y;

function link(text, at, base) {
  LINK.lastIndex = at;
  const found = LINK.exec(text);
  if (!found) return undefined;
  const node = { kind: "link", address: found[2], children: [{ kind: "text", text: found[1], start: base + at + 1 }] };
  return { node, next: at + found[0].length };
}
