package artificer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

func TestWhichCallsAreRetried(t *testing.T) {
	soon := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}
	late := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)}
	unavailable := failing(t, codes.Unavailable, "stopping")
	keyed := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "idempotency-key", "k")
	}
	var failure error
	s := (&server{
		getJob:    func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) { return nil, failure },
		createJob: func(context.Context, *batchv1.CreateJobRequest) (*batchv1.Job, error) { return nil, failure },
		startJob:  func(context.Context, *batchv1.StartJobRequest) (*batchv1.Job, error) { return nil, failure },
		streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
			return failure
		},
	}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	get := func(ctx context.Context) error {
		_, err := client.Batch().GetJob(ctx, &batchv1.GetJobRequest{})
		return err
	}
	create := func(ctx context.Context) error {
		_, err := client.Batch().CreateJob(ctx, &batchv1.CreateJobRequest{})
		return err
	}
	createWithID := func(ctx context.Context) error {
		_, err := client.Batch().CreateJob(ctx, &batchv1.CreateJobRequest{RequestId: "r"})
		return err
	}
	start := func(ctx context.Context) error {
		_, err := client.Batch().StartJob(ctx, &batchv1.StartJobRequest{})
		return err
	}
	watch := func(ctx context.Context) error {
		stream, err := client.Batch().StreamProgress(ctx, &batchv1.StreamProgressRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for _, row := range []struct {
		name    string
		call    func(context.Context) error
		failure error
		want    int32
	}{
		{"a safe method", get, unavailable, 3},
		{"a safe stream", watch, unavailable, 3},
		{"a method that changes something", create, unavailable, 1},
		{"one with an idempotency key", func(ctx context.Context) error { return create(keyed(ctx)) }, unavailable, 3},
		{"one with a request id", createWithID, unavailable, 3},
		{"one whose key the server does not read", func(ctx context.Context) error { return start(keyed(ctx)) }, unavailable, 1},
		{"a full server that says when", get, failing(t, codes.ResourceExhausted, "full", soon), 3},
		{"a full server that does not", get, failing(t, codes.ResourceExhausted, "full"), 1},
		{"a server that wants to wait beyond the deadline", get, failing(t, codes.Unavailable, "down", late), 1},
		{"another code", get, failing(t, codes.Internal, "broken", soon), 1},
	} {
		failure = row.failure
		before := s.calls.Load()
		if err := row.call(t.Context()); status.Code(err) != status.Code(row.failure) {
			t.Errorf("%s: %v", row.name, err)
		}
		if got := s.calls.Load() - before; got != row.want {
			t.Errorf("%s: %d attempts, not %d", row.name, got, row.want)
		}
	}
}

func TestASecondAttemptSucceeds(t *testing.T) {
	var s *server
	s = (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
		if s.calls.Load() == 1 {
			return nil, status.Error(codes.Unavailable, "stopping")
		}
		return &batchv1.Job{Name: "found"}, nil
	}}).start(t)
	job, err := dial(t, s.target, artificer.WithPlaintext()).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if err != nil || job.GetName() != "found" {
		t.Errorf("%v, %v", job, err)
	}
}

func TestRetriesWaitAsLongAsTheServerAsks(t *testing.T) {
	const asked = 300 * time.Millisecond
	var began []time.Time
	busy := failing(t, codes.Unavailable, "busy", &errdetails.RetryInfo{RetryDelay: durationpb.New(asked)})
	s := (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
		began = append(began, time.Now())
		return nil, busy
	}}).start(t)
	dial(t, s.target, artificer.WithPlaintext()).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if len(began) != 3 || began[1].Sub(began[0]) < asked || began[2].Sub(began[1]) < asked {
		t.Errorf("the attempts began at %v", began)
	}
}

func TestStreamsThatHaveBegunAreNotRetried(t *testing.T) {
	s := (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
		stream.Send(&batchv1.Progress{CompletedItems: 1})
		return status.Error(codes.Unavailable, "stopping")
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	stream, err := client.Batch().StreamProgress(t.Context(), &batchv1.StreamProgressRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if s.calls.Load() != 1 {
		t.Errorf("the stream was opened %d times", s.calls.Load())
	}
}

func TestCallsThatReachNoServerAreRetried(t *testing.T) {
	policy := artificer.RetryPolicy{MaxAttempts: 4, InitialBackoff: time.Microsecond, MaxBackoff: time.Microsecond}
	tried := attempts{}
	client := dial(t, deafTarget(t), artificer.WithPlaintext(), artificer.WithRetry(policy), artificer.WithDialOptions(tried.count()))
	_, err := client.Batch().CreateJob(t.Context(), &batchv1.CreateJobRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the call ended with %v", err)
	}
	if got := tried.made.Load(); got != 4 {
		t.Errorf("%d attempts, not 4", got)
	}
}

func TestSafeMethods(t *testing.T) {
	safe := artificer.SafeMethods()
	for _, want := range []string{
		"/artificer.batch.v1.BatchService/GetJob",
		"/artificer.batch.v1.BatchService/StreamLogs",
		"/artificer.ai.v1.AiWorkerService/GetEmbedding",
		"/artificer.ocr.v1.OCRService/CheckPDFNeedsOCR",
		"/artificer.rag.v1.RagService/RetrievePassages",
	} {
		if !slices.Contains(safe, want) {
			t.Errorf("%s is not among the safe methods", want)
		}
	}
	for _, never := range []string{
		"/artificer.batch.v1.BatchService/CreateJob",
		"/artificer.batch.v1.BatchService/UploadBlob",
		"/artificer.conversation.v1.ConversationService/SendMessage",
		"/artificer.rag.v1.RagService/DeleteCollection",
	} {
		if slices.Contains(safe, never) {
			t.Errorf("%s is among the safe methods", never)
		}
	}
}
