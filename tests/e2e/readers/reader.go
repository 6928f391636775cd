// Reads streams with net/http and prints, as JSON, how often each form ended cleanly behind its error.
// go run reader.go URL http1|http2 ROUNDS LAST
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func main() {
	url, version, last := os.Args[1], os.Args[2], os.Args[4]
	rounds, _ := strconv.Atoi(os.Args[3])
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	transport.ForceAttemptHTTP2 = version == "http2"
	if version == "http1" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport}
	found := map[string]int{}
	for _, form := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
		found[form] = 0
		for round := 0; round < rounds; round++ {
			request, _ := http.NewRequest("GET", url, nil)
			request.Header.Set("Accept", form)
			response, err := client.Do(request)
			if err != nil {
				continue
			}
			text, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err == nil && strings.Contains(string(text), last) && response.Proto == map[string]string{"http1": "HTTP/1.1", "http2": "HTTP/2.0"}[version] {
				found[form]++
			}
		}
	}
	out, _ := json.Marshal(found)
	fmt.Println(string(out))
}
