// Who asks: the key or token that people give a page, once a server wants to know. It is kept as long as the tab is, and
// goes with calls as a header, or in the first frame of a WebSocket; it is in no URL and in no cookie.

const KEPT = "artificer.credential";
let memory = ""; // where the browser keeps nothing for pages
let [form, input, why, leave, changed] = [];

function credential() {
  try {
    return sessionStorage.getItem(KEPT) ?? memory;
  } catch {
    return memory;
  }
}

function keep(value) {
  memory = value;
  try {
    if (value) sessionStorage.setItem(KEPT, value);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Then it is in memory alone.
  }
  leave.hidden = !value;
}

// What goes with a call. API keys are taken as bearers too, so that nobody has to say which of the two it is.
export const credentials = () => (credential() ? { authorization: `Bearer ${credential()}` } : {});

// Whether the page waits for a key, so that it need not ask the server in vain.
export const asking = () => Boolean(form && !form.hidden);

// The server wants to know who asks, or does not take what it was told; `text` is what it said.
export function ask(text) {
  why.textContent = text;
  if (asking()) return;
  form.hidden = false;
  input.focus();
}

// Make ready to ask within an element; `told` is called when there is another key.
export function prepare(place, told) {
  changed = told;
  form = document.createElement("form");
  form.id = "access";
  form.hidden = true;
  const label = document.createElement("label");
  input = document.createElement("input");
  Object.assign(input, { type: "password", required: true, autocomplete: "off", spellcheck: false });
  label.append("Key or token ", input);
  why = document.createElement("p");
  why.setAttribute("role", "alert");
  form.append(label, button("submit", "Sign in"), why);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keep(input.value.trim());
    form.reset();
    form.hidden = true;
    changed();
  });
  leave = button("button", "Sign out");
  leave.hidden = !credential();
  leave.addEventListener("click", () => {
    keep("");
    location.reload(); // nothing of what was shown stays
  });
  place.append(form, leave);
}

function button(type, text) {
  return Object.assign(document.createElement("button"), { type, textContent: text });
}
