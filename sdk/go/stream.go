package artificer

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	chatv1 "artificer.dev/go/gen/artificer/chat/v1"
)

// Opener is a method of a generated client that the server answers with a stream.
type Opener[Request, Response any] func(context.Context, *Request, ...grpc.CallOption) (grpc.ServerStreamingClient[Response], error)

// Stream calls a method and yields the messages of its stream. An error is yielded last. Leaving the loop cancels the
// call:
//
//	answer := artificer.Stream(ctx, client.AI().ChatStream, &aiv1.ChatStreamRequest{Messages: messages})
//	for piece, err := range answer {
//		if err != nil {
//			return err
//		}
//		fmt.Print(piece.GetText())
//	}
func Stream[Request, Response any](
	ctx context.Context, open Opener[Request, Response], request *Request, opts ...grpc.CallOption,
) iter.Seq2[*Response, error] {
	return func(yield func(*Response, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := open(ctx, request, opts...)
		for err == nil {
			var message *Response
			if message, err = stream.Recv(); err == nil && !yield(message, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

// StreamMessages yields the messages of a channel, the stored ones and then new ones, until the loop is left or ctx
// ends. When the connection is lost, or the server ends the stream because this reader was too slow, it is opened again
// after the last message, without a gap and without a message twice.
//
// A stream that cannot be opened at first ends with the error; a lost one is opened again until ctx ends. If it was lost
// before the first message, the request is sent as it was: then its history_size counts from that moment.
func (c *Client) StreamMessages(ctx context.Context, request *chatv1.StreamMessagesRequest, opts ...grpc.CallOption) iter.Seq2[*chatv1.Message, error] {
	return func(yield func(*chatv1.Message, error) bool) {
		next := orEmpty(proto.CloneOf(request))
		advance := func(last *chatv1.Message) { next.After = last.GetId() }
		resumed(ctx, c.retry, c.Channels().StreamMessages, next, advance, opts, yield)
	}
}

// StreamLogs yields the lines of a job's log until the job ends, if request follows it. A lost stream is opened again
// after the last line, as by [Client.StreamMessages].
func (c *Client) StreamLogs(ctx context.Context, request *batchv1.StreamLogsRequest, opts ...grpc.CallOption) iter.Seq2[*batchv1.LogEntry, error] {
	return func(yield func(*batchv1.LogEntry, error) bool) {
		next := orEmpty(proto.CloneOf(request))
		advance := func(last *batchv1.LogEntry) { next.After = last.GetId() }
		resumed(ctx, c.retry, c.Batch().StreamLogs, next, advance, opts, yield)
	}
}

// StreamProgress yields the progress of a job until the job ends. A lost stream is opened again, as by
// [Client.StreamMessages], and goes on with the progress of that moment.
func (c *Client) StreamProgress(ctx context.Context, request *batchv1.StreamProgressRequest, opts ...grpc.CallOption) iter.Seq2[*batchv1.Progress, error] {
	return func(yield func(*batchv1.Progress, error) bool) {
		resumed(ctx, c.retry, c.Batch().StreamProgress, request, func(*batchv1.Progress) {}, opts, yield)
	}
}

// resumed yields the messages of a stream and opens it again when it is lost. advance changes the request so that the
// next stream begins after a message.
func resumed[Request, Response any](
	ctx context.Context,
	policy RetryPolicy,
	open Opener[Request, Response],
	request *Request,
	advance func(*Response),
	opts []grpc.CallOption,
	yield func(*Response, error) bool,
) {
	opened, failures := false, 0
	for {
		var lost error
		for message, err := range Stream(ctx, observeOpening(open, &opened), request, opts...) {
			if err != nil {
				lost = err
				break
			}
			failures = 0
			advance(message)
			if !yield(message, nil) {
				return
			}
		}
		if lost == nil {
			return
		}
		failures++
		if !opened || !reopens(ctx, policy, lost, failures) {
			yield(nil, lost)
			return
		}
	}
}

// observeOpening sets opened once the server has answered a stream.
func observeOpening[Request, Response any](open Opener[Request, Response], opened *bool) Opener[Request, Response] {
	return func(ctx context.Context, request *Request, opts ...grpc.CallOption) (grpc.ServerStreamingClient[Response], error) {
		stream, err := open(ctx, request, opts...)
		if err != nil {
			return nil, err
		}
		if header, err := stream.Header(); err == nil && header != nil { // nil without an error: it ended at once
			*opened = true
		}
		return stream, nil
	}
}

// reopens waits before a lost stream is opened again, and tells whether it should be.
func reopens(ctx context.Context, policy RetryPolicy, lost error, failures int) bool {
	failure, ok := AsError(lost)
	if !ok || !(failure.Code == codes.Unavailable || failure.Reason == "READER_TOO_SLOW") {
		return false
	}
	told, _ := failure.retryInfo() // 0 if there is none; also a server that says 0 is not asked without pause
	return sleep(ctx, max(told, policy.backoff(failures)))
}
