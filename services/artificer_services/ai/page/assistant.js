// The page that talks to a model and to collections: which conversation is open, and what the visitor does with it.

import { asking, prepare } from "./access.js";
import { Answer, conversationPath } from "./answering.js";
import { all, call, newId } from "./calls.js";
import { Collections } from "./collections.js";
import { Composer } from "./composer.js";
import { confirmed } from "./confirm.js";
import { ConversationList, titleOf } from "./conversation_list.js";
import { closeDrawer, prepareDrawer } from "./drawer.js";
import { byId } from "./elements.js";
import { Heading } from "./heading.js";
import { Models } from "./models.js";
import { complain, forget, say } from "./notices.js";
import { openPassage } from "./passage.js";
import { Thread } from "./thread.js";

const [POLL, LONGEST_WAIT] = [1000, 10_000]; // milliseconds
const ENDS = { MESSAGE_STATE_STOPPED: "The answer was stopped.", MESSAGE_STATE_FAILED: "The answer failed." };
const blank = () => ({ model: "", collections: [] });

const answers = new Map(); // those that this page reads, by the id of their conversation
let open = { id: "", conversation: blank() }; // replaced when another conversation is opened
let unsent = {}; // the last message that may not have arrived: { id, text, requestId }
let pending; // the last of the changes that are not stored yet
let changes = 0; // how many were stored; a conversation that was asked for before one may not have it

const list = new ConversationList(complain);
const composer = new Composer(send, stop);
const models = new Models((model) => change({ model }));
const collections = new Collections(async (ids) => change({ collections: ids }, { failing: true }), say);
const thread = new Thread({ cite: openPassage, fork, regenerate: () => send(), say });
const heading = new Heading({ rename: (name) => change({ displayName: name }), fork: () => fork(), remove });

const wait = (time) => new Promise((done) => setTimeout(done, time));
const idOf = (hash) => new URLSearchParams(hash.slice(1)).get("conversation") ?? "";
const busy = (place) => answers.has(place.id) || Boolean(place.conversation.answering);

