package artificer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	convertv1 "artificer.dev/go/gen/artificer/convert/v1"
	ragv1 "artificer.dev/go/gen/artificer/rag/v1"
)

// random returns bytes that a lost, doubled or swapped chunk would change.
func random(n int) []byte {
	made := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(made)
	return made
}

// storeBlob answers with the hash, the size and the media type of what arrives.
func storeBlob(stream batchv1.BatchService_UploadBlobServer) error {
	hash, blob := sha256.New(), &batchv1.Blob{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			blob.Id = fmt.Sprintf("%x", hash.Sum(nil))
			return stream.SendAndClose(blob)
		}
		if err != nil {
			return err
		}
		if blob.Size > 0 && chunk.GetContent().GetContentType() != "" {
			return status.Error(codes.InvalidArgument, "only the first chunk has a media type")
		}
		blob.ContentType += chunk.GetContent().GetContentType()
		blob.Size += int64(len(chunk.GetContent().GetData()))
		hash.Write(chunk.GetContent().GetData())
	}
}

func TestUploadBlob(t *testing.T) {
	s := (&server{uploadBlob: storeBlob}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	for _, size := range []int{0, 1, 256 << 10, 256<<10 + 1, 5_000_000} {
		data := random(size)
		for name, reader := range map[string]io.Reader{
			"whole":        bytes.NewReader(data),
			"with its end": iotest.DataErrReader(bytes.NewReader(data)),
			"in halves":    iotest.HalfReader(bytes.NewReader(data)),
		} {
			blob, err := client.UploadBlob(t.Context(), "application/pdf", reader)
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, name, err)
			}
			if blob.GetSize() != int64(size) || blob.GetId() != fmt.Sprintf("%x", sha256.Sum256(data)) || blob.GetContentType() != "application/pdf" {
				t.Errorf("%d bytes, %s: %v", size, name, blob)
			}
		}
	}
}

