"""Every method with its REST binding. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from typing import Any

from . import types
from ._method import Kind, Method, Resume
from .types.base import HttpBody


class AiWorkerService:
    """Methods of artificer.ai.v1.AiWorkerService."""

    PROCESS_ASSET = Method(
        "artificer.ai.v1.AiWorkerService/ProcessAsset",
        "POST",
        "/v1/assets:process",
        "*",
        Kind.UNARY,
        types.ai.ProcessAssetRequest,
        types.ai.ProcessAssetResponse,
        content="data",
    )
    CHAT_STREAM = Method(
        "artificer.ai.v1.AiWorkerService/ChatStream",
        "POST",
        "/v1/chat:stream",
        "*",
        Kind.SERVER_STREAM,
        types.ai.ChatStreamRequest,
        types.ai.ChatStreamResponse,
    )
    GET_EMBEDDING = Method(
        "artificer.ai.v1.AiWorkerService/GetEmbedding",
        "POST",
        "/v1/embeddings:get",
        "*",
        Kind.UNARY,
        types.ai.GetEmbeddingRequest,
        types.ai.GetEmbeddingResponse,
        safe=True,
    )
    VECTOR_SEARCH = Method(
        "artificer.ai.v1.AiWorkerService/VectorSearch",
        "POST",
        "/v1/collections/{collection}:search",
        "*",
        Kind.UNARY,
        types.ai.VectorSearchRequest,
        types.ai.VectorSearchResponse,
        safe=True,
    )


class BatchService:
    """Methods of artificer.batch.v1.BatchService."""

    CREATE_JOB = Method(
        "artificer.batch.v1.BatchService/CreateJob",
        "POST",
        "/v1/jobs",
        "*",
        Kind.UNARY,
        types.batch.CreateJobRequest,
        types.batch.Job,
        idempotency="request_id",
    )
    GET_JOB = Method(
        "artificer.batch.v1.BatchService/GetJob",
        "GET",
        "/v1/jobs/{job_id}",
        "",
        Kind.UNARY,
        types.batch.GetJobRequest,
        types.batch.Job,
        safe=True,
    )
    LIST_JOBS = Method(
        "artificer.batch.v1.BatchService/ListJobs",
        "GET",
        "/v1/jobs",
        "",
        Kind.UNARY,
        types.batch.ListJobsRequest,
        types.batch.ListJobsResponse,
        safe=True,
    )
    START_JOB = Method(
        "artificer.batch.v1.BatchService/StartJob",
        "POST",
        "/v1/jobs/{job_id}:start",
        "*",
        Kind.UNARY,
        types.batch.StartJobRequest,
        types.batch.Job,
    )
    PAUSE_JOB = Method(
        "artificer.batch.v1.BatchService/PauseJob",
        "POST",
        "/v1/jobs/{job_id}:pause",
        "*",
        Kind.UNARY,
        types.batch.PauseJobRequest,
        types.batch.Job,
    )
    RESUME_JOB = Method(
        "artificer.batch.v1.BatchService/ResumeJob",
        "POST",
        "/v1/jobs/{job_id}:resume",
        "*",
        Kind.UNARY,
        types.batch.ResumeJobRequest,
        types.batch.Job,
    )
    CANCEL_JOB = Method(
        "artificer.batch.v1.BatchService/CancelJob",
        "POST",
        "/v1/jobs/{job_id}:cancel",
        "*",
        Kind.UNARY,
        types.batch.CancelJobRequest,
        types.batch.Job,
    )
    GET_RESULTS = Method(
        "artificer.batch.v1.BatchService/GetResults",
        "GET",
        "/v1/jobs/{job_id}/results",
        "",
        Kind.UNARY,
        types.batch.GetResultsRequest,
        types.batch.GetResultsResponse,
        safe=True,
    )
    STREAM_PROGRESS = Method(
        "artificer.batch.v1.BatchService/StreamProgress",
        "GET",
        "/v1/jobs/{job_id}/progress:stream",
        "",
        Kind.SERVER_STREAM,
        types.batch.StreamProgressRequest,
        types.batch.Progress,
        safe=True,
        resume=Resume("", ""),
    )
    UPLOAD_ITEMS = Method(
        "artificer.batch.v1.BatchService/UploadItems",
        "POST",
        "/v1/jobs/{job_id}/items:upload",
        "*",
        Kind.CLIENT_STREAM,
        types.batch.UploadItemsRequest,
        types.batch.UploadItemsResponse,
    )
    UPLOAD_BLOB = Method(
        "artificer.batch.v1.BatchService/UploadBlob",
        "POST",
        "/v1/blobs",
        "content",
        Kind.CLIENT_STREAM,
        types.batch.UploadBlobRequest,
        types.batch.Blob,
        safe=True,
        content="content",
    )
    STREAM_RESULTS = Method(
        "artificer.batch.v1.BatchService/StreamResults",
        "GET",
        "/v1/jobs/{job_id}/results:stream",
        "",
        Kind.SERVER_STREAM,
        types.batch.StreamResultsRequest,
        types.batch.Result,
        safe=True,
        resume=Resume("", "item_index"),
    )
    STREAM_LOGS = Method(
        "artificer.batch.v1.BatchService/StreamLogs",
        "GET",
        "/v1/jobs/{job_id}/logs:stream",
        "",
        Kind.SERVER_STREAM,
        types.batch.StreamLogsRequest,
        types.batch.LogEntry,
        safe=True,
        resume=Resume("after", "id"),
    )
    ATTACH = Method(
        "artificer.batch.v1.BatchService/Attach",
        "POST",
        "/v1/jobs/{job_id}:attach",
        "*",
        Kind.DUPLEX,
        types.batch.AttachRequest,
        types.batch.AttachResponse,
    )
    LIST_TASK_TYPES = Method(
        "artificer.batch.v1.BatchService/ListTaskTypes",
        "GET",
        "/v1/taskTypes",
        "",
        Kind.UNARY,
        types.batch.ListTaskTypesRequest,
        types.batch.ListTaskTypesResponse,
        safe=True,
    )


class MessageService:
    """Methods of artificer.chat.v1.MessageService."""

    GET_MESSAGE = Method(
        "artificer.chat.v1.MessageService/GetMessage",
        "GET",
        "/v1/channels/{channel}/messages/{id}",
        "",
        Kind.UNARY,
        types.chat.GetMessageRequest,
        types.chat.Message,
        safe=True,
    )
    LIST_MESSAGES = Method(
        "artificer.chat.v1.MessageService/ListMessages",
        "GET",
        "/v1/channels/{channel}/messages",
        "",
        Kind.UNARY,
        types.chat.ListMessagesRequest,
        types.chat.ListMessagesResponse,
        safe=True,
    )
    STREAM_MESSAGES = Method(
        "artificer.chat.v1.MessageService/StreamMessages",
        "GET",
        "/v1/channels/{channel}/messages:stream",
        "",
        Kind.SERVER_STREAM,
        types.chat.StreamMessagesRequest,
        types.chat.Message,
        safe=True,
        resume=Resume("after", "id"),
    )
    SEND_MESSAGES = Method(
        "artificer.chat.v1.MessageService/SendMessages",
        "POST",
        "/v1/channels/{channel}/messages:send",
        "*",
        Kind.CLIENT_STREAM,
        types.chat.SendMessagesRequest,
        types.chat.SendMessagesResponse,
        idempotency="request_id",
    )
    CHAT_STREAM = Method(
        "artificer.chat.v1.MessageService/ChatStream",
        "POST",
        "/v1/channels/{channel}/messages:chat",
        "*",
        Kind.DUPLEX,
        types.chat.ChatStreamRequest,
        types.chat.ChatStreamResponse,
        idempotency="request_id",
    )


class ConversationService:
    """Methods of artificer.conversation.v1.ConversationService."""

    CREATE_PROJECT = Method(
        "artificer.conversation.v1.ConversationService/CreateProject",
        "POST",
        "/v1/projects",
        "project",
        Kind.UNARY,
        types.conversation.CreateProjectRequest,
        types.conversation.Project,
        idempotency="request_id",
    )
    GET_PROJECT = Method(
        "artificer.conversation.v1.ConversationService/GetProject",
        "GET",
        "/v1/projects/{project}",
        "",
        Kind.UNARY,
        types.conversation.GetProjectRequest,
        types.conversation.Project,
        safe=True,
    )
    LIST_PROJECTS = Method(
        "artificer.conversation.v1.ConversationService/ListProjects",
        "GET",
        "/v1/projects",
        "",
        Kind.UNARY,
        types.conversation.ListProjectsRequest,
        types.conversation.ListProjectsResponse,
        safe=True,
    )
    UPDATE_PROJECT = Method(
        "artificer.conversation.v1.ConversationService/UpdateProject",
        "PATCH",
        "/v1/projects/{project.id}",
        "project",
        Kind.UNARY,
        types.conversation.UpdateProjectRequest,
        types.conversation.Project,
    )
    DELETE_PROJECT = Method(
        "artificer.conversation.v1.ConversationService/DeleteProject",
        "DELETE",
        "/v1/projects/{project}",
        "",
        Kind.UNARY,
        types.conversation.DeleteProjectRequest,
        type(None),
    )
    CREATE_CONVERSATION = Method(
        "artificer.conversation.v1.ConversationService/CreateConversation",
        "POST",
        "/v1/conversations",
        "conversation",
        Kind.UNARY,
        types.conversation.CreateConversationRequest,
        types.conversation.Conversation,
        idempotency="request_id",
    )
    GET_CONVERSATION = Method(
        "artificer.conversation.v1.ConversationService/GetConversation",
        "GET",
        "/v1/conversations/{conversation}",
        "",
        Kind.UNARY,
        types.conversation.GetConversationRequest,
        types.conversation.Conversation,
        safe=True,
    )
    LIST_CONVERSATIONS = Method(
        "artificer.conversation.v1.ConversationService/ListConversations",
        "GET",
        "/v1/conversations",
        "",
        Kind.UNARY,
        types.conversation.ListConversationsRequest,
        types.conversation.ListConversationsResponse,
        safe=True,
    )
    UPDATE_CONVERSATION = Method(
        "artificer.conversation.v1.ConversationService/UpdateConversation",
        "PATCH",
        "/v1/conversations/{conversation.id}",
        "conversation",
        Kind.UNARY,
        types.conversation.UpdateConversationRequest,
        types.conversation.Conversation,
    )
    DELETE_CONVERSATION = Method(
        "artificer.conversation.v1.ConversationService/DeleteConversation",
        "DELETE",
        "/v1/conversations/{conversation}",
        "",
        Kind.UNARY,
        types.conversation.DeleteConversationRequest,
        type(None),
    )
    FORK_CONVERSATION = Method(
        "artificer.conversation.v1.ConversationService/ForkConversation",
        "POST",
        "/v1/conversations/{conversation}:fork",
        "*",
        Kind.UNARY,
        types.conversation.ForkConversationRequest,
        types.conversation.Conversation,
        idempotency="request_id",
    )
    GET_MESSAGE = Method(
        "artificer.conversation.v1.ConversationService/GetMessage",
        "GET",
        "/v1/conversations/{conversation}/messages/{message}",
        "",
        Kind.UNARY,
        types.conversation.GetMessageRequest,
        types.conversation.Message,
        safe=True,
    )
    LIST_MESSAGES = Method(
        "artificer.conversation.v1.ConversationService/ListMessages",
        "GET",
        "/v1/conversations/{conversation}/messages",
        "",
        Kind.UNARY,
        types.conversation.ListMessagesRequest,
        types.conversation.ListMessagesResponse,
        safe=True,
    )
    SEND_MESSAGE = Method(
        "artificer.conversation.v1.ConversationService/SendMessage",
        "POST",
        "/v1/conversations/{conversation}:send",
        "*",
        Kind.SERVER_STREAM,
        types.conversation.SendMessageRequest,
        types.conversation.AnswerEvent,
        idempotency="request_id",
    )
    REGENERATE_MESSAGE = Method(
        "artificer.conversation.v1.ConversationService/RegenerateMessage",
        "POST",
        "/v1/conversations/{conversation}:regenerate",
        "*",
        Kind.SERVER_STREAM,
        types.conversation.RegenerateMessageRequest,
        types.conversation.AnswerEvent,
    )
    STOP_GENERATION = Method(
        "artificer.conversation.v1.ConversationService/StopGeneration",
        "POST",
        "/v1/conversations/{conversation}:stop",
        "*",
        Kind.UNARY,
        types.conversation.StopGenerationRequest,
        types.conversation.StopGenerationResponse,
    )
    CONVERSE = Method(
        "artificer.conversation.v1.ConversationService/Converse",
        "POST",
        "/v1/conversations/{conversation}:converse",
        "*",
        Kind.DUPLEX,
        types.conversation.ConverseRequest,
        types.conversation.ConverseResponse,
        idempotency="request_id",
    )


class ConversionService:
    """Methods of artificer.convert.v1.ConversionService."""

    CONVERT_DOCUMENT = Method(
        "artificer.convert.v1.ConversionService/ConvertDocument",
        "POST",
        "/v1/documents:convert",
        "content",
        Kind.DUPLEX,
        types.convert.ConvertDocumentRequest,
        HttpBody,
        content="content",
    )
    LIST_CONVERSION_FORMATS = Method(
        "artificer.convert.v1.ConversionService/ListConversionFormats",
        "GET",
        "/v1/conversionFormats",
        "",
        Kind.UNARY,
        types.convert.ListConversionFormatsRequest,
        types.convert.ListConversionFormatsResponse,
        safe=True,
    )


class ImageService:
    """Methods of artificer.image.v1.ImageService."""

    PROCESS_IMAGE = Method(
        "artificer.image.v1.ImageService/ProcessImage",
        "POST",
        "/v1/images:process",
        "*",
        Kind.UNARY,
        types.image.ProcessImageRequest,
        HttpBody,
        content="image_data",
    )


class OCRService:
    """Methods of artificer.ocr.v1.OCRService."""

    EXTRACT_TEXT_FROM_IMAGE = Method(
        "artificer.ocr.v1.OCRService/ExtractTextFromImage",
        "POST",
        "/v1/images:extractText",
        "*",
        Kind.UNARY,
        types.ocr.ExtractTextFromImageRequest,
        types.ocr.ExtractTextFromImageResponse,
        content="image_data",
    )
    PROCESS_PDF = Method(
        "artificer.ocr.v1.OCRService/ProcessPDF",
        "POST",
        "/v1/documents:process",
        "*",
        Kind.UNARY,
        types.ocr.ProcessPDFRequest,
        types.ocr.ProcessPDFResponse,
        content="pdf_data",
    )
    PROCESS_PDF_STREAM = Method(
        "artificer.ocr.v1.OCRService/ProcessPDFStream",
        "POST",
        "/v1/documents:processStream",
        "*",
        Kind.SERVER_STREAM,
        types.ocr.ProcessPDFStreamRequest,
        types.ocr.ProcessPDFStreamResponse,
        content="pdf_data",
    )
    RENDER_DOCUMENT = Method(
        "artificer.ocr.v1.OCRService/RenderDocument",
        "POST",
        "/v1/documents:render",
        "*",
        Kind.UNARY,
        types.ocr.RenderDocumentRequest,
        HttpBody,
        content="document_data",
    )
    MAKE_SEARCHABLE_PDF = Method(
        "artificer.ocr.v1.OCRService/MakeSearchablePDF",
        "POST",
        "/v1/documents:makeSearchable",
        "*",
        Kind.SERVER_STREAM,
        types.ocr.MakeSearchablePDFRequest,
        HttpBody,
        content="document_data",
    )
    CHECK_PDF_NEEDS_OCR = Method(
        "artificer.ocr.v1.OCRService/CheckPDFNeedsOCR",
        "POST",
        "/v1/documents:checkOcr",
        "*",
        Kind.UNARY,
        types.ocr.CheckPDFNeedsOCRRequest,
        types.ocr.CheckPDFNeedsOCRResponse,
        safe=True,
        content="pdf_data",
    )


class OpenAIService:
    """Methods of artificer.openai.v1.OpenAIService."""

    CREATE_CHAT_COMPLETION = Method(
        "artificer.openai.v1.OpenAIService/CreateChatCompletion",
        "POST",
        "/v1/chat/completions",
        "*",
        Kind.SERVER_STREAM,
        types.openai.CreateChatCompletionRequest,
        HttpBody,
    )
    CREATE_EMBEDDINGS = Method(
        "artificer.openai.v1.OpenAIService/CreateEmbeddings",
        "POST",
        "/v1/embeddings",
        "*",
        Kind.UNARY,
        types.openai.CreateEmbeddingsRequest,
        types.openai.CreateEmbeddingsResponse,
        safe=True,
    )
    LIST_MODELS = Method(
        "artificer.openai.v1.OpenAIService/ListModels",
        "GET",
        "/v1/models",
        "",
        Kind.UNARY,
        types.openai.ListModelsRequest,
        types.openai.ListModelsResponse,
        safe=True,
    )
    GET_MODEL = Method(
        "artificer.openai.v1.OpenAIService/GetModel",
        "GET",
        "/v1/models/{model=**}",
        "",
        Kind.UNARY,
        types.openai.GetModelRequest,
        types.openai.Model,
        safe=True,
    )


class RagService:
    """Methods of artificer.rag.v1.RagService."""

    CREATE_COLLECTION = Method(
        "artificer.rag.v1.RagService/CreateCollection",
        "POST",
        "/v1/collections",
        "collection",
        Kind.UNARY,
        types.rag.CreateCollectionRequest,
        types.rag.Collection,
    )
    GET_COLLECTION = Method(
        "artificer.rag.v1.RagService/GetCollection",
        "GET",
        "/v1/collections/{collection}",
        "",
        Kind.UNARY,
        types.rag.GetCollectionRequest,
        types.rag.Collection,
        safe=True,
    )
    LIST_COLLECTIONS = Method(
        "artificer.rag.v1.RagService/ListCollections",
        "GET",
        "/v1/collections",
        "",
        Kind.UNARY,
        types.rag.ListCollectionsRequest,
        types.rag.ListCollectionsResponse,
        safe=True,
    )
    DELETE_COLLECTION = Method(
        "artificer.rag.v1.RagService/DeleteCollection",
        "DELETE",
        "/v1/collections/{collection}",
        "",
        Kind.UNARY,
        types.rag.DeleteCollectionRequest,
        type(None),
    )
    REINDEX_COLLECTION = Method(
        "artificer.rag.v1.RagService/ReindexCollection",
        "POST",
        "/v1/collections/{collection}:reindex",
        "*",
        Kind.UNARY,
        types.rag.ReindexCollectionRequest,
        types.rag.Collection,
    )
    CREATE_DOCUMENT = Method(
        "artificer.rag.v1.RagService/CreateDocument",
        "POST",
        "/v1/collections/{collection}/documents",
        "content",
        Kind.CLIENT_STREAM,
        types.rag.CreateDocumentRequest,
        types.rag.Document,
        content="content",
    )
    GET_DOCUMENT = Method(
        "artificer.rag.v1.RagService/GetDocument",
        "GET",
        "/v1/collections/{collection}/documents/{document}",
        "",
        Kind.UNARY,
        types.rag.GetDocumentRequest,
        types.rag.Document,
        safe=True,
    )
    LIST_DOCUMENTS = Method(
        "artificer.rag.v1.RagService/ListDocuments",
        "GET",
        "/v1/collections/{collection}/documents",
        "",
        Kind.UNARY,
        types.rag.ListDocumentsRequest,
        types.rag.ListDocumentsResponse,
        safe=True,
    )
    DELETE_DOCUMENT = Method(
        "artificer.rag.v1.RagService/DeleteDocument",
        "DELETE",
        "/v1/collections/{collection}/documents/{document}",
        "",
        Kind.UNARY,
        types.rag.DeleteDocumentRequest,
        type(None),
    )
    REINDEX_DOCUMENT = Method(
        "artificer.rag.v1.RagService/ReindexDocument",
        "POST",
        "/v1/collections/{collection}/documents/{document}:reindex",
        "*",
        Kind.UNARY,
        types.rag.ReindexDocumentRequest,
        types.rag.Document,
    )
    LIST_CHUNKS = Method(
        "artificer.rag.v1.RagService/ListChunks",
        "GET",
        "/v1/collections/{collection}/documents/{document}/chunks",
        "",
        Kind.UNARY,
        types.rag.ListChunksRequest,
        types.rag.ListChunksResponse,
        safe=True,
    )
    RETRIEVE_PASSAGES = Method(
        "artificer.rag.v1.RagService/RetrievePassages",
        "POST",
        "/v1/collections/{collection}:retrieve",
        "*",
        Kind.UNARY,
        types.rag.RetrievePassagesRequest,
        types.rag.RetrievePassagesResponse,
        safe=True,
    )
    ASK = Method(
        "artificer.rag.v1.RagService/Ask",
        "POST",
        "/v1/collections/{collection}:ask",
        "*",
        Kind.SERVER_STREAM,
        types.rag.AskRequest,
        types.rag.AskResponse,
    )


METHODS: dict[str, Method[Any, Any]] = {
    "artificer.ai.v1.AiWorkerService/ProcessAsset": AiWorkerService.PROCESS_ASSET,
    "artificer.ai.v1.AiWorkerService/ChatStream": AiWorkerService.CHAT_STREAM,
    "artificer.ai.v1.AiWorkerService/GetEmbedding": AiWorkerService.GET_EMBEDDING,
    "artificer.ai.v1.AiWorkerService/VectorSearch": AiWorkerService.VECTOR_SEARCH,
    "artificer.batch.v1.BatchService/CreateJob": BatchService.CREATE_JOB,
    "artificer.batch.v1.BatchService/GetJob": BatchService.GET_JOB,
    "artificer.batch.v1.BatchService/ListJobs": BatchService.LIST_JOBS,
    "artificer.batch.v1.BatchService/StartJob": BatchService.START_JOB,
    "artificer.batch.v1.BatchService/PauseJob": BatchService.PAUSE_JOB,
    "artificer.batch.v1.BatchService/ResumeJob": BatchService.RESUME_JOB,
    "artificer.batch.v1.BatchService/CancelJob": BatchService.CANCEL_JOB,
    "artificer.batch.v1.BatchService/GetResults": BatchService.GET_RESULTS,
    "artificer.batch.v1.BatchService/StreamProgress": BatchService.STREAM_PROGRESS,
    "artificer.batch.v1.BatchService/UploadItems": BatchService.UPLOAD_ITEMS,
    "artificer.batch.v1.BatchService/UploadBlob": BatchService.UPLOAD_BLOB,
    "artificer.batch.v1.BatchService/StreamResults": BatchService.STREAM_RESULTS,
    "artificer.batch.v1.BatchService/StreamLogs": BatchService.STREAM_LOGS,
    "artificer.batch.v1.BatchService/Attach": BatchService.ATTACH,
    "artificer.batch.v1.BatchService/ListTaskTypes": BatchService.LIST_TASK_TYPES,
    "artificer.chat.v1.MessageService/GetMessage": MessageService.GET_MESSAGE,
    "artificer.chat.v1.MessageService/ListMessages": MessageService.LIST_MESSAGES,
    "artificer.chat.v1.MessageService/StreamMessages": MessageService.STREAM_MESSAGES,
    "artificer.chat.v1.MessageService/SendMessages": MessageService.SEND_MESSAGES,
    "artificer.chat.v1.MessageService/ChatStream": MessageService.CHAT_STREAM,
    "artificer.conversation.v1.ConversationService/CreateProject": ConversationService.CREATE_PROJECT,
    "artificer.conversation.v1.ConversationService/GetProject": ConversationService.GET_PROJECT,
    "artificer.conversation.v1.ConversationService/ListProjects": ConversationService.LIST_PROJECTS,
    "artificer.conversation.v1.ConversationService/UpdateProject": ConversationService.UPDATE_PROJECT,
    "artificer.conversation.v1.ConversationService/DeleteProject": ConversationService.DELETE_PROJECT,
    "artificer.conversation.v1.ConversationService/CreateConversation": ConversationService.CREATE_CONVERSATION,
    "artificer.conversation.v1.ConversationService/GetConversation": ConversationService.GET_CONVERSATION,
    "artificer.conversation.v1.ConversationService/ListConversations": ConversationService.LIST_CONVERSATIONS,
    "artificer.conversation.v1.ConversationService/UpdateConversation": ConversationService.UPDATE_CONVERSATION,
    "artificer.conversation.v1.ConversationService/DeleteConversation": ConversationService.DELETE_CONVERSATION,
    "artificer.conversation.v1.ConversationService/ForkConversation": ConversationService.FORK_CONVERSATION,
    "artificer.conversation.v1.ConversationService/GetMessage": ConversationService.GET_MESSAGE,
    "artificer.conversation.v1.ConversationService/ListMessages": ConversationService.LIST_MESSAGES,
    "artificer.conversation.v1.ConversationService/SendMessage": ConversationService.SEND_MESSAGE,
    "artificer.conversation.v1.ConversationService/RegenerateMessage": ConversationService.REGENERATE_MESSAGE,
    "artificer.conversation.v1.ConversationService/StopGeneration": ConversationService.STOP_GENERATION,
    "artificer.conversation.v1.ConversationService/Converse": ConversationService.CONVERSE,
    "artificer.convert.v1.ConversionService/ConvertDocument": ConversionService.CONVERT_DOCUMENT,
    "artificer.convert.v1.ConversionService/ListConversionFormats": ConversionService.LIST_CONVERSION_FORMATS,
    "artificer.image.v1.ImageService/ProcessImage": ImageService.PROCESS_IMAGE,
    "artificer.ocr.v1.OCRService/ExtractTextFromImage": OCRService.EXTRACT_TEXT_FROM_IMAGE,
    "artificer.ocr.v1.OCRService/ProcessPDF": OCRService.PROCESS_PDF,
    "artificer.ocr.v1.OCRService/ProcessPDFStream": OCRService.PROCESS_PDF_STREAM,
    "artificer.ocr.v1.OCRService/RenderDocument": OCRService.RENDER_DOCUMENT,
    "artificer.ocr.v1.OCRService/MakeSearchablePDF": OCRService.MAKE_SEARCHABLE_PDF,
    "artificer.ocr.v1.OCRService/CheckPDFNeedsOCR": OCRService.CHECK_PDF_NEEDS_OCR,
    "artificer.openai.v1.OpenAIService/CreateChatCompletion": OpenAIService.CREATE_CHAT_COMPLETION,
    "artificer.openai.v1.OpenAIService/CreateEmbeddings": OpenAIService.CREATE_EMBEDDINGS,
    "artificer.openai.v1.OpenAIService/ListModels": OpenAIService.LIST_MODELS,
    "artificer.openai.v1.OpenAIService/GetModel": OpenAIService.GET_MODEL,
    "artificer.rag.v1.RagService/CreateCollection": RagService.CREATE_COLLECTION,
    "artificer.rag.v1.RagService/GetCollection": RagService.GET_COLLECTION,
    "artificer.rag.v1.RagService/ListCollections": RagService.LIST_COLLECTIONS,
    "artificer.rag.v1.RagService/DeleteCollection": RagService.DELETE_COLLECTION,
    "artificer.rag.v1.RagService/ReindexCollection": RagService.REINDEX_COLLECTION,
    "artificer.rag.v1.RagService/CreateDocument": RagService.CREATE_DOCUMENT,
    "artificer.rag.v1.RagService/GetDocument": RagService.GET_DOCUMENT,
    "artificer.rag.v1.RagService/ListDocuments": RagService.LIST_DOCUMENTS,
    "artificer.rag.v1.RagService/DeleteDocument": RagService.DELETE_DOCUMENT,
    "artificer.rag.v1.RagService/ReindexDocument": RagService.REINDEX_DOCUMENT,
    "artificer.rag.v1.RagService/ListChunks": RagService.LIST_CHUNKS,
    "artificer.rag.v1.RagService/RetrievePassages": RagService.RETRIEVE_PASSAGES,
    "artificer.rag.v1.RagService/Ask": RagService.ASK,
}
"""Every method by its full name."""
