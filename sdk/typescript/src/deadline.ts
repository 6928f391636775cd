// The deadline of a call in its request headers. It knows the two forms in which the protocols write it.

import type { Interceptor } from "@connectrpc/connect";

const CONNECT = "connect-timeout-ms";
const GRPC = "grpc-timeout";
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Returns how many milliseconds the call may take, or undefined if it has no deadline. */
export function readTimeout(headers: Headers): number | undefined {
  const connect = headers.get(CONNECT);
  if (connect !== null) return Number(connect);
  const grpc = headers.get(GRPC);
  return grpc === null ? undefined : Number(grpc.slice(0, -1)) * (UNITS[grpc.slice(-1)] ?? 0);
}

/** Replaces the deadline of a call that has one. */
export function writeTimeout(headers: Headers, milliseconds: number): void {
  const whole = Math.max(1, Math.floor(milliseconds));
  if (headers.has(CONNECT)) headers.set(CONNECT, String(whole));
  // At most eight digits (the gRPC protocol's TimeoutValue).
  if (headers.has(GRPC)) headers.set(GRPC, whole < 1e8 ? `${whole}m` : `${Math.floor(whole / 1000)}S`);
}

/** Writes long deadlines as the gRPC protocol allows them: connect-es sends more than eight digits beyond 27 hours. */
export const timeoutHeader: Interceptor = (next) => (request) => {
  const timeout = readTimeout(request.header);
  if (timeout !== undefined) writeTimeout(request.header, timeout);
  return next(request);
};
