// A grpc-gateway in front of the kitchen on the port given as argument; prints its own port as JSON.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"diptych.bench/grpcgateway/kitchen"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/encoding/protojson"
)

// The measured JSON body of 16 MiB, in base64, and its answer.
const largest = 32 << 20

func main() {
	// The load generator leaves in the middle of requests, of which each would be reported.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	marshaler := &runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
		// As the gateway prints: fields without presence have their default value.
		MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true},
	}}
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler))
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(largest), grpc.MaxCallRecvMsgSize(largest)),
	}
	upstream := "127.0.0.1:" + os.Args[1]
	if err := kitchen.RegisterKitchenServiceHandlerFromEndpoint(context.Background(), mux, upstream, options); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := json.NewEncoder(os.Stdout).Encode(map[string]int{"http": port}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, mux))
}
