// Package artificer is the Go client of Artificer's services, over gRPC.
//
// [Dial] opens a [Client], which has a typed client of every service:
//
//	client, err := artificer.Dial(ctx, "127.0.0.1:50051", artificer.WithPlaintext())
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	job, err := client.Batch().GetJob(ctx, &batchv1.GetJobRequest{JobId: "nightly"})
//
// The messages and the clients are generated from the contracts, one package for each, such as
// artificer.dev/go/gen/artificer/batch/v1. What this package adds to them:
//
//   - defaults: TLS, keepalive, load balancing over healthy servers, and a deadline for every unary call;
//   - retries of calls that can be repeated without harm, see [RetryPolicy];
//   - errors with the details of google.rpc, see [AsError];
//   - helpers: [List] pages through lists, [Stream] reads server streams in a for loop, [Client.StreamMessages],
//     [Client.StreamLogs] and [Client.StreamProgress] continue after a lost connection, and [Client.UploadBlob],
//     [Client.CreateDocument] and [Client.ConvertDocument] send an [io.Reader].
//
// A Client may be used by any number of goroutines at once.
package artificer
