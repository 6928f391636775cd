// Asks the visitor for an API key or token when the server requires one, and keeps it as long as the tab is open. Calls
// send it in a header, or in the first frame of a WebSocket; it is never in a URL or a cookie.

const KEPT = "artificer.credential";
let memory = ""; // for browsers that deny pages any storage
let [form, input, reason, leave, changed] = [];

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
    // It is then kept in memory only.
  }
  leave.hidden = !value;
}

// Returns the headers of a call. The gateway also accepts API keys as bearer tokens, so visitors need not say which one
// they enter.
export const credentials = () => (credential() ? { authorization: `Bearer ${credential()}` } : {});

// Whether the page is waiting for a key, so that calls would fail.
export const asking = () => Boolean(form && !form.hidden);

// Shows the form after the server has refused a call for lack of valid credentials; `text` is its message.
export function ask(text) {
  reason.textContent = text;
  if (asking()) return;
  form.hidden = false;
  input.focus();
}

// Adds the hidden form to an element; `onChange` is called when the visitor has entered a key.
export function prepare(place, onChange) {
  changed = onChange;
  form = document.createElement("form");
  form.id = "access";
  form.hidden = true;
  const label = document.createElement("label");
  input = document.createElement("input");
  Object.assign(input, { type: "password", required: true, autocomplete: "off", spellcheck: false });
  label.append("Key or token ", input);
  reason = document.createElement("p");
  reason.setAttribute("role", "alert");
  form.append(label, button("submit", "Sign in"), reason);
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
    location.reload(); // removes everything that was shown
  });
  place.append(form, leave);
}

function button(type, text) {
  return Object.assign(document.createElement("button"), { type, textContent: text });
}
