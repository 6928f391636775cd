package artificer

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// PageRequest is a request of a list method: a message with the field page_token.
type PageRequest interface {
	proto.Message
	GetPageToken() string
}

// PageResponse is a page of a list method.
type PageResponse interface {
	GetNextPageToken() string
}

// List yields the items of all pages, and asks for a page when the one before it is used up. The first error ends it, and
// so does a server that names the same page twice in a row.
// Its arguments are a method of a client, the request, which is not changed, and the field of the response:
//
//	jobs := artificer.List(ctx, client.Batch().ListJobs, &batchv1.ListJobsRequest{}, (*batchv1.ListJobsResponse).GetJobs)
//	for job, err := range jobs {
//		if err != nil {
//			return err
//		}
//		fmt.Println(job.GetName())
//	}
func List[Request PageRequest, Response PageResponse, Item any](
	ctx context.Context,
	method func(context.Context, Request, ...grpc.CallOption) (Response, error),
	request Request,
	items func(Response) []Item,
	opts ...grpc.CallOption,
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		page := orEmpty(proto.CloneOf(request))
		for {
			response, err := method(ctx, page, opts...)
			if err != nil {
				var none Item
				yield(none, err)
				return
			}
			for _, item := range items(response) {
				if !yield(item, nil) {
					return
				}
			}
			next := response.GetNextPageToken()
			if next == "" {
				return
			}
			if next == page.GetPageToken() { // it would go on without end
				var none Item
				yield(none, &Error{Code: codes.Internal, Message: "the server named the same page as the next one"})
				return
			}
			setPageToken(page, next)
		}
	}
}

// orEmpty returns a message that can be changed, also of a request that is nil: gRPC sends such a one as an empty message.
func orEmpty[Message proto.Message](message Message) Message {
	if reflected := message.ProtoReflect(); !reflected.IsValid() {
		return reflected.New().Interface().(Message)
	}
	return message
}

func setPageToken(request PageRequest, token string) {
	reflected := request.ProtoReflect()
	reflected.Set(reflected.Descriptor().Fields().ByName("page_token"), protoreflect.ValueOfString(token))
}
