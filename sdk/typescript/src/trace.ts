// Passes the application's trace context on, if it uses OpenTelemetry. It depends on no package of it.

import type { Interceptor } from "@connectrpc/connect";

// @opentelemetry/api registers itself here, so that its copies in one process agree on one propagator.
const GLOBAL = Symbol.for("opentelemetry.js.api.1");

interface ContextManager {
  active(): unknown;
}

interface Propagator {
  inject(context: unknown, carrier: Headers, setter: { set(to: Headers, key: string, value: string): void }): void;
}

/** Adds `traceparent` and what else the application's propagator writes. */
export const traceContext: Interceptor = (next) => (request) => {
  const telemetry = (globalThis as { [GLOBAL]?: { context?: ContextManager; propagation?: Propagator } })[GLOBAL];
  if (telemetry?.context && telemetry.propagation) {
    telemetry.propagation.inject(telemetry.context.active(), request.header, { set: (to, key, value) => to.set(key, value) });
  }
  return next(request);
};
