// Asks before something is deleted.

import { byId } from "./elements.js";

// Resolves to whether the visitor agreed.
export function confirmed(text) {
  const [dialog, yes, no] = ["confirm", "confirm-yes", "confirm-no"].map(byId);
  byId("confirm-text").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  no.focus();
  yes.onclick = () => dialog.close("yes");
  no.onclick = () => dialog.close("");
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
