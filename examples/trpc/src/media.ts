// The media types that may be uploaded, told from a file's first bytes. What the client calls the file is not believed.

const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0));

// Each with its bytes by their offset.
const SIGNATURES: [type: string, ...parts: [offset: number, bytes: number[]][]][] = [
  ["application/pdf", [0, ascii("%PDF-")]],
  ["image/png", [0, [0x89, ...ascii("PNG\r\n"), 0x1a, 0x0a]]],
  ["image/jpeg", [0, [0xff, 0xd8, 0xff]]],
  ["image/tiff", [0, [...ascii("II"), 42, 0]]],
  ["image/tiff", [0, [...ascii("MM"), 0, 42]]],
  ["image/webp", [0, ascii("RIFF")], [8, ascii("WEBP")]],
];

/** How many bytes {@link mediaType} looks at. */
export const HEAD_BYTES = 12;

/** Returns the media type of the file that begins with these bytes; undefined if it is neither a PDF nor an image. */
export function mediaType(head: Uint8Array): string | undefined {
  const has = ([offset, bytes]: [number, number[]]) => bytes.every((byte, at) => head[offset + at] === byte);
  return SIGNATURES.find(([, ...parts]) => parts.every(has))?.[0];
}
