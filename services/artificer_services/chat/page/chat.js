// The chat page: shows messages, tracks those being sent, and reconnects. Inserts text only, never markup.

import { ask, prepare } from "./access.js";
import { TRANSPORTS, UNAUTHENTICATED } from "./transports.js";

const base = location.pathname.replace(/\/chat$/, "");
const [join, say] = [document.getElementById("join"), document.getElementById("say")];
const [log, state, leave] = ["log", "state", "leave"].map((id) => document.getElementById(id));

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;
const SHOWN = 2000; // messages kept on the page

let session; // of one channel: { transport, place, pending, seen, wait, timer }

// Retries the call that was refused once there is a key.
prepare(document.querySelector("header"), () => {
  if (session) connect(session);
});

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = join.elements.namedItem(name);
  if (field) field.value = value;
}

join.addEventListener("submit", (event) => {
  event.preventDefault();
  end();
  log.replaceChildren();
  const { channel, user, transport } = Object.fromEntries(new FormData(join));
  const id = user.trim();
  session = { kind: transport, place: { channel, user: { id }, after: "" }, pending: new Map(), wait: FIRST_WAIT };
  connect(session);
});

leave.addEventListener("click", () => {
  end();
  setState("Not in a channel.");
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  const content = say.elements.content.value;
  if (!content.trim() || !session) return;
  say.reset();
  const requestId = newId();
  session.pending.set(requestId, { content, item: show({ user: session.place.user, content }, "pending") });
  session.transport.say(content, requestId);
});

function connect(own) {
  setState("Joining…");
  enable(true);
  own.transport = new TRANSPORTS[own.kind](base, own.place, {
    joined() {
      own.wait = FIRST_WAIT;
      setState(`In ${own.place.channel} as ${own.place.user.id}.`);
      // Messages without an echo may or may not have been stored; their request ids make it safe to send them again.
      for (const [requestId, { content }] of own.pending) own.transport.say(content, requestId);
    },
    message(message) {
      if (own.place.after && message.id <= own.place.after) {
        settle(own, message); // acknowledges a message that is already shown
        return;
      }
      own.place.after = message.id;
      settle(own, message);
      show(message, message.user?.id === own.place.user.id ? "own" : "");
    },
    refused(requestId, text, code) {
      if (code === UNAUTHENTICATED) ask(text);
      const { item } = own.pending.get(requestId) ?? {};
      own.pending.delete(requestId);
      item?.classList.replace("pending", "refused");
      item?.append(` (not sent: ${text})`);
    },
    ended({ text, code, again }) {
      if (own !== session) return;
      if (code === UNAUTHENTICATED) {
        setState("This server requires you to sign in.", "error");
        ask(text);
        return;
      }
      setState(again ? `${text}; reconnecting…` : text, "error");
      if (!again) { session = undefined; enable(false); return; }
      own.timer = setTimeout(() => connect(own), own.wait * (0.5 + Math.random() / 2));
      own.wait = Math.min(own.wait * 2, LONGEST_WAIT);
    },
  });
  own.transport.join();
}

function end() {
  if (!session) return;
  clearTimeout(session.timer);
  session.transport.leave();
  session = undefined;
  enable(false);
}

function settle(own, message) {
  const sent = message.requestId && own.pending.get(message.requestId);
  if (!sent || message.user?.id !== own.place.user.id) return;
  sent.item.remove();
  own.pending.delete(message.requestId);
}

function show(message, kind) {
  const item = document.createElement("li");
  if (kind) item.classList.add(kind);
  if (message.createTime) {
    const time = document.createElement("time");
    time.dateTime = message.createTime;
    time.textContent = new Date(message.createTime).toLocaleTimeString();
    item.append(time);
  }
  const user = document.createElement("span");
  user.className = "user";
  user.textContent = message.user?.displayName || message.user?.id || "unknown";
  const content = document.createElement("span");
  content.className = "content";
  content.textContent = message.content + (message.fileCount ? ` [${message.fileCount} file(s)]` : "");
  item.append(user, content);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 50;
  log.append(item);
  while (log.children.length > SHOWN) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
  return item;
}

function setState(text, kind = "") {
  state.textContent = text;
  state.dataset.kind = kind;
}

function enable(inside) {
  leave.hidden = !inside;
  for (const element of say.elements) element.disabled = !inside;
  if (inside) say.elements.content.focus();
}

// crypto.randomUUID exists only on secure origins, and the page may be served over plain HTTP.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
