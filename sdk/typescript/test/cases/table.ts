// The table of cases: what a client sends, and what it must see. It knows no protocol; ../../../tests/sdk/cases/README.md
// describes the format.

import { create, createRegistry, type DescMessage, type DescMethod, fromBinary, fromJson, type JsonObject, type JsonValue, type Message, type MessageShape, ScalarType, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, services } from "@artificer/client";
import { file_google_rpc_error_details } from "@artificer/client/gen/google/rpc/error_details_pb";

type Metadata = Record<string, string | string[]>;
type Fill = { field: string; bytes: number };
type Status = { code?: string; message?: string; details?: JsonObject[] };

export interface Case {
  name: string;
  method: string;
  metadata?: Metadata;
  requests?: JsonObject[];
  repeat?: number;
  fill?: Fill;
  lockstep?: boolean;
  deadline_seconds?: number;
  cancel_after?: number;
  tls?: boolean;
  api_key?: string;
  server?: {
    responses?: JsonObject[];
    responses_wire?: string[];
    repeat?: number;
    fill?: Fill;
    wait?: boolean;
    status?: Status;
    initial_metadata?: Metadata;
    trailing_metadata?: Metadata;
  };
  expect?: Status & { attempts?: number; responses?: JsonObject[]; count?: number; initial_metadata?: Metadata; trailing_metadata?: Metadata };
}

/** The line of JSON that the case server prints. */
export interface Server {
  http: string;
  https: string;
  grpc: string;
  grpcs: string;
  ca: string;
  cases: string;
  api_key: string;
}

/** What a client saw of a call. */
export interface Outcome {
  code: number;
  message: string;
  details: { type: string; value: Uint8Array }[];
  responses: Message[];
  header: Headers;
  trailer: Headers;
}

const registry = createRegistry(file_google_rpc_error_details, ...Object.values(services).map((service) => service.file));

export function methodOf({ method }: Case): { client: keyof typeof services; method: DescMethod } {
  const [type, name] = method.split("/");
  for (const [client, service] of Object.entries(services)) {
    const found = service.typeName === type && service.methods.find((one) => one.name === name);
    if (found) return { client: client as keyof typeof services, method: found };
  }
  throw new Error(`no client has the method ${method}`);
}

export function streamsRequests({ methodKind }: DescMethod): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

/** The messages that the client sends. */
export function requestsOf(one: Case): Message[] {
  const { input } = methodOf(one).method;
  const once = (one.requests ?? [{}]).map((json) => message(input, json, one.fill));
  return Array.from({ length: once.length * (one.repeat ?? 1) }, (_, index) => once[index % once.length]!);
}

/** The metadata that the client sends, as pairs. */
export function metadataOf(one: Case, server: Server): [string, string][] {
  const given = Object.entries(one.metadata ?? {}).flatMap(([key, values]) => [values].flat().map((value): [string, string] => [key, value]));
  // By its run the server knows the attempts of one call.
  const run: [string, string][] = repeats(one) ? [["x-run", crypto.randomUUID()]] : [];
  return [...given, ...run, ["x-case", one.name], ["x-api-key", one.api_key ?? server.api_key]];
}

/** Whether the case is about repetitions; in all others every outcome is the first attempt's. */
export function repeats(one: Case): boolean {
  return one.expect?.attempts !== undefined;
}

/** Whether the servicer must end before the client has all of its answer. */
export function endsEarly(one: Case): boolean {
  return one.cancel_after !== undefined || (one.server?.wait === true && one.deadline_seconds !== undefined && one.deadline_seconds > 0);
}

/** Returns a message as it is after a journey: a float has the precision of its type only then. */
function message<D extends DescMessage>(schema: D, json: JsonObject, fill: Fill | undefined): MessageShape<D> {
  const made = fromJson(schema, json, { registry });
  if (fill) put(schema, made, fill.field.split("."), "x".repeat(fill.bytes));
  return fromBinary(schema, toBinary(schema, made));
}

function put(schema: DescMessage, message: Message, [name, ...rest]: string[], text: string): void {
  const field = schema.fields.find((found) => found.jsonName === name);
  const members = message as unknown as Record<string, unknown>;
  if (field?.fieldKind === "message" && rest.length) put(field.message, (members[field.localName] ??= create(field.message)) as Message, rest, text);
  else if (field?.fieldKind === "scalar") members[field.localName] = field.scalar === ScalarType.BYTES ? new TextEncoder().encode(text) : text;
  else throw new Error(`${schema.typeName} has no text or bytes ${name}`);
}

