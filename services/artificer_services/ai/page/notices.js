// What the page says: errors that stay until they are dismissed, and short reports for screen readers.

import { asking } from "./access.js";
import { byId, element, iconButton } from "./elements.js";

// Shows an error of a call, with the id under which the server's log has the request.
export function complain(error) {
  if (asking()) return; // the form that asks for a key says why
  const problem = byId("problem");
  const text = element("div", {}, error.message);
  if (error.requestId) text.append(element("small", {}, `Request ${error.requestId}`));
  problem.replaceChildren(text, iconButton("close", "Dismiss", forget));
  problem.hidden = false;
}

export function forget() {
  byId("problem").hidden = true;
  byId("problem").replaceChildren();
}

export function say(text) {
  byId("status").textContent = text;
}
