// Encodes and decodes the few protobuf messages that the page sends over gRPC-Web; see message_service.proto.

const text = new TextEncoder();
const decoder = new TextDecoder();

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return bytes;
}

// Encodes [number, value] fields. A value is a string, a number, a boolean or an encoded message; undefined is omitted.
function encode(fields) {
  const bytes = [];
  for (const [number, value] of fields) {
    if (value === undefined || value === "") continue;
    if (typeof value === "number" || typeof value === "boolean") {
      bytes.push(...varint(number * 8), ...varint(Number(value)));
    } else {
      const data = typeof value === "string" ? text.encode(value) : value;
      bytes.push(...varint(number * 8 + 2), ...varint(data.length), ...data);
    }
  }
  return new Uint8Array(bytes);
}

// Returns a message's fields by number, keeping the last of each: varints as numbers, everything else as bytes.
function decode(bytes) {
  const fields = {};
  let at = 0;
  const next = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0: fields[number] = next(); break;
      case 1: at += 8; break;
      case 2: { const size = next(); fields[number] = bytes.subarray(at, at += size); break; }
      case 5: at += 4; break;
      default: throw new Error("malformed protobuf message");
    }
  }
  return fields;
}

const string = (bytes) => (bytes ? decoder.decode(bytes) : "");

export const streamMessagesRequest = ({ channel, after, historySize, includeUser }) =>
  encode([[1, channel], [2, after], [3, historySize], [4, includeUser]]);

export const sendMessagesRequest = ({ channel, user, content, requestId }) =>
  encode([[1, channel], [2, encode([[1, user.id], [2, user.displayName]])], [3, content], [5, requestId]]);

export function message(bytes) {
  const fields = decode(bytes);
  const time = fields[4] ? decode(fields[4]) : {};
  const user = fields[5] ? decode(fields[5]) : {};
  return {
    id: string(fields[1]),
    content: string(fields[3]),
    createTime: new Date((time[1] ?? 0) * 1000).toISOString(),
    user: { id: string(user[1]), displayName: string(user[2]) },
    fileCount: fields[7] ?? 0,
    requestId: string(fields[8]),
  };
}
