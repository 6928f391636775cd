package artificer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	chatv1 "artificer.dev/go/gen/artificer/chat/v1"
)

func TestLeavingALoopCancelsTheCall(t *testing.T) {
	ended := make(chan error, 1)
	s := (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
		stream.Send(&batchv1.Progress{CompletedItems: 1})
		<-stream.Context().Done()
		ended <- stream.Context().Err()
		return nil
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	for progress, err := range artificer.Stream(t.Context(), client.Batch().StreamProgress, &batchv1.StreamProgressRequest{}) {
		if err != nil || progress.GetCompletedItems() != 1 {
			t.Errorf("%v, %v", progress, err)
		}
		break
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the servicer ended with %v", err)
	}
}

func TestStreamThatCannotBeOpened(t *testing.T) {
	client := dial(t, "127.0.0.1:1", artificer.WithPlaintext())
	var ends []codes.Code
	for message, err := range artificer.Stream(t.Context(), client.Batch().StreamProgress, &batchv1.StreamProgressRequest{}) {
		if message != nil {
			t.Errorf("message %v beside an error", message)
		}
		ends = append(ends, status.Code(err))
	}
	if !slices.Equal(ends, []codes.Code{codes.Unavailable}) {
		t.Errorf("the stream ended with %v", ends)
	}
}

// cut is a channel of six messages whose stream ends after every second one, each time in another way.
func cut(t *testing.T) func(*chatv1.StreamMessagesRequest, chatv1.MessageService_StreamMessagesServer) error {
	ends := []error{
		status.Error(codes.Unavailable, "stopping"),
		failing(t, codes.ResourceExhausted, "too slow", &errdetails.ErrorInfo{Reason: "READER_TOO_SLOW"}),
		nil,
	}
	var opened atomic.Int32
	return func(in *chatv1.StreamMessagesRequest, stream chatv1.MessageService_StreamMessagesServer) error {
		end := ends[opened.Add(1)-1]
		first := 1
		fmt.Sscan(in.GetAfter(), &first)
		if in.GetAfter() != "" {
			first++
		}
		for id := first; id < first+2; id++ {
			stream.Send(&chatv1.Message{Id: fmt.Sprint(id), Channel: in.GetChannel()})
		}
		return end
	}
}

func TestStreamMessagesGoesOnAfterTheLastMessage(t *testing.T) {
	s := (&server{streamMessages: cut(t)}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	request := &chatv1.StreamMessagesRequest{Channel: "c"}
	var ids []string
	for message, err := range client.StreamMessages(t.Context(), request) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, message.GetId())
	}
	if !slices.Equal(ids, []string{"1", "2", "3", "4", "5", "6"}) {
		t.Errorf("the messages are %v", ids)
	}
	if request.GetAfter() != "" {
		t.Error("StreamMessages changed the request")
	}
}

func TestStreamLogsGoesOnAfterTheLastLine(t *testing.T) {
	var afters []string
	s := (&server{streamLogs: func(in *batchv1.StreamLogsRequest, stream batchv1.BatchService_StreamLogsServer) error {
		afters = append(afters, in.GetAfter())
		stream.Send(&batchv1.LogEntry{Id: fmt.Sprintf("%02d", len(afters))})
		if len(afters) < 3 {
			return status.Error(codes.Unavailable, "stopping")
		}
		return nil
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	lines := client.StreamLogs(t.Context(), &batchv1.StreamLogsRequest{JobId: "j"})
	for range 2 { // an iterator that is used again begins again
		for _, err := range lines {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(afters, []string{"", "01", "02", ""}) {
		t.Errorf("the streams began after %q", afters)
	}
}

func TestStreamProgressIsOpenedAgain(t *testing.T) {
	var s *server
	s = (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
		stream.Send(&batchv1.Progress{CompletedItems: int64(s.calls.Load())})
		if s.calls.Load() < 5 { // more losses than a call has attempts
			return status.Error(codes.Unavailable, "stopping")
		}
		return nil
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	var seen []int64
	for progress, err := range client.StreamProgress(t.Context(), &batchv1.StreamProgressRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, progress.GetCompletedItems())
	}
	if !slices.Equal(seen, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("the progress was %v", seen)
	}
}

func TestStreamsThatAreNotOpenedAgain(t *testing.T) {
	lost := status.Error(codes.Unavailable, "stopping")
	for _, row := range []struct {
		name  string
		begin func(grpc.ServerStream)
		end   error
		want  int32
	}{
		{"never answered", func(grpc.ServerStream) {}, lost, 3}, // gRPC's own retries of the opening
		{"another error", func(s grpc.ServerStream) { s.SendHeader(metadata.MD{}) }, status.Error(codes.NotFound, "gone"), 1},
		{"a full server", func(s grpc.ServerStream) { s.SendHeader(metadata.MD{}) }, status.Error(codes.ResourceExhausted, "full"), 1},
	} {
		s := (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
			row.begin(stream)
			return row.end
		}}).start(t)
		client := dial(t, s.target, artificer.WithPlaintext())
		for _, err := range client.StreamProgress(t.Context(), &batchv1.StreamProgressRequest{}) {
			if status.Code(err) != status.Code(row.end) {
				t.Errorf("%s: %v", row.name, err)
			}
		}
		if s.calls.Load() != row.want {
			t.Errorf("%s: opened %d times, not %d", row.name, s.calls.Load(), row.want)
		}
	}
}

func TestResumingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
		stream.Send(&batchv1.Progress{})
		<-stream.Context().Done()
		return nil
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	var ends []error
	for _, err := range client.StreamProgress(ctx, &batchv1.StreamProgressRequest{}) {
		cancel()
		if err != nil {
			ends = append(ends, err)
		}
	}
	if len(ends) != 1 || !errors.Is(ends[0], context.Canceled) {
		t.Errorf("the stream ended with %v", ends)
	}
}

func TestAServerThatAsksForNoPauseIsNotAskedWithoutOne(t *testing.T) {
	var s *server
	s = (&server{streamProgress: func(_ *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
		stream.Send(&batchv1.Progress{})
		if s.calls.Load() > 1 {
			return nil
		}
		busy, err := status.New(codes.Unavailable, "busy").WithDetails(&errdetails.RetryInfo{})
		if err != nil {
			return err
		}
		return busy.Err()
	}}).start(t)
	// The pause would be beyond the deadline, so that there is none.
	policy := artificer.RetryPolicy{MaxAttempts: 3, InitialBackoff: 1_000_000 * time.Hour, MaxBackoff: 1_000_000 * time.Hour}
	client := dial(t, s.target, artificer.WithPlaintext(), artificer.WithRetry(policy))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last error
	for _, err := range client.StreamProgress(ctx, nil) {
		last = err
	}
	if status.Code(last) != codes.Unavailable {
		t.Errorf("the stream ended with %v", last)
	}
}
