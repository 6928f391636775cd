package artificer

import (
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// unary gives a call its deadline, which all attempts share, repeats it by the retry policy, and returns an *Error.
func (c *config) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, has := ctx.Deadline(); !has && c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	_, repeatable := safeMethods()[method]
	for attempt := 1; ; attempt++ {
		var header, trailer metadata.MD
		var server peer.Peer
		observed := append(opts[:len(opts):len(opts)], grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&server))
		err := invoke(ctx, method, req, reply, conn, observed...)
		if err == nil {
			return nil
		}
		failure := newError(err, header, trailer)
		unsent := server.Addr == nil // no connection was chosen for it
		if isOnce(opts) || !(repeatable || unsent || hasKey(ctx, req)) || !c.retry.pause(ctx, attempt, failure) {
			return failure
		}
	}
}

// once is an option of a call that is never repeated.
type once struct{ grpc.EmptyCallOption }

func isOnce(opts []grpc.CallOption) bool {
	return slices.ContainsFunc(opts, func(opt grpc.CallOption) bool {
		_, is := opt.(once)
		return is
	})
}

// stream makes the errors of streams *Errors.
func stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	opened, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, newError(err)
	}
	return observedStream{opened}, nil
}

type observedStream struct{ grpc.ClientStream }

func (s observedStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	header, _ := s.Header() // it has arrived or never will, since the stream has ended
	return newError(err, header, s.Trailer())
}

func (s observedStream) SendMsg(message any) error {
	err := s.ClientStream.SendMsg(message)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return newError(err)
}
