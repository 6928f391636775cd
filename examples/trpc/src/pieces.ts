// An upload as the messages of a stream: bytes with the media type of the file.

import { type Bytes, chunks } from "@artificer/client/node";
import { TRPCError } from "@trpc/server";
import { HEAD_BYTES, mediaType } from "./media.js";

export interface Piece {
  contentType: string;
  data: Uint8Array;
}

/**
 * Yields a PDF or an image in pieces, reading on only when the next one is asked for: the gateway sets the pace.
 * Throws UNSUPPORTED_MEDIA_TYPE, before the first piece, for any other file.
 */
export async function* pieces(source: Bytes): AsyncGenerator<Piece, void, undefined> {
  let contentType: string | undefined;
  let head = new Uint8Array();
  for await (const chunk of chunks(source)) {
    const data: Uint8Array = contentType === undefined ? Buffer.concat([head, chunk]) : chunk;
    if (contentType === undefined && data.length < HEAD_BYTES) {
      head = new Uint8Array(data);
      continue;
    }
    contentType ??= known(mediaType(data));
    yield { contentType, data };
  }
  if (contentType === undefined) yield { contentType: known(mediaType(head)), data: head };
}

function known(type: string | undefined): string {
  if (type !== undefined) return type;
  throw new TRPCError({ code: "UNSUPPORTED_MEDIA_TYPE", message: "expected a PDF document or an image: PNG, JPEG, TIFF or WebP" });
}
