// Makes elements. Text is set as text; nothing here or elsewhere on the page reads text as markup.

export const byId = (id) => document.getElementById(id);

// Returns an element with properties, `data-` and `aria-` attributes among them, and children, or lists of these: hostile
// text can make more of them than a call may have arguments.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  // Children first: with dir="auto" each one that is added has the text before it read again.
  for (const child of children.flat()) if (child !== undefined && child !== "") made.append(child);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

// Returns one of the page's symbols, for decoration: its button has a name.
export function icon(name) {
  const [svg, use] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "use")];
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, action) {
  const button = element("button", { type: "button", className: "quiet", title: label, "aria-label": label }, icon(name));
  button.addEventListener("click", action);
  return button;
}

export function textButton(label, action, className = "") {
  const button = element("button", { type: "button", className }, label);
  button.addEventListener("click", action);
  return button;
}

// A name that may have any direction, apart from the text around it.
export const isolated = (text) => element("bdi", {}, text);

// Does nothing if the text is unchanged, since any change would clear a selection.
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// Copies a text. navigator.clipboard exists only on secure origins, and the page may be served over plain HTTP.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const [area, focused] = [element("textarea", { value: text, className: "hidden" }), document.activeElement];
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}
