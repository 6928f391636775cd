package artificer

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
	ocrv1 "artificer.dev/go/gen/artificer/ocr/v1"
	openaiv1 "artificer.dev/go/gen/artificer/openai/v1"
	ragv1 "artificer.dev/go/gen/artificer/rag/v1"
)

// readingPosts are the methods that change nothing although they are bound to POST, since their requests are too large
// or too deep for a query. Methods bound to GET are found by their descriptors.
var readingPosts = []string{
	aiv1.AiWorkerService_GetEmbedding_FullMethodName,
	aiv1.AiWorkerService_VectorSearch_FullMethodName,
	ocrv1.OCRService_CheckPDFNeedsOCR_FullMethodName,
	openaiv1.OpenAIService_CreateEmbeddings_FullMethodName,
	ragv1.RagService_RetrievePassages_FullMethodName,
}

// safeMethods has the full names of the methods that change nothing, so that they can be repeated; true means that the
// server streams.
var safeMethods = sync.OnceValue(func() map[string]bool {
	safe := map[string]bool{}
	for _, name := range readingPosts {
		safe[name] = false
	}
	for method := range contractMethods() {
		rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
		if rule.GetGet() != "" && !method.IsStreamingClient() {
			safe[fullName(method)] = method.IsStreamingServer()
		}
	}
	return safe
})

// contractMethods yields the methods of all contracts.
func contractMethods() func(yield func(protoreflect.MethodDescriptor) bool) {
	return func(yield func(protoreflect.MethodDescriptor) bool) {
		protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
			if !strings.HasPrefix(string(file.Package()), "artificer.") {
				return true
			}
			for s := range file.Services().Len() {
				methods := file.Services().Get(s).Methods()
				for m := range methods.Len() {
					if !yield(methods.Get(m)) {
						return false
					}
				}
			}
			return true
		})
	}
}

func fullName(method protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
}

// serviceConfig returns gRPC's service configuration (grpc.service_config.ServiceConfig as JSON): calls go to all
// healthy servers in turn, and gRPC itself opens safe streams again as long as nothing of them has arrived. Unary calls
// are retried by the interceptor, since a service configuration knows neither RetryInfo nor idempotency keys.
func (c *config) serviceConfig() string {
	made := map[string]any{"loadBalancingConfig": []any{map[string]any{"round_robin": map[string]any{}}}}
	if c.healthCheck {
		made["healthCheckConfig"] = map[string]any{"serviceName": c.healthService}
	}
	if c.retry.MaxAttempts > 1 {
		var names []any
		for method, streams := range safeMethods() {
			if streams {
				service, name, _ := strings.Cut(method[1:], "/")
				names = append(names, map[string]any{"service": service, "method": name})
			}
		}
		made["methodConfig"] = []any{map[string]any{"name": names, "retryPolicy": map[string]any{
			"maxAttempts":          c.retry.MaxAttempts,
			"initialBackoff":       fmt.Sprintf("%.9fs", c.retry.InitialBackoff.Seconds()),
			"maxBackoff":           fmt.Sprintf("%.9fs", c.retry.MaxBackoff.Seconds()),
			"backoffMultiplier":    2,
			"retryableStatusCodes": []string{"UNAVAILABLE"},
		}}}
	}
	text, err := json.Marshal(made)
	if err != nil {
		panic(err) // maps of strings and numbers can always be written
	}
	return string(text)
}
