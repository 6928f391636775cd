// Where citations belong in an answer, and where a quote is in a passage. Pure: knows no document and no calls.
//
// The server counts characters in code points, JavaScript in UTF-16 units.

// Returns the UTF-16 offset of each of these offsets in code points.
export function offsets(text, points) {
  const wanted = [...new Set(points)].sort((a, b) => a - b);
  const found = new Map();
  let [point, unit] = [0, 0];
  for (const next of wanted) {
    while (point < next && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    found.set(next, unit);
  }
  return points.map((one) => found.get(one));
}

const ofModel = (citation) => citation.origin === "CITATION_ORIGIN_MODEL";

// Puts a node { kind: "citation", citation } behind the text that each citation supports, and in the place of the markers
// that the model wrote. Changes the blocks.
export function place(blocks, source, citations) {
  const leaves = [];
  collect(blocks, leaves);
  const markers = leaves.filter(({ node }) => node.kind === "marker");
  const marked = new Set(markers.flatMap(({ node }) => node.numbers));
  const ends = offsets(source, citations.map((one) => one.answerEnd ?? 0));
  const placed = citations.map((citation, index) => ({ citation, at: ends[index] }));
  for (const { node } of markers) {
    const distance = ({ at }) => Math.abs(at - node.start);
    node.citations = node.numbers.flatMap((number) => {
      const own = placed.filter(({ citation }) => ofModel(citation) && citation.passage === number);
      return own.length ? [own.reduce((best, one) => (distance(one) < distance(best) ? one : best)).citation] : [];
    });
  }
  const rest = placed.filter(({ citation }) => !(ofModel(citation) && marked.has(citation.passage)));
  rest.sort((a, b) => a.at - b.at);
  for (const { citation, at } of rest.reverse()) insert(blocks, leaves, { kind: "citation", citation }, at);
}

function collect(blocks, leaves) {
  for (const block of blocks) {
    if (block.kind === "list") for (const item of block.items) collect(item, leaves);
    else if (block.kind === "quote") collect(block.blocks, leaves);
    else if (block.kind === "code") leaves.push({ node: block, siblings: block.after = [], block: true });
    else if (block.children) inside(block.children, leaves);
  }
}

function inside(children, leaves) {
  for (const node of children) {
    if (node.children) inside(node.children, leaves);
    else if (node.start !== undefined) leaves.push({ node, siblings: children });
  }
}

function insert(blocks, leaves, added, at) {
  let [low, high] = [0, leaves.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (leaves[middle].node.start < at) low = middle + 1;
    else high = middle;
  }
  const leaf = leaves[Math.max(low - 1, 0)];
  if (!leaf) {
    blocks.push({ kind: "paragraph", start: at, end: at, children: [added] });
  } else if (leaf.block) {
    leaf.siblings.unshift(added);
  } else {
    const { node, siblings } = leaf;
    const [index, cut] = [siblings.indexOf(node), at - node.start];
    const rest = node.kind === "text" && cut > 0 && cut < node.text.length ? [{ ...node, text: node.text.slice(cut), start: at }] : [];
    if (rest.length) node.text = node.text.slice(0, cut);
    siblings.splice(index + 1, 0, added, ...rest);
  }
}

// Divides a passage's text into what stands before the quote, the quote, and what stands behind it. `start` is where the
// quote is, in code points. Returns undefined if the text has no such quote.
export function divide(text, quote, start) {
  if (!quote) return undefined;
  const [expected] = offsets(text, [Math.max(start, 0)]);
  const at = text.startsWith(quote, expected) ? expected : text.indexOf(quote);
  if (at < 0) return undefined;
  return [text.slice(0, at), quote, text.slice(at + quote.length)];
}

// Returns the chunk that has most of a span, or undefined.
export function chunkOf(chunks, span) {
  const [from, to] = [span.start ?? 0, span.end ?? 0];
  const shared = ({ span: own }) => Math.min(own?.end ?? 0, to) - Math.max(own?.start ?? 0, from);
  const best = chunks.reduce((found, one) => (!found || shared(one) > shared(found) ? one : found), undefined);
  return best && shared(best) > 0 ? best : undefined;
}
