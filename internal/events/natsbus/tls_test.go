package natsbus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// certificate writes a self-signed certificate for 127.0.0.1 and its key, and returns both as the server wants them.
func certificate(t *testing.T) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pair
}

func TestConnectionsThatMustBeEncrypted(t *testing.T) {
	certFile, keyFile, pair := certificate(t)
	authority := x509.NewCertPool()
	authority.AddCert(pair.Leaf)
	encrypted := brokerWith(t, t.TempDir(), -1, func(o *server.Options) {
		o.TLS = true
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: authority, ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: tls.VersionTLS12,
		}
	})
	plain := broker(t, t.TempDir(), -1)
	cases := []struct {
		name   string
		server *server.Server
		change func(*Config)
		works  bool
	}{
		{
			name: "both know each other", server: encrypted, works: true,
			change: func(c *Config) { c.CAFile, c.CertFile, c.KeyFile = certFile, certFile, keyFile },
		},
		{name: "the client does not show who it is", server: encrypted, change: func(c *Config) { c.CAFile = certFile }},
		{
			name: "the client does not know the server", server: encrypted,
			change: func(c *Config) { c.CertFile, c.KeyFile = certFile, keyFile },
		},
		{name: "the server does not encrypt", server: plain, change: func(c *Config) { c.CAFile = certFile }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultCluster("nats://" + c.server.Addr().String())
			cfg.Partitions, cfg.Logger, cfg.Stream.MaxBytes = 4, quiet(), mebibyte
			c.change(&cfg)
			most := 500 * time.Millisecond
			if c.works {
				most = patience
			}
			ctx, cancel := context.WithTimeout(context.Background(), most)
			defer cancel()
			b, err := Connect(ctx, cfg)
			if err == nil {
				b.Stop()
			}
			if (err == nil) != c.works {
				t.Errorf("Connect = %v; want it to work: %t", err, c.works)
			}
		})
	}
}
