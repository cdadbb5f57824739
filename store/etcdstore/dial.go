package etcdstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/store"
)

// DialOptions say how an existing etcd cluster is reached.
type DialOptions struct {
	Options
	// Endpoints of the cluster's members, all with the same scheme: https://, or
	// http:// for a cluster without TLS. Required.
	Endpoints []string
	// CA is the file with the certificates that members' are verified by [the system's].
	CA string
	// Cert and Key are the files of the client certificate, or empty. They are
	// read again for every connection, so they can be rotated.
	Cert, Key string
	// Log gets the client's messages. Or nil.
	Log *slog.Logger
}

// A connection that does not answer for keepAlive and keepAliveTimeout is given
// up. etcd takes pings more often than every 5 s for an attack.
const (
	keepAlive        = 10 * time.Second
	keepAliveTimeout = 5 * time.Second
)

// Dial opens the store in an existing etcd cluster, of etcd 3.4 or later: the contract
// was run on 3.4.23, Debian 12's (TestInstalledProgram).
func Dial(ctx context.Context, o DialOptions) (*Store, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("etcd client: %w", err)
	}
	s, err := open(ctx, client.KV, connected(client), client.Close, o.Options)
	if errors.Is(err, store.ErrUnavailable) {
		if why := o.reason(ctx, config.TLS); why != nil {
			err = fmt.Errorf("open store: %w: %w", store.ErrUnavailable, why)
		}
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

func (o DialOptions) config() (clientv3.Config, error) {
	c := clientv3.Config{
		Endpoints:            o.Endpoints,
		DialKeepAliveTime:    keepAlive,
		DialKeepAliveTimeout: keepAliveTimeout,
		Logger:               zapLogger(o.Log),
	}
	secure, err := o.secure()
	if err != nil || !secure {
		return c, err
	}
	c.TLS, err = o.tls()
	return c, err
}

// secure reports whether the endpoints want TLS.
func (o DialOptions) secure() (bool, error) {
	if len(o.Endpoints) == 0 {
		return false, errors.New("etcd endpoints: none given; want one or more such as https://192.0.2.1:2379")
	}
	first, _, _ := strings.Cut(o.Endpoints[0], "://")
	for _, e := range o.Endpoints {
		scheme, host, ok := strings.Cut(e, "://")
		if !ok || scheme != "https" && scheme != "http" || host == "" || strings.Contains(host, "/") {
			return false, fmt.Errorf("etcd endpoint %q: want https://HOST:PORT (or http:// for a cluster without TLS)", e)
		}
		if scheme != first {
			return false, fmt.Errorf("etcd endpoint %q: the first one has %s; want one scheme for all", e, first)
		}
	}
	if first == "http" && (o.CA != "" || o.Cert != "" || o.Key != "") {
		return false, fmt.Errorf("etcd endpoint %q: TLS files are given, but it has no TLS; want https://", o.Endpoints[0])
	}
	return first == "https", nil
}

func (o DialOptions) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("etcd CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd CA: %s has no certificate in PEM", o.CA)
		}
	}
	if o.Cert == "" && o.Key == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("etcd client certificate: %w", err)
		}
		return &c, nil
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	_, err := load()
	return config, err
}
