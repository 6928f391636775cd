// Inputs of type FormData, checked by zod.

import { z } from "zod";

/** Returns the schema of a form with these fields. A field that is empty, as browsers send it, counts as absent. */
export function form<S extends z.ZodRawShape>(fields: S) {
  // Its type is any, since the fields' own schemas are what checks them.
  const filled = (data: FormData): any => Object.fromEntries([...data].filter(([, value]) => value !== ""));
  return z.instanceof(FormData, { error: "expected multipart/form-data" }).transform(filled).pipe(z.strictObject(fields));
}

export const file = z.instanceof(File, { error: "expected a file" }).refine(({ size }) => size > 0, "the file is empty");

/** Returns the bytes of a file, for calls that take it in one message. */
export async function bytes(given: File): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await given.arrayBuffer());
}