// Runs an action of the visitor; shows its error. Answers whether it worked.
async function attempt(action) {
  forget();
  try {
    await action();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

function draw() {
  heading.show(open.id ? open.conversation : undefined);
  models.show(open.conversation.model ?? "");
  collections.show(open.conversation.collections ?? []);
  composer.show(busy(open));
  list.mark(open.id);
}

// Opens the conversation that the address names.
async function navigate() {
  const id = idOf(location.hash);
  const place = { id, conversation: id === open.id ? open.conversation : blank() };
  open = place;
  forget();
  thread.show([]);
  draw();
  if (!id) {
    composer.focus();
    return;
  }
  await attempt(() => load(place));
  if (place === open) say(`${titleOf(place.conversation)} was opened.`);
}

// Loads a conversation with its messages as they are stored.
async function load(place, { keep = false } = {}) {
  const path = conversationPath(place.id);
  let [conversation, messages, before] = [];
  do {
    before = changes;
    [conversation, messages] = await Promise.all([call(path), all(`${path}/messages`, "messages")]);
    if (place !== open) return;
  } while (before !== changes);
  place.conversation = conversation;
  const running = answers.get(place.id);
  // A running answer is stored too, from its start on: it is shown as this page reads it.
  const stored = running ? messages.filter(({ state }) => state !== "MESSAGE_STATE_RUNNING") : messages;
  if (keep) thread.update(stored, { busy: busy(place) });
  else thread.show(stored, { answer: running, busy: busy(place) });
  draw();
  if (!running && conversation.answering) follow(place);
}

// Shows an answer that another page or program asked for, until it has ended.
async function follow(place) {
  await wait(POLL);
  if (place === open && !answers.has(place.id)) await reload(place);
}

// Loads what is stored, again and again while the server is away. Answers whether it was loaded.
async function reload(place) {
  for (let time = POLL; place === open; time = Math.min(2 * time, LONGEST_WAIT)) {
    try {
      await load(place, { keep: true });
      if (time > POLL) forget(); // the server is back
      return true;
    } catch (error) {
      if (!error.passing) {
        complain(error);
        return false;
      }
      say("The server is away; trying again.");
      await wait(time);
    }
  }
  return false;
}

// Sends a message, or asks for another answer if there is no text, once the changes made before it are stored: a model that
// was just chosen answers already.
async function send(text) {
  const place = open;
  composer.show(true);
  const ready = await attempt(async () => {
    await pending;
    if (!place.id) await inTurn(() => create(place));
  });
  if (ready) await answer(place, text);
  else {
    if (text !== undefined) composer.fill(text);
    draw();
  }
}

// Runs a change after those before it.
async function inTurn(action) {
  const before = pending;
  const turn = (async () => {
    await before?.catch(() => {}); // whoever made it shows its failure
    await action();
    changes += 1;
  })();
  pending = turn;
  try {
    await turn;
  } finally {
    if (pending === turn) pending = undefined;
  }
}

// Stores the conversation that was only on this page until now.
async function create(place) {
  const { model, collections: bound } = place.conversation;
  place.conversation = await call("conversations", { method: "POST", body: { model, collections: bound } });
  place.id = place.conversation.id;
  if (place === open) history.pushState(null, "", `#conversation=${encodeURIComponent(place.id)}`);
}

// Sends a message, or asks for another answer if there is no text, and shows the answer while it arrives.
async function answer(place, text) {
  const again = unsent.id === place.id && unsent.text === text;
  const requestId = again ? unsent.requestId : newId();
  unsent = { id: place.id, text, requestId };
  const running = new Answer(place.id);
  answers.set(place.id, running);
  const count = thread.messages.length;
  forget();
  if (place === open) thread.begin(running, text);
  draw();
  const stored = () => {
    if (!running.sent) return;
    running.removeEventListener("change", stored);
    named(place);
  };
  running.addEventListener("change", stored);
  let failure;
  try {
    await running.run(text, requestId);
  } catch (error) {
    failure = error;
  }
  answers.delete(place.id);
  const here = open.id === place.id;
  for (const one of [place, here && open]) if (one) one.conversation.answering = false; // it may have been opened again
  if (failure) complain(failure);
  if (here && !(thread.settle(running) && !failure)) {
    draw();
    const arrived = (await reload(open)) && thread.messages.length > count;
    // A message that did not arrive is kept for another try, under the same id.
    if (text !== undefined && !arrived && open.id === place.id && !composer.text.value) composer.fill(text);
  }
  if (running.sent) unsent = {};
  if (here) say(ENDS[running.message.state] ?? (failure ? "" : "The answer is complete."));
  await named(place);
}

// The server names a conversation after its first message.
async function named(place) {
  list.refresh();
  if (open.id !== place.id) return;
  if (!open.conversation.displayName) {
    const fresh = await call(conversationPath(place.id)).catch(() => ({}));
    if (open.id !== place.id) return;
    open.conversation = { ...open.conversation, displayName: open.conversation.displayName || fresh.displayName };
  }
  draw();
}

async function stop() {
  const [place, running] = [open, answers.get(open.id)];
  composer.stopButton.disabled = true;
  const stopped = await attempt(async () => {
    if (running) await running.stop();
    else await call(`${conversationPath(place.id)}:stop`, { method: "POST", body: {} });
  });
  composer.stopButton.disabled = false;
  if (stopped && !running) await reload(place);
}

// Changes fields of the open conversation; those of a new one are kept until it is stored. Answers whether that worked, or
// throws the failure if `failing` is set.
async function change(fields, { failing = false } = {}) {
  const place = open;
  const action = () => inTurn(async () => {
    if (place.id) {
      const query = { update_mask: Object.keys(fields).join(",") };
      const changed = await call(conversationPath(place.id), { method: "PATCH", query, body: fields });
      for (const one of [place, open.id === place.id && open]) { // it may have been opened again
        if (one) one.conversation = { ...changed, answering: one.conversation.answering };
      }
    } else {
      place.conversation = { ...place.conversation, ...fields };
    }
    if (open.id === place.id) draw();
    if (fields.displayName) list.refresh();
  });
  if (!failing) return attempt(action);
  await action();
  return true;
}

// Copies the open conversation up to a message, or all of it, and opens the copy.
async function fork(message) {
  const { id } = open;
  await attempt(async () => {
    await pending;
    const body = { message: message?.id ?? "", requestId: newId() };
    const copy = await call(`${conversationPath(id)}:fork`, { method: "POST", body });
    list.refresh();
    location.hash = `conversation=${encodeURIComponent(copy.id)}`;
  });
}

async function remove() {
  const place = open;
  if (!(await confirmed(`Delete “${titleOf(place.conversation)}” with all its messages? This cannot be undone.`))) return;
  await attempt(async () => {
    await call(conversationPath(place.id), { method: "DELETE" });
    say(`${titleOf(place.conversation)} was deleted.`);
    list.refresh();
    if (place === open) location.hash = "";
  });
}

function start() {
  if (asking()) return;
  list.refresh();
  models.load().catch((error) => complain(error));
  navigate();
}

byId("new").addEventListener("click", () => {
  closeDrawer();
  if (open.id) location.hash = "";
  else composer.focus();
});
byId("conversations").addEventListener("click", (event) => {
  if (event.target.closest("a") && closeDrawer()) heading.focus();
});
addEventListener("hashchange", navigate);
prepareDrawer();
prepare(byId("account"), start);
byId("sign-out").append(byId("account").lastElementChild); // the button that signs out
start();
