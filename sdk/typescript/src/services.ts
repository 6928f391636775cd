// The services by the name of their client. It must not know how a client calls.

import { AiWorkerService } from "./gen/artificer/ai/v1/ai_worker_service_pb.js";
import { BatchService } from "./gen/artificer/batch/v1/batch_service_pb.js";
import { MessageService } from "./gen/artificer/chat/v1/message_service_pb.js";
import { ConversationService } from "./gen/artificer/conversation/v1/conversation_service_pb.js";
import { ConversionService } from "./gen/artificer/convert/v1/conversion_service_pb.js";
import { ImageService } from "./gen/artificer/image/v1/image_service_pb.js";
import { OCRService } from "./gen/artificer/ocr/v1/ocr_service_pb.js";
import { OpenAIService } from "./gen/artificer/openai/v1/openai_service_pb.js";
import { RagService } from "./gen/artificer/rag/v1/rag_service_pb.js";

/** Every service of the contracts, by the name of its client in {@link Artificer}. */
export const services = {
  ai: AiWorkerService,
  batch: BatchService,
  channels: MessageService,
  collections: RagService,
  conversations: ConversationService,
  convert: ConversionService,
  documents: OCRService,
  images: ImageService,
  openai: OpenAIService,
} as const;

/** Returns an object with a value per service, each made when it is first read. */
export function lazily<T extends object>(make: (service: (typeof services)[keyof typeof services]) => unknown, rest: object): T {
  const made = { ...rest };
  for (const [name, service] of Object.entries(services)) {
    let value: unknown;
    Object.defineProperty(made, name, { enumerable: true, get: () => (value ??= make(service)) });
  }
  return made as T;
}
