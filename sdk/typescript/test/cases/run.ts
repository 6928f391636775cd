// Runs one case by any caller and checks the server's side of it. It knows no protocol.

import { type Case, differences, endsEarly, type Outcome, repeats, type Server } from "./table.js";

export type Caller = (one: Case, server: Server, reached: () => Promise<void>) => Promise<Outcome>;

interface Counts {
  started: number;
  cancelled: number;
  finished: number;
}

/** Throws an error that lists how the call differs from the case. */
export async function runCase(one: Case, server: Server, caller: Caller): Promise<void> {
  const before = await counts(one, server);
  const reached = () => until(async () => (await counts(one, server)).started > before.started);
  const outcome = await caller(one, server, reached);
  const found = differences(one, outcome);
  const attempts = repeats(one) ? (await counts(one, server)).started - before.started : undefined;
  if (attempts !== one.expect?.attempts) found.push(`${attempts} attempts instead of ${one.expect?.attempts}`);
  if (found.length) throw new Error(`${one.name}\n${found.join("\n")}`);
  if (endsEarly(one)) await until(async () => (await counts(one, server)).cancelled > before.cancelled);
}

async function counts(one: Case, server: Server): Promise<Counts> {
  const answer = await fetch(`${server.http}/cases/${encodeURIComponent(one.name)}`);
  if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}: is the table the server's?`);
  return (await answer.json()) as Counts;
}

/** Polls until the condition holds. Throws after a minute, which only a fault takes. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition()); ) {
    if (Date.now() > end) throw new Error("the server has not ended the call after a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
