// Headers that callers give, checked before they are sent.

// HTTP/2 has no such headers (RFC 9113 8.2.2), and those of the message itself are the transports'.
const OF_TRANSPORTS = /^(connection|content-length|host|keep-alive|proxy-connection|te|transfer-encoding|upgrade)$/i;

/** Returns the headers. Throws if no request can carry one; the error does not repeat the value, which may be a secret. */
export function checkedHeaders(given: HeadersInit = {}): Headers {
  const headers = new Headers();
  for (const [name, value] of Symbol.iterator in given ? given : Object.entries(given)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new TypeError(`'${name}' cannot be the name of a header (RFC 9110 section 5.1)`);
    if (OF_TRANSPORTS.test(name)) throw new TypeError(`the header '${name}' is set by the transport alone`);
    append(headers, name, value);
  }
  return headers;
}

function append(headers: Headers, name: string, value: string): void {
  // Headers takes control characters, with which requests then fail, and repeats what it refuses.
  if (/[^\t -~\x80-\xff]/.test(value)) {
    throw new TypeError(`the header '${name}' has a line break, a control character or a character that is not Latin-1`);
  }
  headers.append(name, value);
}
