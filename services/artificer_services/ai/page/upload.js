// Sends a file into a collection. By XMLHttpRequest, since fetch does not tell how much has been sent.

import { ask, credentials } from "./access.js";
import { address, Failure, failureOf } from "./calls.js";

// A body of JSON would be read as messages, and not as a file.
const mediaType = (file) => (!file.type || /json/i.test(file.type) ? "application/octet-stream" : file.type);

// Resolves to the document. `progress` is called with the part that has been sent, from 0 to 1; at 1 the server reads and
// indexes the file. Rejects with a Failure.
export function upload(collection, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(`collections/${encodeURIComponent(collection)}/documents`, { filename: file.name }));
    for (const [name, value] of Object.entries({ ...credentials(), "content-type": mediaType(file), accept: "application/json" })) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(total ? loaded / total : 0));
    request.upload.addEventListener("load", () => progress(1));
    request.addEventListener("error", () => reject(new Failure(0)));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText));
        return;
      }
      const failure = failureOf(request.status, request.responseText, (name) => request.getResponseHeader(name));
      if (failure.status === 401) ask(failure.detail || failure.message);
      reject(failure);
    });
    request.send(file);
  });
}