/** Returns how an outcome differs from what the case expects; nothing if it does not. */
export function differences(one: Case, outcome: Outcome): string[] {
  const { server = {}, expect = {} } = one;
  const serverCode = server.status?.code ?? "OK";
  const code = expect.code ?? serverCode;
  const isServers = code === serverCode;
  const found: string[] = [];
  const check = (what: string, isEqual: boolean, seen: unknown) => isEqual || found.push(`${what}: ${shown(seen)}`);
  check("code", outcome.code === numberOf(code), `${outcome.code} ${outcome.message}`);
  const message = expect.message ?? (isServers ? server.status?.message : undefined);
  if (message !== undefined) check("message", outcome.message === message, outcome.message);
  const details = expect.details ?? (isServers && code !== "OK" ? (server.status?.details ?? []) : undefined);
  if (details) check("details", sameDetails(details, outcome.details), outcome.details);
  found.push(...messageDifferences(one, outcome.responses));
  const initial = expect.initial_metadata ?? server.initial_metadata ?? {};
  const trailing = expect.trailing_metadata ?? server.trailing_metadata ?? {};
  check("initial metadata", hasMetadata(outcome.header, initial), [...outcome.header]);
  check("trailing metadata", hasMetadata(outcome.trailer, trailing), [...outcome.trailer]);
  return found;
}

function numberOf(code: string): number {
  if (code === "OK") return 0;
  const name = code.toLowerCase().replace(/(^|_)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  return Code[(name === "Cancelled" ? "Canceled" : name) as keyof typeof Code];
}

function messageDifferences(one: Case, seen: Message[]): string[] {
  const { server = {}, expect = {} } = one;
  const { output } = methodOf(one).method;
  if (expect.count !== undefined) return seen.length === expect.count ? [] : [`count: ${seen.length}`];
  const listed = expect.responses ?? server.responses;
  const once = listed
    ? listed.map((json) => message(output, json, server.fill))
    : (server.responses_wire ?? []).map((wire) => fromBinary(output, base64Decode(wire)));
  const repeat = expect.responses ? 1 : (server.repeat ?? 1);
  if (seen.length !== once.length * repeat) return [`${seen.length} responses instead of ${once.length * repeat}`];
  return seen.flatMap((found, index) => {
    const expected = once[index % once.length]!;
    return same(found, expected) ? [] : [`response ${index}: ${shown(found)} instead of ${shown(expected)}`];
  });
}

/** protobuf-es's `equals` holds -0 equal to 0 and NaN different from NaN. */
function same(one: Message, other: Message): boolean {
  return canonical(one) === canonical(other);
}

function sameDetails(expected: JsonObject[], seen: Outcome["details"]): boolean {
  return (
    expected.length === seen.length &&
    expected.map(anyOf).every((any, index) => {
      const { type, value } = seen[index]!;
      const schema = registry.getMessage(type);
      if (!any.typeUrl.endsWith(`/${type}`)) return false;
      return schema ? same(fromBinary(schema, value), fromBinary(schema, any.value)) : sameBytes(value, any.value);
    })
  );
}

/** A detail of a type that no client knows has its bytes as `value`. */
function anyOf(json: JsonObject): Any {
  const typeUrl = String(json["@type"]);
  if (registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1))) return fromJson(AnySchema, json as JsonValue, { registry });
  return create(AnySchema, { typeUrl, value: base64Decode(String(json["value"])) });
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function hasMetadata(seen: Headers, expected: Metadata): boolean {
  return Object.entries(expected).every(([key, values]) => {
    const read = (value: string) => (key.endsWith("-bin") ? String(base64Decode(value)) : value);
    const parts = (text: string) => text.split(",").map((part) => read(part.trim()));
    const value = seen.get(key);
    return value !== null && String(parts(value)) === String([values].flat().flatMap(parts));
  });
}

function shown(value: unknown): string {
  const text = canonical(value);
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)` : text;
}

/** Returns the same text for equal messages: without unknown fields, maps sorted, -0 and NaN as they are. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === "$unknown") return undefined;
    if (part instanceof Uint8Array) return base64Encode(part);
    if (typeof part === "bigint" || typeof part === "number") return Object.is(part, -0) ? "-0" : String(part);
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}
