/**
 * Clients of Artificer's services for `@grpc/grpc-js`: its own calls, callbacks and events, with the messages of this
 * package. For promises and async iterables use `@artificer/client/node`, which also speaks gRPC.
 */

import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ChannelCredentials,
  type ClientOptions,
  credentials,
  InterceptingCall,
  type Interceptor,
  makeClientConstructor,
  Metadata,
} from "@grpc/grpc-js";
import { assertSendable, credentialHeaders, type Credentials } from "./credentials.js";
import { credentialsOrEnvironments } from "./environment.js";
import { toArtificerError } from "./errors.js";
import { type GrpcJsClient, serviceDefinition } from "./grpc_js_service.js";
import { DEFAULT_TIMEOUT_MS } from "./options.js";
import { checkedPolicy, type RetryPolicy } from "./retry.js";
import { isSafe } from "./safe.js";
import { lazily, services } from "./services.js";
import { LONGEST_TIMER_MS, unlessAborted } from "./signals.js";
import { version } from "./version.js";

export { ArtificerError, toArtificerError } from "./errors.js";
export { type GrpcJsClient, serviceDefinition } from "./grpc_js_service.js";

/** The options of clients of grpc-js. What is absent is read from the environment. */
export interface GrpcJsOptions extends Credentials {
  /** Where the gateway is, such as `host:port`; `ARTIFICER_TARGET` or `127.0.0.1:50051` by default. */
  target?: string | undefined;
  /** TLS, as `credentials.createSsl(ca)`; none by default. */
  channelCredentials?: ChannelCredentials | undefined;
  /** The deadline of unary calls in milliseconds; 60,000 by default, none if it is 0. */
  timeoutMs?: number | undefined;
  /** How grpc-js repeats calls of methods that only read; `false` turns it off. */
  retry?: Partial<RetryPolicy> | false | undefined;
  /** Other options of grpc-js's clients. */
  clientOptions?: ClientOptions | undefined;
}

/** A client of every service. Each is made when it is first used. */
export type GrpcJsArtificer = { readonly [Name in keyof typeof services]: GrpcJsClient<(typeof services)[Name]> } & {
  /** Closes the clients. */
  close(): void;
};

/** Returns a client of every service. Throws if a key or token would be sent in clear text to another machine. */
export function createGrpcJsArtificer(options: GrpcJsOptions = {}): GrpcJsArtificer {
  const made: { close(): void }[] = [];
  let isClosed = false;
  const make = (service: DescService) => {
    const client = createGrpcJsClient(service, options);
    made.push(client);
    if (isClosed) client.close(); // its calls fail as those of the others do
    return client;
  };
  checked(options);
  return lazily(make, {
    close() {
      isClosed = true;
      made.forEach((client) => client.close());
    },
  });
}

/** Returns a client of one service. Clients with equal options share a connection. */
export function createGrpcJsClient<S extends DescService>(service: S, options: GrpcJsOptions = {}): GrpcJsClient<S> {
  const { target, channel, secrets } = checked(options);
  const { interceptors = [], ...clientOptions } = options.clientOptions ?? {};
  const Client = makeClientConstructor(serviceDefinition(service), service.typeName);
  return new Client(target, channel, {
    "grpc.primary_user_agent": `artificer-typescript/${version}`,
    "grpc.service_config": JSON.stringify(serviceConfig(options.retry)),
    ...clientOptions,
    interceptors: [...interceptors, deadlines(options.timeoutMs), credentialsOf(secrets)],
  } as ClientOptions as object) as unknown as GrpcJsClient<S>;
}

function checked(options: GrpcJsOptions) {
  const secrets = credentialsOrEnvironments(options);
  const target = options.target ?? (process.env["ARTIFICER_TARGET"] || "127.0.0.1:50051");
  const channel = options.channelCredentials ?? credentials.createInsecure();
  if (/^https?:/i.test(target)) throw new Error(`target '${target}' is a URL; expected host:port, with TLS by channelCredentials`);
  assertSendable(secrets, target.replace(/^\w+:\/*(?=.*:)/, "").replace(/:\d+$/, ""), channel._isSecure());
  return { target, channel, secrets };
}

/** Returns the service config with which grpc-js repeats safe methods (gRFC A6). */
function serviceConfig(retry: GrpcJsOptions["retry"]): object {
  if (retry === false) return {};
  const { attempts, firstDelayMs, maxDelayMs } = checkedPolicy(retry);
  if (attempts < 2) return {};
  const methods = Object.values(services).flatMap((service) => service.methods.filter(isSafe));
  return {
    methodConfig: [
      {
        name: methods.map((method) => ({ service: method.parent.typeName, method: method.name })),
        retryPolicy: {
          maxAttempts: attempts,
          initialBackoff: `${firstDelayMs / 1000}s`,
          maxBackoff: `${maxDelayMs / 1000}s`,
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
  };
}

function deadlines(timeoutMs = DEFAULT_TIMEOUT_MS): Interceptor {
  return (options, next) => {
    const { requestStream, responseStream } = options.method_definition;
    const isSet = requestStream || responseStream || timeoutMs <= 0 || options.deadline !== undefined;
    return new InterceptingCall(next(isSet ? options : { ...options, deadline: Date.now() + timeoutMs }));
  };
}

/** Adds the key or token, unless the call brings metadata of that name. */
function credentialsOf(given: Credentials): Interceptor {
  return (options, next) => {
    const call = next(options);
    // grpc-js ends a call by its deadline, or as cancelled, only once it has begun.
    const left = new AbortController();
    return new InterceptingCall(call, {
      start(metadata, listener, begin) {
        const timer = timerOf(options.deadline, () => left.abort(new ConnectError("Deadline exceeded", Code.DeadlineExceeded)));
        const headers = unlessAborted(credentialHeaders(given), left.signal).finally(() => clearTimeout(timer));
        headers.then(
          (headers) => {
            for (const [name, value] of headers) if (!metadata.getMap()[name]) metadata.set(name, value);
            begin(metadata, listener);
          },
          (error: unknown) => {
            const { code, rawMessage: details } = toArtificerError(error);
            listener.onReceiveStatus({ code: code as number, details, metadata: new Metadata() });
            call.cancelWithStatus(code as number, details); // it ends the timer of the deadline
          },
        );
      },
      cancel(cancel) {
        left.abort(new ConnectError("Cancelled on client", Code.Canceled));
        cancel();
      },
    });
  };
}

function timerOf(deadline: Date | number | undefined, end: () => void): NodeJS.Timeout | undefined {
  if (deadline === undefined || Number(deadline) === Infinity) return undefined;
  return setTimeout(end, Math.min(Number(deadline) - Date.now(), LONGEST_TIMER_MS));
}
