// On a narrow window the list of conversations is a drawer: while it is open, the rest of the page rests.

import { byId } from "./elements.js";

const [sidebar, opener] = [byId("sidebar"), byId("show-list")];
const main = document.querySelector("main");

function set(open) {
  sidebar.classList.toggle("open", open);
  opener.setAttribute("aria-expanded", String(open));
  main.inert = open;
}

export function closeDrawer() {
  if (!sidebar.classList.contains("open")) return false;
  set(false);
  return true;
}

export function prepareDrawer() {
  opener.addEventListener("click", () => {
    set(true);
    byId("hide-list").focus();
  });
  byId("hide-list").addEventListener("click", () => closeDrawer() && opener.focus());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && closeDrawer()) opener.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!sidebar.contains(event.target)) closeDrawer();
  });
  // Wide again: the list is a column, and nothing rests.
  matchMedia("(max-width: 48rem)").addEventListener("change", closeDrawer);
}
