package artificer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	convertv1 "artificer.dev/go/gen/artificer/convert/v1"
	ragv1 "artificer.dev/go/gen/artificer/rag/v1"
)

// errNoReader is returned early: the goroutine that reads would end the program.
var errNoReader = errors.New("artificer: read the upload: the reader is nil")

// maxEmptyReads is how often in a row a reader may return nothing, as for bufio.Reader.
const maxEmptyReads = 100

// chunkBytes is how much of a file one message has: large enough that messages cost little, and far below the limit of
// every server.
const chunkBytes = 256 << 10

// UploadBlob sends the bytes of r to the batch service, in chunks, and returns the blob. contentType may be empty.
//
// An upload is not retried, since r cannot be read twice. The id of a blob is the hash of its bytes, so that uploading
// them again does no harm. After an error one more Read of r may be under way.
func (c *Client) UploadBlob(ctx context.Context, contentType string, r io.Reader, opts ...grpc.CallOption) (*batchv1.Blob, error) {
	if r == nil {
		return nil, errNoReader
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Batch().UploadBlob(ctx, opts...)
	if err != nil {
		return nil, err
	}
	send := func() error {
		return chunks(r, contentType, func(chunk *httpbody.HttpBody) error {
			return stream.Send(&batchv1.UploadBlobRequest{Content: chunk})
		})
	}
	return exchange(ctx, cancel, stream, send, func() (*batchv1.Blob, error) {
		blob := &batchv1.Blob{}
		return blob, stream.RecvMsg(blob)
	})
}

// CreateDocument sends the bytes of r, in chunks, as a document of a collection, and returns the document when it is
// indexed. The request names the collection and the document; its content may have the media type. The call is not
// retried. After an error one more Read of r may be under way.
func (c *Client) CreateDocument(ctx context.Context, request *ragv1.CreateDocumentRequest, r io.Reader, opts ...grpc.CallOption) (*ragv1.Document, error) {
	if r == nil {
		return nil, errNoReader
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Collections().CreateDocument(ctx, opts...)
	if err != nil {
		return nil, err
	}
	message := orEmpty(proto.CloneOf(request)) // the first one has all fields
	send := func() error {
		return chunks(r, request.GetContent().GetContentType(), func(chunk *httpbody.HttpBody) error {
			message.Content = chunk
			err := stream.Send(message)
			message = &ragv1.CreateDocumentRequest{}
			return err
		})
	}
	return exchange(ctx, cancel, stream, send, func() (*ragv1.Document, error) {
		document := &ragv1.Document{}
		return document, stream.RecvMsg(document)
	})
}

// ConvertDocument sends the bytes of r, in chunks, to be converted, writes the result to w, and returns its media type.
// The request says what to convert to; its content may have the media type of the document. The call is not retried.
// After an error w may have a part of the result, and one more Read of r may be under way.
func (c *Client) ConvertDocument(ctx context.Context, request *convertv1.ConvertDocumentRequest, r io.Reader, w io.Writer, opts ...grpc.CallOption) (contentType string, err error) {
	if r == nil {
		return "", errNoReader
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Conversion().ConvertDocument(ctx, opts...)
	if err != nil {
		return "", err
	}
	message := orEmpty(proto.CloneOf(request)) // the first one has all fields
	send := func() error {
		return chunks(r, request.GetContent().GetContentType(), func(chunk *httpbody.HttpBody) error {
			message.Content = chunk
			err := stream.Send(message)
			message = &convertv1.ConvertDocumentRequest{}
			return err
		})
	}
	return exchange(ctx, cancel, stream, send, func() (string, error) { return receive(stream, w) })
}

// exchange sends the requests of a call while it receives the answer: a call that ends early, by its deadline for example,
// does not wait for a reader that has nothing.
func exchange[Answer any](
	ctx context.Context, cancel context.CancelFunc, stream grpc.ClientStream, send func() error, receive func() (Answer, error),
) (Answer, error) {
	sent := make(chan error, 1)
	go func() {
		err := send()
		if err == nil {
			err = stream.CloseSend()
		}
		sent <- err
		if err != nil {
			cancel() // ends receive, which waits for an answer that cannot come
		}
	}()
	answer, err := receive()
	if err != nil {
		var none Answer
		select {
		case failure := <-sent:
			if failure != nil {
				return none, failure
			}
		default:
		}
		return none, err
	}
	select { // the caller may close r as soon as it has the answer
	case <-sent:
	case <-ctx.Done():
	}
	return answer, nil
}

// receive writes the bytes of a streamed file to w and returns the file's media type, which its first message has.
func receive(stream grpc.ServerStreamingClient[httpbody.HttpBody], w io.Writer) (contentType string, err error) {
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return contentType, nil
		}
		if err != nil {
			return "", err
		}
		if contentType == "" {
			contentType = chunk.GetContentType()
		}
		if _, err := w.Write(chunk.GetData()); err != nil {
			return "", fmt.Errorf("artificer: write the result: %w", err)
		}
	}
}

// chunks sends what r has, and at least one chunk, the first with the media type. It stops without an error when the
// server has ended the call, since only receiving says why. Chunks are not reused: gRPC may read them after sending.
func chunks(r io.Reader, contentType string, send func(*httpbody.HttpBody) error) error {
	for first := true; ; first = false {
		data, err := readChunk(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("artificer: read the upload: %w", err)
		}
		if len(data) > 0 || first {
			chunk := &httpbody.HttpBody{ContentType: contentType, Data: data}
			if failure := send(chunk); errors.Is(failure, io.EOF) {
				return nil
			} else if failure != nil {
				return failure
			}
		}
		if err != nil {
			return nil
		}
		contentType = ""
	}
}

// readChunk fills a chunk. It is not io.ReadFull, which hides that r itself failed with io.ErrUnexpectedEOF, as the body
// of a broken HTTP response does.
func readChunk(r io.Reader) ([]byte, error) {
	data, n, empty := make([]byte, chunkBytes), 0, 0
	for n < len(data) {
		read, err := r.Read(data[n:])
		n += read
		if err != nil {
			return data[:n], err
		}
		if read > 0 {
			empty = 0
		} else if empty++; empty >= maxEmptyReads {
			return data[:n], io.ErrNoProgress
		}
	}
	return data, nil
}
