package artificer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

func TestErrorsHaveTheirDetails(t *testing.T) {
	failure := failing(t, codes.InvalidArgument, "two fields are wrong",
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "name", Description: "is empty"},
			{Field: "phases[2].name", Description: "is too long", Reason: "TOO_LONG"},
		}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.ErrorInfo{Reason: "BAD_JOB", Domain: "artificer", Metadata: map[string]string{"job": "j"}},
	)
	s := (&server{
		getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
			grpc.SetHeader(ctx, metadata.Pairs("x-request-id", "unary-1"))
			return nil, failure
		},
		streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
			stream.SetHeader(metadata.Pairs("x-request-id", "stream-1"))
			stream.Send(&batchv1.Progress{})
			return failure
		},
	}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	_, unary := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	var streamed error
	for _, err := range artificer.Stream(t.Context(), client.Batch().StreamProgress, &batchv1.StreamProgressRequest{}) {
		streamed = err
	}
	for id, err := range map[string]error{"unary-1": unary, "stream-1": streamed} {
		got, ok := artificer.AsError(fmt.Errorf("get the job: %w", err))
		if !ok {
			t.Fatalf("%v has no Error", err)
		}
		if got.Code != codes.InvalidArgument || got.Message != "two fields are wrong" || got.RequestID != id {
			t.Errorf("%+v", got)
		}
		violations := []artificer.FieldViolation{{"name", "is empty", ""}, {"phases[2].name", "is too long", "TOO_LONG"}}
		if !reflect.DeepEqual(got.FieldViolations, violations) {
			t.Errorf("field violations %v", got.FieldViolations)
		}
		if got.RetryDelay != 1500*time.Millisecond || got.Reason != "BAD_JOB" || got.Metadata["job"] != "j" || len(got.Details) != 3 {
			t.Errorf("%+v", got)
		}
		if want := "artificer: InvalidArgument: two fields are wrong (request " + id + ")"; err.Error() != want {
			t.Errorf("%q, not %q", err, want)
		}
		if status.Code(err) != codes.InvalidArgument || len(status.Convert(err).Details()) != 3 {
			t.Errorf("gRPC's package status sees %v", status.Convert(err))
		}
	}
}

func TestAsError(t *testing.T) {
	for _, err := range []error{nil, errors.New("no call"), context.Canceled, status.Error(codes.OK, "")} {
		if got, ok := artificer.AsError(err); ok {
			t.Errorf("%v became %v", err, got)
		}
	}
	got, ok := artificer.AsError(status.Error(codes.NotFound, "no job"))
	if !ok || got.Code != codes.NotFound || got.Message != "no job" {
		t.Errorf("a status of another client became %v", got)
	}
	// As fakes in a program's tests return.
	if got := status.Convert(&artificer.Error{Code: codes.NotFound, Message: "no job"}); got.Code() != codes.NotFound || got.Message() != "no job" {
		t.Errorf("the status of an Error that was made by hand is %v", got)
	}
}

func TestCancelledCalls(t *testing.T) {
	began := make(chan struct{})
	s := (&server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		close(began)
		<-ctx.Done()
		return nil, ctx.Err()
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	_, err := client.Batch().GetJob(ctx, &batchv1.GetJobRequest{})
	if status.Code(err) != codes.Canceled || !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
	if s.calls.Load() != 1 {
		t.Errorf("a cancelled call was made %d times", s.calls.Load())
	}
}
