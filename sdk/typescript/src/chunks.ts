// Bytes in pieces, for streams of requests.

/** What an upload may be read from. A Node stream is an AsyncIterable. */
export type Bytes = Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** How bytes are cut. */
export interface ChunkOptions {
  /** The largest chunk in bytes; 64 KiB by default. */
  size?: number;
  /** Called with the number of bytes so far, each time a chunk was taken. */
  onProgress?: (bytes: number) => void;
}

/** Yields the bytes in chunks. It reads no further than the chunk that is asked for. At least one chunk is yielded, if empty. */
export async function* chunks(source: Bytes, { size = 65_536, onProgress }: ChunkOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  if (!(size >= 1)) throw new RangeError(`size is ${size}; a chunk has at least one byte`);
  let sent = 0;
  let count = 0;
  for await (const piece of pieces(source)) {
    if (!isBytes(piece)) throw new TypeError(`the stream yields ${typeof piece === "string" ? "text; leave out its encoding" : "values that are no Uint8Array"}`);
    for (let start = 0; start < piece.length; start += size) {
      const chunk = piece.subarray(start, start + size);
      yield chunk;
      count++;
      onProgress?.((sent += chunk.length));
    }
  }
  if (count === 0) yield new Uint8Array();
}

async function* pieces(source: Bytes): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) yield source;
  else if (source instanceof ArrayBuffer) yield new Uint8Array(source);
  else if (source instanceof Blob) yield* iterable(source.stream());
  else if (isStream(source)) yield* iterable(source);
  else throw new TypeError(`${nameOf(source)} is not bytes, a Blob or a stream of bytes`);
}

/** Whether this is a Uint8Array, also one of another realm or of Node's Buffer. */
function isBytes(piece: unknown): piece is Uint8Array {
  return ArrayBuffer.isView(piece) && (piece as Partial<Uint8Array>)[Symbol.toStringTag] === "Uint8Array";
}

function isStream(source: unknown): source is ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> {
  return typeof source === "object" && source !== null && (Symbol.asyncIterator in source || "getReader" in source);
}

function nameOf(source: unknown): string {
  return typeof source === "object" && source !== null ? `an object of ${source.constructor?.name ?? "no class"}` : String(source);
}

/** Reads a stream by its reader where it is no async iterable yet (Safari). */
async function* iterable(source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (Symbol.asyncIterator in source) return yield* source;
  const reader = (source as ReadableStream<Uint8Array>).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel();
  }
}