func TestUploadsWhoseReaderFails(t *testing.T) {
	ended := make(chan error, 1)
	s := (&server{uploadBlob: func(stream batchv1.BatchService_UploadBlobServer) error {
		err := storeBlob(stream)
		ended <- err
		return err
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	for _, broken := range []error{errors.New("the disk is gone"), io.ErrUnexpectedEOF} {
		reader := io.MultiReader(bytes.NewReader(random(1_000_000)), iotest.ErrReader(broken))
		if _, err := client.UploadBlob(t.Context(), "", reader); !errors.Is(err, broken) {
			t.Errorf("the upload ended with %v, not %v", err, broken)
		}
		if err := <-ended; status.Code(err) != codes.Canceled {
			t.Errorf("the server sees %v: it could take a part for the whole", err)
		}
	}
}

func TestUploadsThatTheServerRefuses(t *testing.T) {
	s := (&server{uploadBlob: func(stream batchv1.BatchService_UploadBlobServer) error {
		stream.Recv()
		return status.Error(codes.ResourceExhausted, "the disk is full")
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	endless := io.LimitReader(zeros{}, 1<<40)
	_, err := client.UploadBlob(t.Context(), "", endless)
	if failure, ok := artificer.AsError(err); !ok || failure.Message != "the disk is full" {
		t.Errorf("the upload ended with %v", err)
	}
}

func TestUploadsEndWithTheContext(t *testing.T) {
	s := (&server{uploadBlob: storeBlob}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	ctx, cancel := context.WithCancel(t.Context())
	reader := io.MultiReader(io.LimitReader(zeros{}, 1<<20), readerFunc(func(data []byte) (int, error) {
		cancel()
		return len(data), nil
	}))
	if _, err := client.UploadBlob(ctx, "", reader); !errors.Is(err, context.Canceled) {
		t.Errorf("the upload ended with %v", err)
	}
}

// A reader that has nothing, such as a connection of a client that is slow, holds up neither the deadline nor a refusal.
func TestUploadsEndWhileTheirReaderWaits(t *testing.T) {
	refuse := func(batchv1.BatchService_UploadBlobServer) error {
		return status.Error(codes.ResourceExhausted, "no space")
	}
	s := (&server{uploadBlob: refuse}).start(t)
	stalled, end := io.Pipe()
	defer end.Close()
	_, err := dial(t, s.target, artificer.WithPlaintext()).UploadBlob(t.Context(), "", stalled)
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the refused upload ended with %v", err)
	}
	s = (&server{uploadBlob: storeBlob}).start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = dial(t, s.target, artificer.WithPlaintext()).UploadBlob(ctx, "", stalled)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the upload with a deadline ended with %v", err)
	}
}

type zeros struct{}

func (zeros) Read(data []byte) (int, error) { clear(data); return len(data), nil }

type readerFunc func([]byte) (int, error)

func (read readerFunc) Read(data []byte) (int, error) { return read(data) }

func (c collections) CreateDocument(stream ragv1.RagService_CreateDocumentServer) error {
	size := 0
	document := &ragv1.Document{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			document.CharacterCount = int32(size)
			return stream.SendAndClose(document)
		}
		if err != nil {
			return err
		}
		if size == 0 {
			document.Id, document.ContentType = chunk.GetDocumentId(), chunk.GetContent().GetContentType()
		} else if chunk.GetDocumentId() != "" {
			return status.Error(codes.InvalidArgument, "only the first message names the document")
		}
		size += len(chunk.GetContent().GetData())
	}
}

func TestCreateDocument(t *testing.T) {
	s := (&server{}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	request := &ragv1.CreateDocumentRequest{
		Collection: "c", DocumentId: "d", Content: &httpbody.HttpBody{ContentType: "text/plain"},
	}
	document, err := client.CreateDocument(t.Context(), request, bytes.NewReader(random(1_000_000)))
	if err != nil {
		t.Fatal(err)
	}
	if document.GetId() != "d" || document.GetCharacterCount() != 1_000_000 || document.GetContentType() != "text/plain" {
		t.Errorf("the document is %v", document)
	}
	if len(request.GetContent().GetData()) != 0 {
		t.Error("CreateDocument changed the request")
	}
}

// ConvertDocument repeats the document, chunk by chunk, or fails as `to` says.
func (c conversion) ConvertDocument(stream convertv1.ConversionService_ConvertDocumentServer) error {
	to := ""
	for first := true; ; first = false {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			to = chunk.GetTo()
		}
		if to == "fail" {
			return status.Error(codes.InvalidArgument, "no such format")
		}
		result := &httpbody.HttpBody{Data: chunk.GetContent().GetData()}
		if first {
			result.ContentType = "text/" + to
		}
		if err := stream.Send(result); err != nil {
			return err
		}
	}
}

func TestConvertDocument(t *testing.T) {
	s := (&server{}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	data := random(8_000_000) // more than the windows of flow control hold, so that both directions must run at once
	var result bytes.Buffer
	contentType, err := client.ConvertDocument(t.Context(), &convertv1.ConvertDocumentRequest{To: "md"}, bytes.NewReader(data), &result)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "text/md" || !bytes.Equal(result.Bytes(), data) {
		t.Errorf("%d bytes of %s", result.Len(), contentType)
	}
}

func TestConversionsThatFail(t *testing.T) {
	s := (&server{}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	broken := errors.New("broken")
	for _, row := range []struct {
		name string
		to   string
		r    io.Reader
		w    io.Writer
		want string
	}{
		{"the server refuses", "fail", zeros{}, io.Discard, "no such format"},
		{"the reader fails", "md", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), io.Discard, "read the upload: broken"},
		{"the writer fails", "md", zeros{}, writerFunc(func([]byte) (int, error) { return 0, broken }), "write the result: broken"},
	} {
		_, err := client.ConvertDocument(t.Context(), &convertv1.ConvertDocumentRequest{To: row.to}, row.r, row.w)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (write writerFunc) Write(data []byte) (int, error) { return write(data) }

func TestReadersThatGiveNothing(t *testing.T) {
	s := (&server{uploadBlob: storeBlob}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	nothing := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := client.UploadBlob(t.Context(), "", nothing); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the upload of a reader that gives nothing ended with %v", err)
	}
	_, blob := client.UploadBlob(t.Context(), "", nil)
	_, document := client.CreateDocument(t.Context(), &ragv1.CreateDocumentRequest{}, nil)
	_, conversion := client.ConvertDocument(t.Context(), &convertv1.ConvertDocumentRequest{}, nil, io.Discard)
	for _, err := range []error{blob, document, conversion} {
		if err == nil || err.Error() != "artificer: read the upload: the reader is nil" {
			t.Errorf("an upload without a reader ended with %v", err)
		}
	}
}

func TestUploadsWhoseRequestIsNil(t *testing.T) {
	s := (&server{}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	if _, err := client.CreateDocument(t.Context(), nil, bytes.NewReader(random(1))); err != nil {
		t.Error(err)
	}
	if _, err := client.ConvertDocument(t.Context(), nil, bytes.NewReader(random(1)), io.Discard); err != nil {
		t.Error(err)
	}
}
