package artificer

import (
	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	chatv1 "artificer.dev/go/gen/artificer/chat/v1"
	conversationv1 "artificer.dev/go/gen/artificer/conversation/v1"
	convertv1 "artificer.dev/go/gen/artificer/convert/v1"
	imagev1 "artificer.dev/go/gen/artificer/image/v1"
	ocrv1 "artificer.dev/go/gen/artificer/ocr/v1"
	openaiv1 "artificer.dev/go/gen/artificer/openai/v1"
	ragv1 "artificer.dev/go/gen/artificer/rag/v1"
)

// AI returns the client of the AI worker: chats, embeddings, assets and vector search.
func (c *Client) AI() aiv1.AiWorkerServiceClient { return aiv1.NewAiWorkerServiceClient(c.conn) }

// Batch returns the client of batch jobs and blobs.
func (c *Client) Batch() batchv1.BatchServiceClient { return batchv1.NewBatchServiceClient(c.conn) }

// Channels returns the client of channels and their messages.
func (c *Client) Channels() chatv1.MessageServiceClient {
	return chatv1.NewMessageServiceClient(c.conn)
}

// Collections returns the client of collections, their documents, and answers from them.
func (c *Client) Collections() ragv1.RagServiceClient { return ragv1.NewRagServiceClient(c.conn) }

// Conversations returns the client of projects, conversations and their messages.
func (c *Client) Conversations() conversationv1.ConversationServiceClient {
	return conversationv1.NewConversationServiceClient(c.conn)
}

// Conversion returns the client that converts documents into other formats.
func (c *Client) Conversion() convertv1.ConversionServiceClient {
	return convertv1.NewConversionServiceClient(c.conn)
}

// Documents returns the client that reads documents and images by OCR.
func (c *Client) Documents() ocrv1.OCRServiceClient { return ocrv1.NewOCRServiceClient(c.conn) }

// Images returns the client that edits images.
func (c *Client) Images() imagev1.ImageServiceClient { return imagev1.NewImageServiceClient(c.conn) }

// OpenAI returns the client of the models in OpenAI's form.
func (c *Client) OpenAI() openaiv1.OpenAIServiceClient {
	return openaiv1.NewOpenAIServiceClient(c.conn)
}
