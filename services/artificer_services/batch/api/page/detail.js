// The details of one job: its facts, its results and its live log.

import { Events } from "./events.js";
import { byId, call, ended, fromTemplate, jobPath, messageOf, Pages, setText, showStatus, url, word } from "./shown.js";

const PAGE_SIZE = 50;
const LINES = 1000; // of the log kept on the page
const LONG = 300; // characters of an input that are shown, since it may be a whole document

export class Detail {
  constructor(complain) {
    this.complain = complain;
    [this.section, this.title, this.facts, this.which, this.log] = ["detail", "detail-name", "facts", "which", "log"].map(byId);
    this.body = byId("results").tBodies[0];
    this.pages = new Pages(byId("back"), byId("on"), () => this.#showResults());
    this.id = "";
    this.which.elements.status.addEventListener("change", () => {
      this.pages.reset();
      this.#showResults();
    });
    this.which.addEventListener("submit", (event) => event.preventDefault());
  }

  // Shows the job with an id, or none.
  async open(id) {
    if (id === this.id) return;
    this.pause();
    this.id = id;
    [this.job, this.after, this.logEnded] = [undefined, "", false];
    for (const element of [this.facts, this.body, this.log]) element.replaceChildren();
    this.pages.reset();
    this.section.hidden = !id;
    if (!id) return;
    setText(this.title, id);
    this.title.focus();
    await this.refresh();
    this.go();
  }

  // Reloads the job, unless it cannot have changed.
  async refresh() {
    const id = this.id;
    if (!id || (this.job && ended(this.job.status))) return;
    try {
      const job = await call(jobPath(id));
      if (id !== this.id) return;
      this.job = job;
      this.#showFacts(job);
      await this.#showResults();
    } catch (error) {
      // For a job that was loaded before, the list already reports the error.
      if (id === this.id && !this.job) this.complain(`${id}: ${error.message}`);
    }
  }

  // Follows the log after the last line received.
  go() {
    if (!this.id || this.source || this.logEnded) return;
    const source = (this.source = new Events(url(`${jobPath(this.id)}/logs:stream`, { after: this.after })));
    source.addEventListener("message", (event) => {
      if (source !== this.source) return;
      const entry = JSON.parse(event.data);
      // A line received just before the connection was lost may come again.
      if (this.after && entry.id <= this.after) return;
      this.after = entry.id;
      this.#showLine(entry);
    });
    source.addEventListener("end", () => {
      if (source !== this.source) return;
      this.logEnded = true;
      this.pause();
    });
    source.addEventListener("error", (event) => {
      if (!event.data && source.readyState !== Events.CLOSED) return;
      if (source !== this.source) return;
      this.pause();
      if (event.data) this.complain(`The log ended: ${messageOf(event.data)}`);
    });
  }

  // Stops following the log.
  pause() {
    this.source?.close();
    this.source = undefined;
  }

  #showFacts(job) {
    setText(this.title, job.name || job.id);
    const phases = (job.phases ?? []).map((phase) => `${phase.name} (${phase.taskType})`).join(" → ");
    const time = (stamp) => (stamp ? new Date(stamp).toLocaleString() : "—");
    const known = [
      ["Id", job.id],
      ["State", word(job.status)],
      ["Project", job.projectId || "—"],
      ["Phases", phases],
      ["Items", `${job.totalItems ?? 0}: ${job.completedItems ?? 0} completed, ${job.failedItems ?? 0} failed`],
      ["Created", time(job.createTime)],
      ["Started", time(job.startTime)],
      ["Ended", time(job.completeTime)],
      ["Tokens", `${job.tokensUsed ?? 0}`],
      ["Cost", `$${(job.costIncurred ?? 0).toFixed(4)}`],
    ];
    if (!this.facts.childElementCount) {
      for (const [name] of known) {
        const term = document.createElement("dt");
        term.textContent = name;
        this.facts.append(term, document.createElement("dd"));
      }
    }
    const values = this.facts.querySelectorAll("dd");
    known.forEach(([, value], place) => setText(values[place], value));
  }

  async #showResults() {
    const [id, token, status] = [this.id, this.pages.token, this.which.elements.status.value];
    let answer;
    try {
      const query = { page_size: PAGE_SIZE, page_token: token, status };
      answer = await call(`${jobPath(id)}/results`, { query });
    } catch (error) {
      this.complain(`Could not load the results: ${error.message}`);
      this.pages.show(this.pages.next);
      return;
    }
    if (id !== this.id || token !== this.pages.token || status !== this.which.elements.status.value) return;
    this.pages.show(answer.nextPageToken ?? "");
    const [results, rows] = [answer.results ?? [], this.body.children];
    results.forEach((result, place) => {
      const known = JSON.stringify(result);
      if (rows[place]?.known === known) return; // keeps text that the visitor has expanded
      const row = this.#resultRow(result);
      row.known = known;
      if (rows[place]) rows[place].replaceWith(row);
      else this.body.append(row);
    });
    while (rows.length > results.length) rows[results.length].remove();
  }

  #resultRow(result) {
    const row = fromTemplate("result");
    const [error, details] = [row.querySelector(".error"), row.querySelector("details")];
    row.querySelector("th").textContent = result.itemIndex ?? "0";
    showStatus(row.querySelector(".status"), result.status);
    row.querySelector(".input").textContent = nameOf(result);
    error.textContent = result.error ?? "";
    error.hidden = !result.error;
    const outputs = Object.entries(result.phaseOutputs ?? {});
    details.hidden = !result.output && !outputs.length;
    details.querySelector("summary").textContent = short(result.output || "what the phases made", 80);
    const texts = outputs.map(([phase, text]) => `${phase}:\n${text}`);
    details.querySelector("pre").textContent = texts.length ? texts.join("\n\n") : (result.output ?? "");
    return row;
  }

  #showLine(entry) {
    const line = document.createElement("li");
    const level = (entry.level ?? "").replace("LOG_LEVEL_", "");
    line.className = level;
    const place = [entry.itemIndex === undefined ? "" : `item ${entry.itemIndex}`, entry.phase].filter(Boolean).join(" ");
    const time = new Date(entry.createTime).toLocaleTimeString();
    line.textContent = [time, level, place && `${place}:`, entry.message].filter(Boolean).join(" ");
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 50;
    this.log.append(line);
    while (this.log.children.length > LINES) this.log.firstElementChild.remove();
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

// Returns the name of an item from its metadata, or else its input.
const nameOf = (result) => short(result.metadata?.name || (result.input ?? ""), LONG);

function short(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
