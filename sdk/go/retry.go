package artificer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// RetryPolicy says how often and when a failed call is repeated.
//
// A call is repeated after UNAVAILABLE, and after RESOURCE_EXHAUSTED if the server said when to come again
// (google.rpc.RetryInfo), and only if that can do no harm: its method changes nothing, it carries an idempotency key
// (the field request_id, or the metadata idempotency-key), or it never reached a server. Streams are opened again only
// before anything of them has arrived.
type RetryPolicy struct {
	// MaxAttempts is how often a call is made at most: from 1, which means no retries, to 5, gRPC's own limit.
	MaxAttempts int
	// InitialBackoff and MaxBackoff are the longest waits before the second and before any attempt. The wait before each
	// attempt is up to twice that before the last one, and is chosen at random. A server's RetryInfo takes precedence.
	InitialBackoff, MaxBackoff time.Duration
}

// DefaultRetryPolicy makes up to 3 attempts.
var DefaultRetryPolicy = RetryPolicy{MaxAttempts: 3, InitialBackoff: 200 * time.Millisecond, MaxBackoff: 5 * time.Second}

func (p RetryPolicy) validate() error {
	if p.MaxAttempts < 1 || p.MaxAttempts > 5 {
		return fmt.Errorf("RetryPolicy.MaxAttempts is %d: expected 1 to 5", p.MaxAttempts)
	}
	if p.MaxAttempts > 1 && (p.InitialBackoff <= 0 || p.MaxBackoff < p.InitialBackoff) {
		return fmt.Errorf("RetryPolicy waits %v to %v: expected more than 0, in this order", p.InitialBackoff, p.MaxBackoff)
	}
	return nil
}

// backoff returns the wait after so many failed attempts.
func (p RetryPolicy) backoff(failures int) time.Duration {
	longest := p.MaxBackoff
	if shift := failures - 1; shift < 30 { // more doublings than any sensible limit, fewer than an overflow
		longest = min(longest, p.InitialBackoff<<shift)
	}
	if longest <= 0 {
		return 0
	}
	return rand.N(longest)
}

// pause waits before the next attempt. It returns false if there must be none: after the last attempt, after an error
// that a repetition does not mend, and if the context would end first.
func (p RetryPolicy) pause(ctx context.Context, attempts int, failure *Error) bool {
	delay, told := failure.retryInfo()
	if failure.Code != codes.Unavailable && !(failure.Code == codes.ResourceExhausted && told) {
		return false
	}
	if attempts >= p.MaxAttempts {
		return false
	}
	if !told {
		delay = p.backoff(attempts)
	}
	return sleep(ctx, delay)
}

// sleep returns false, without waiting in vain, if the context ends before the delay does.
func sleep(ctx context.Context, delay time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// hasKey tells whether a call carries an idempotency key.
func hasKey(ctx context.Context, request any) bool {
	message, ok := request.(proto.Message)
	if !ok {
		return false
	}
	reflected := message.ProtoReflect()
	field := reflected.Descriptor().Fields().ByName("request_id")
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return false // the server does not read the metadata of such a call
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	return reflected.Get(field).String() != "" || len(sent.Get("idempotency-key")) > 0
}
