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
  else if (typeof source !== "object" || source === null) throw new TypeError(`${source} is not bytes, a Blob or a stream of bytes`);
  else yield* iterable(source instanceof Blob ? source.stream() : source);
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
