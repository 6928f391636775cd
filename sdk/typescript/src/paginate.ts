// Lists that come in pages. It works with every method that has page_token and next_page_token (AIP-158).

import { Code } from "@connectrpc/connect";
import { ArtificerError } from "./errors.js";

/** The items of a page: the type of the elements of its only list. */
export type Item<Page> = {
  [Field in keyof Page]-?: Field extends `$${string}` ? never : Page[Field] extends (infer One)[] ? One : never;
}[keyof Page];

/**
 * Yields the items of all pages: `paginate(client.batch.listJobs, { pageSize: 100 })`. It asks for the next page when the
 * items of the last one are used up. `options` go to each call.
 */
export async function* paginate<Request, Page extends { nextPageToken: string }, Options>(
  list: (request: Request, options?: Options) => Promise<Page>,
  request: Request & { pageToken?: string },
  options?: Options,
): AsyncGenerator<Item<Page>, void, undefined> {
  let pageToken = request.pageToken ?? "";
  do {
    const page = await list({ ...request, pageToken }, options);
    yield* items(page);
    // It would go on without end.
    if (page.nextPageToken !== "" && page.nextPageToken === pageToken) {
      throw new ArtificerError("the server named the same page as the next one", Code.Internal);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function items<Page extends object>(page: Page): Item<Page>[] {
  // protobuf-es keeps fields that it does not know in the list $unknown.
  const lists = Object.entries(page).filter(([name, value]) => Array.isArray(value) && !name.startsWith("$"));
  if (lists.length !== 1) throw new TypeError(`a page has one list of items; this one has ${lists.length}`);
  return lists[0]![1] as Item<Page>[];
}
