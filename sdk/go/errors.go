package artificer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Error is a call that failed. The client's calls return it; [AsError] finds it.
//
// status.Code and status.FromError of gRPC work with it. errors.Is finds context.Canceled and context.DeadlineExceeded
// in an Error of these codes.
type Error struct {
	// Code is the status code of the call.
	Code codes.Code
	// Message is the server's description, which is safe to show to a user.
	Message string
	// FieldViolations are the invalid fields of the request (google.rpc.BadRequest).
	FieldViolations []FieldViolation
	// RetryDelay is how long the server asks to wait before the next attempt (google.rpc.RetryInfo); 0 if it does not say.
	RetryDelay time.Duration
	// RequestID is the id of the call in the server's log (x-request-id); empty if the server does not give calls ids.
	RequestID string
	// Reason distinguishes errors of one code for programs, such as "READER_TOO_SLOW", and Metadata has its facts
	// (google.rpc.ErrorInfo).
	Reason   string
	Metadata map[string]string
	// Details are all details, also those above. A detail of a type that this program does not know is an *anypb.Any.
	Details []proto.Message

	status *status.Status
}

// FieldViolation is what is wrong with one field of a request.
type FieldViolation struct {
	// Field is the path of the field, such as "phases[2].name".
	Field string
	// Description says what is wrong with it.
	Description string
	// Reason is a constant for programs, such as "TOO_LONG"; often empty.
	Reason string
}

// AsError returns the *Error in err's chain, or makes one of a gRPC status in it. It returns false for nil, and for errors
// that do not come from a call.
func AsError(err error) (*Error, bool) {
	var found *Error
	if errors.As(err, &found) {
		return found, true
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		return newError(err), true
	}
	return nil, false
}

// notTLS is how crypto/tls says that the other side answered without TLS.
const notTLS = "first record does not look like a TLS handshake"

func newError(err error, received ...metadata.MD) *Error {
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	s := status.Convert(err)
	made := &Error{Code: s.Code(), Message: s.Message(), status: s}
	if made.Code == codes.Unavailable && strings.Contains(made.Message, notTLS) {
		made.Message += "; the server does not use TLS, for which there is WithPlaintext"
	}
	for _, packed := range s.Proto().GetDetails() {
		detail, err := packed.UnmarshalNew()
		if err != nil {
			detail = packed
		}
		made.add(detail)
	}
	for _, md := range received {
		if ids := md.Get("x-request-id"); len(ids) > 0 {
			made.RequestID = ids[0]
		}
	}
	return made
}

func (e *Error) add(detail proto.Message) {
	e.Details = append(e.Details, detail)
	switch known := detail.(type) {
	case *errdetails.BadRequest:
		for _, violation := range known.GetFieldViolations() {
			e.FieldViolations = append(e.FieldViolations, FieldViolation{
				Field:       violation.GetField(),
				Description: violation.GetDescription(),
				Reason:      violation.GetReason(),
			})
		}
	case *errdetails.RetryInfo:
		e.RetryDelay = known.GetRetryDelay().AsDuration()
	case *errdetails.ErrorInfo:
		e.Reason, e.Metadata = known.GetReason(), known.GetMetadata()
	}
}

// retryInfo returns the delay, and whether the server named one, which may be 0.
func (e *Error) retryInfo() (time.Duration, bool) {
	for _, detail := range e.Details {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// Error returns the code, the message, and the request id if there is one.
func (e *Error) Error() string {
	text := fmt.Sprintf("artificer: %v: %s", e.Code, e.Message)
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

// GRPCStatus returns the status, for gRPC's package status. That of an Error that a program makes itself, as fakes in tests
// do, has its code and message.
func (e *Error) GRPCStatus() *status.Status {
	if e.status == nil {
		return status.New(e.Code, e.Message)
	}
	return e.status
}

// Is makes errors.Is find the context's errors.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case codes.Canceled:
		return target == context.Canceled
	case codes.DeadlineExceeded:
		return target == context.DeadlineExceeded
	}
	return false
}
