// The list of jobs: pages, live progress, and the buttons that change a job.

import { asking as keyless, prepare } from "./access.js";
import { Detail } from "./detail.js";
import { Events } from "./events.js";
import { byId, call, ended, fromTemplate, jobPath, messageOf, Pages, setText, showStatus, showTime, url, word } from "./shown.js";

const REFRESH = 2000; // milliseconds between polls of the list
// A browser opens six HTTP/1.1 connections to a server for all its windows; the log uses one, and calls need some.
const MOST_STREAMS = 3;
const PAGE_SIZE = 25;

const TURNS = { pending: "start", running: "pause", paused: "resume" };
const LABELS = { start: "Start", pause: "Pause", resume: "Resume" };

const [filter, state, problem] = ["filter", "state", "problem"].map(byId);
const body = byId("jobs").tBodies[0];
const rows = new Map(); // by the id of the job
const pages = new Pages(byId("newer"), byId("older"), () => refresh());
const detail = new Detail(complain);
let [timer, asking, asked] = [0, 0, 0];

class Row {
  constructor(id) {
    this.id = id;
    this.element = fromTemplate("job");
    const find = (selector) => this.element.querySelector(selector);
    this.link = find("th a");
    this.about = find("th small");
    this.status = find(".status");
    this.bar = find("progress");
    this.counts = find(".progress small");
    this.time = find("time");
    [this.turn, this.cancel] = [find(".turn"), find(".cancel")];
    this.link.href = `#job=${encodeURIComponent(id)}`;
    this.turn.addEventListener("click", () => this.change(TURNS[this.state]));
    this.cancel.addEventListener("click", () => {
      if (confirm(`Cancel “${this.name}”? Finished results are kept; no further item is processed.`)) this.change("cancel");
    });
  }

  show(job) {
    this.name = job.name;
    setText(this.link, job.name || job.id);
    setText(this.about, [job.projectId, job.id].filter(Boolean).join(" · "));
    this.bar.setAttribute("aria-label", `Progress of ${job.name}`);
    showTime(this.time, job.createTime);
    // While a stream is open, its updates are newer than the answers to calls.
    if (!this.source || ended(job.status)) this.showProgress(job);
  }

  // `progress` is a Progress or a Job; the latter has no percentage.
  showProgress(progress) {
    const [done, failed, total] = ["completedItems", "failedItems", "totalItems"].map((name) => Number(progress[name] ?? 0));
    this.state = word(progress.status);
    showStatus(this.status, progress.status);
    const counted = total ? (100 * (done + failed)) / total : 0;
    this.percent = Math.max(progress.progressPercentage ?? 0, counted, ended(progress.status) ? 0 : (this.percent ?? 0));
    this.bar.value = this.percent;
    const phase = progress.currentPhase && !ended(progress.status) ? ` · ${progress.currentPhase}` : "";
    setText(this.counts, `${done} of ${total}${failed ? ` · ${failed} failed` : ""}${phase}`);
    const turn = TURNS[this.state];
    setText(this.turn, LABELS[turn] ?? "");
    this.turn.hidden = !turn;
    this.cancel.hidden = ended(progress.status);
    for (const button of [this.turn, this.cancel]) button.setAttribute("aria-label", `${button.textContent} ${this.name}`);
  }

  async change(verb) {
    complain("");
    for (const button of [this.turn, this.cancel]) button.disabled = true;
    try {
      const job = await call(jobPath(this.id), { verb });
      this.showProgress(job);
      tell(`${this.name} is ${word(job.status)}.`);
    } catch (error) {
      complain(`${this.name}: ${error.message}`);
    }
    for (const button of [this.turn, this.cancel]) button.disabled = false;
    refresh();
  }

  follow() {
    if (this.source && this.source.readyState !== Events.CLOSED) return;
    const source = (this.source = new Events(url(`${jobPath(this.id)}/progress:stream`)));
    source.addEventListener("message", (event) => this.source === source && this.showProgress(JSON.parse(event.data)));
    source.addEventListener("end", () => { this.leave(); refresh(); });
    source.addEventListener("error", (event) => {
      if (!event.data) return; // a lost connection: the stream reconnects by itself
      this.leave();
      complain(`${this.name}: ${messageOf(event.data)}`);
    });
  }

  leave() {
    this.source?.close();
    this.source = undefined;
  }
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden || keyless()) return;
  const number = ++asked;
  const { status, project_id } = Object.fromEntries(new FormData(filter));
  try {
    const answer = await call("jobs", { query: { page_size: PAGE_SIZE, page_token: pages.token, status, project_id } });
    if (number < asking) return; // a later call was already answered
    asking = number;
    show(answer.jobs ?? []);
    pages.show(answer.nextPageToken ?? "");
    if (state.dataset.kind !== "said") tell(rows.size ? "" : "No jobs match.", "");
  } catch (error) {
    if (keyless()) tell("This server requires you to sign in.", "lost");
    else if (number === asked) tell(`Could not load the list: ${error.message}. Retrying…`, "lost");
  }
  if (number === asked) timer = setTimeout(refresh, REFRESH);
  detail.refresh();
}

function show(jobs) {
  const kept = new Set(jobs.map((job) => job.id));
  for (const [id, row] of rows) {
    if (kept.has(id)) continue;
    row.leave();
    row.element.remove();
    rows.delete(id);
  }
  jobs.forEach((job, place) => {
    if (!rows.has(job.id)) rows.set(job.id, new Row(job.id));
    const row = rows.get(job.id);
    row.show(job);
    // Elements in place are not moved: moving an element takes the focus from it.
    if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
  });
  let streams = 0;
  for (const { id } of jobs) {
    const row = rows.get(id);
    if (row.state === "running" && streams++ < MOST_STREAMS) row.follow();
    else if (row.state !== "running") row.leave();
  }
}

function tell(text, kind = "said") {
  setText(state, text);
  state.dataset.kind = kind;
}

function complain(text) {
  setText(problem, text);
}

filter.addEventListener("submit", (event) => {
  event.preventDefault();
  tell("", "");
  pages.reset();
  refresh();
});
filter.elements.status.addEventListener("change", () => filter.requestSubmit());

// A hidden page stops polling, and leaves its connections to other windows.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    for (const row of rows.values()) row.leave();
    detail.pause();
  } else {
    detail.go();
    refresh();
  }
});

const open = () => detail.open(new URLSearchParams(location.hash.slice(1)).get("job") ?? "");
addEventListener("hashchange", open);
prepare(document.querySelector("header"), () => {
  complain("");
  tell("", "");
  detail.go();
  refresh();
});
open();
refresh();
