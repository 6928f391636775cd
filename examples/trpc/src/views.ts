// The gateway's messages as this API shows them: JSON has no 64-bit numbers, and enums are words.

import {
  ItemStatus,
  type Job,
  JobStatus,
  type LogEntry,
  LogLevel,
  type Progress,
  type Result,
} from "@artificer/client/gen/artificer/batch/v1/batch_service_pb";

const ENDED = new Set([JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]);

/** `status` is UNSPECIFIED if the gateway is newer and sends a state that this API does not know. */
function statusOf(status: JobStatus): keyof typeof JobStatus {
  return (JobStatus[status] ?? "UNSPECIFIED") as keyof typeof JobStatus;
}

export function job({ id, name, status, totalItems, completedItems, failedItems, currentPhase }: Job) {
  const counts = { total: Number(totalItems), completed: Number(completedItems), failed: Number(failedItems) };
  return { id, name, status: statusOf(status), hasEnded: ENDED.has(status), phase: currentPhase, ...counts };
}

export function progress({ status, currentPhase, totalItems, completedItems, failedItems, progressPercentage }: Progress) {
  const counts = { total: Number(totalItems), completed: Number(completedItems), failed: Number(failedItems) };
  return { status: statusOf(status), hasEnded: ENDED.has(status), phase: currentPhase, percentage: progressPercentage, ...counts };
}

export function result({ itemIndex, input, output, status, error }: Result) {
  return { index: Number(itemIndex), input, output, status: ItemStatus[status] ?? "UNSPECIFIED", error };
}

export function logEntry({ level, message, itemIndex, phase }: LogEntry) {
  return { level: LogLevel[level] ?? "UNSPECIFIED", message, item: itemIndex === undefined ? null : Number(itemIndex), phase };
}
