// Reads streams with Node and prints, as JSON, how often each form ended cleanly behind its error.
// node reader.mjs URL http1|http2 ROUNDS LAST
import http2 from "node:http2";

const [url, version, rounds, last] = process.argv.slice(2);
const forms = ["application/json", "application/x-ndjson", "text/event-stream"];

async function http1(accept) {
  const response = await fetch(url, { headers: { accept } });
  return await response.text();
}

const session = version === "http2" ? http2.connect(new URL(url).origin) : undefined;

function overHttp2(accept) {
  const { pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": pathname + search, accept });
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (piece) => (text += piece));
    stream.on("end", () => resolve(text));
    stream.on("error", reject);
  });
}

const read = session ? overHttp2 : http1;
const found = {};
for (const form of forms) {
  found[form] = 0;
  for (let round = 0; round < Number(rounds); round++) {
    try {
      found[form] += (await read(form)).includes(last) ? 1 : 0;
    } catch {
      // The response was cut, so the error may be lost.
    }
  }
}
session?.close();
console.log(JSON.stringify(found));
