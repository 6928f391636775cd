package artificer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

// authority signs certificates, which it writes as PEM files.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{folder: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", der)
	a.write(t, name+".key", "PRIVATE KEY", secret)
	return cert, key
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.folder, name) }

// secure serves with TLS, and answers a job with the name in the client's certificate.
func (a *authority) secure(t *testing.T, clients tls.ClientAuthType, opts ...grpc.ServerOption) *server {
	a.issue(t, "server", &x509.Certificate{DNSNames: []string{"artificer.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	pair, err := tls.LoadX509KeyPair(a.file("server.pem"), a.file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s := &server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		from, _ := peer.FromContext(ctx)
		name := strings.Join(received(ctx, "x-api-key"), ",")
		for _, cert := range from.AuthInfo.(credentials.TLSInfo).State.PeerCertificates {
			name += cert.Subject.CommonName
		}
		return &batchv1.Job{Name: name}, nil
	}}
	return s.start(t, append(opts, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: clients, ClientCAs: pool,
	})))...)
}

func TestTLS(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	s := a.secure(t, tls.VerifyClientCertIfGiven)
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	ours := artificer.WithCA(a.file("ca.pem"))
	for _, row := range []struct {
		name string
		opts []artificer.Option
		code codes.Code
		want string
	}{
		{"a custom authority", []artificer.Option{ours}, codes.OK, ""},
		{"a key over TLS", []artificer.Option{ours, artificer.WithAPIKey("k")}, codes.OK, "k"},
		{"mutual TLS", []artificer.Option{ours, artificer.WithClientCertificate(a.file("client.pem"), a.file("client.key"))}, codes.OK, "client"},
		{"the certificate's other name", []artificer.Option{ours, artificer.WithServerName("artificer.test")}, codes.OK, ""},
		{"a name that it has not", []artificer.Option{ours, artificer.WithServerName("example.com")}, codes.Unavailable, "not example.com"},
		{"another authority", []artificer.Option{artificer.WithCA(other.file("ca.pem"))}, codes.Unavailable, "certificate signed by unknown authority"},
		{"the system's authorities", nil, codes.Unavailable, "certificate"},
		{"no TLS", []artificer.Option{artificer.WithPlaintext()}, codes.Unavailable, ""},
	} {
		job, err := dial(t, s.target, row.opts...).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
		if status.Code(err) != row.code {
			t.Errorf("%s: %v", row.name, err)
		}
		if got := job.GetName() + status.Convert(err).Message(); row.code == codes.OK && got != row.want || !strings.Contains(got, row.want) {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}

func TestTLSToAServerWithoutIt(t *testing.T) {
	s := (&server{}).start(t)
	_, err := dial(t, s.target).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.Unavailable || !strings.HasSuffix(err.Error(), "the server does not use TLS, for which there is WithPlaintext") {
		t.Error(err)
	}
}

func TestARenewedClientCertificateIsRead(t *testing.T) {
	a := newAuthority(t)
	short := grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 20 * time.Millisecond})
	s := a.secure(t, tls.RequireAndVerifyClientCert, short)
	a.issue(t, "client", &x509.Certificate{})
	client := dial(t, s.target, artificer.WithCA(a.file("ca.pem")), artificer.WithClientCertificate(a.file("client.pem"), a.file("client.key")))
	ask := func() string {
		job, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return job.GetName()
	}
	if got := ask(); got != "client" {
		t.Fatalf("the server sees %q", got)
	}
	a.issue(t, "renewed", &x509.Certificate{})
	for _, kind := range []string{".pem", ".key"} {
		if err := os.Rename(a.file("renewed"+kind), a.file("client"+kind)); err != nil {
			t.Fatal(err)
		}
	}
	if !waitFor(t.Context(), func() bool { return ask() == "renewed" }) {
		t.Fatal("the client goes on with the old certificate")
	}
}
