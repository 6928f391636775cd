// The dialog that shows the passage a citation points to: where it is, and the quote within its chunk.

import { call } from "./calls.js";
import { chunkOf, divide } from "./citations.js";
import { byId, element, iconButton, isolated } from "./elements.js";

const documentPath = ({ collection, document }) =>
  `collections/${encodeURIComponent(collection)}/documents/${encodeURIComponent(document)}`;
const names = new Map(); // promises of the names of documents, by path

// Resolves to the name of the document that a citation is of.
export function nameOf(citation) {
  const path = documentPath(citation);
  if (!names.has(path)) {
    const asked = call(path).then((found) => found.displayName || found.id);
    names.set(path, asked.catch(() => {
      names.delete(path); // asked for again the next time: the server may have been away
      return citation.document;
    }));
  }
  return names.get(path);
}

// Says on which pages a span is; "" if its document has no pages.
export function pagesOf({ page, lastPage } = {}) {
  if (!page) return "";
  return lastPage && lastPage !== page ? `pages ${page}–${lastPage}` : `page ${page}`;
}

let latest = 0;

// Opens the dialog. The focus returns to the button that was pressed when it is closed.
export async function openPassage(citation) {
  const dialog = byId("passage");
  const number = ++latest;
  const title = element("h2", { id: "passage-title", tabIndex: -1 }, isolated("…"));
  const path = element("p", { className: "path" }, pagesOf(citation.span));
  const chunk = element("div", { className: "chunk", tabIndex: 0, role: "region", "aria-label": "Text of the passage" });
  chunk.append(element("mark", {}, citation.quote ?? ""));
  const note = element("p", { className: "soft", role: "status" }, "Loading the text around the quote…");
  const head = element("div", { className: "head" }, title, iconButton("close", "Close", () => dialog.close()));
  dialog.replaceChildren(head, path, chunk, note);
  dialog.showModal();
  title.focus();
  nameOf(citation).then((name) => { title.firstChild.textContent = name; });
  let [text, found] = ["", undefined];
  try {
    found = await chunkOfDocument(citation);
    text = found ? origin(citation) : "The document was changed: this text is no longer in it.";
  } catch (error) {
    text = error.status === 404 ? "The document was deleted: only the quote is left." : error.message;
  }
  if (number !== latest) return;
  note.textContent = text;
  if (!found) return;
  const headings = (found.headings ?? []).flatMap((one, index) => [index ? " › " : "", isolated(one)]);
  path.replaceChildren(pagesOf(citation.span), headings.length && pagesOf(citation.span) ? " · " : "", ...headings);
  const parts = divide(found.text ?? "", citation.quote ?? "", (citation.span?.start ?? 0) - (found.span?.start ?? 0));
  if (!parts) {
    chunk.prepend(element("p", {}, found.text ?? ""));
    return;
  }
  const mark = element("mark", {}, parts[1]);
  chunk.replaceChildren(parts[0], mark, parts[2]);
  const [box, inner] = [chunk.getBoundingClientRect(), mark.getBoundingClientRect()];
  if (inner.bottom > box.bottom) chunk.scrollTop += inner.top - box.top - 48;
}

const origin = ({ origin: by }) =>
  by === "CITATION_ORIGIN_MODEL" ? "The model named this passage." : "The server found that this passage has the words of the answer.";

// Returns the chunk with the quote; reads the pages of chunks only as far as needed.
async function chunkOfDocument(citation) {
  const { start = 0, end = 0 } = citation.span ?? {};
  const seen = [];
  let token = "";
  do {
    const page = await call(`${documentPath(citation)}/chunks`, { query: { page_size: 200, page_token: token } });
    seen.push(...(page.chunks ?? []));
    token = (seen.at(-1)?.span?.start ?? 0) > end ? "" : (page.nextPageToken ?? "");
  } while (token);
  // Chunks overlap: one that has the whole quote is preferred.
  const whole = seen.find(({ span, text }) => (span?.start ?? 0) <= start && (span?.end ?? 0) >= end && text?.includes(citation.quote ?? ""));
  return whole ?? chunkOf(seen, citation.span ?? {});
}
