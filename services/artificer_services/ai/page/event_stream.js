// Reads Server-Sent Events from the response of a fetch, which unlike EventSource can be a POST with headers.

// Divides text, in pieces of any size, into events { type, data }, by the HTML standard.
export class EventParser {
  #rest = "";
  #type = "";
  #data = [];

  // Returns the events that this piece completes.
  feed(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (!line) {
        if (this.#data.length) events.push({ type: this.#type || "message", data: this.#data.join("\n") });
        [this.#type, this.#data] = ["", []];
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "data") this.#data.push(value);
      else if (name === "event") this.#type = value;
    }
    return events;
  }
}

// Yields lists of the events that arrived together, so that a quick stream is shown once for many.
export async function* eventsOf(body) {
  const [reader, parser, decoder] = [body.getReader(), new EventParser(), new TextDecoder()];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = parser.feed(decoder.decode(value, { stream: true }));
      if (events.length) yield events;
    }
  } finally {
    reader.cancel().catch(() => {}); // leaves a stream that is not read to its end
  }
}
