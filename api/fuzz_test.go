package api

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"weft/overlay"
	"weft/store"
)

// What a server sends never stops a client, and what of it is understood is read
// the same again.
func FuzzDecodeResource(f *testing.F) {
	for _, seed := range []string{known, field, value, another, `{}`, `{"kind":"Token","spec":{}}`, `null`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, unknown, err := decodeResource(raw)
		if err != nil || unknown != "" {
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", raw, err)
		}
		again, unknown, err := decodeResource(text)
		if err != nil || unknown != "" || !reflect.DeepEqual(r, again) {
			t.Errorf("%s is read as %+v, and then as %+v, %q, %v", raw, r, again, unknown, err)
		}
	})
}

func FuzzParseWatch(f *testing.F) {
	f.Add("kinds=Node,network&networks=blue,red&node=a&incarnation=x&revision=7")
	f.Add("kinds=,&revision=-1")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		in, from, err := parseWatch(q)
		if err != nil {
			return
		}
		in2, from2, err := parseWatch(formatWatch(in, from))
		if err != nil || !reflect.DeepEqual(in, in2) || from != from2 {
			t.Errorf("%q is %+v from %v, and then %+v from %v, %v", query, in, from, in2, from2, err)
		}
	})
}

// Whatever comes in, the answer is a resource or a refusal: never a fault of the
// server's own, and never something that is stored and not valid.
func FuzzRequests(f *testing.F) {
	const paths = "/v1/network/x /v1/node/x /v1/endpoint/blue/x /v1/endpoint/green /v1/token /v1/join /v1/renew /v1/token/x"
	for i := range len(strings.Fields(paths)) {
		f.Add(byte(i), "expect=absent", known)
		f.Add(byte(i), "status=1&expect=3", `{"spec":{"node":"a","attach":{"type":"netns","target":"/x"}}}`)
		f.Add(byte(i), "", `{"token":"weft1.a.b.c.d","csr":"-----BEGIN","node":"a","ttl":"1h"}`)
	}
	w, admin := cluster(f)
	server := w.hosts[0].Server
	root := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{admin.holder.Current().Leaf}}
	f.Fuzz(func(t *testing.T, which byte, query, body string) {
		all := strings.Fields(paths)
		path := all[int(which)%len(all)]
		r := &http.Request{
			Method: http.MethodPut, URL: &url.URL{Path: path, RawQuery: query}, Host: "x",
			Body: readCloser{strings.NewReader(body)}, Header: http.Header{}, RemoteAddr: "fuzz", TLS: root,
		}
		if strings.Count(path, "/") == 2 || strings.HasSuffix(path, "green") {
			r.Method = http.MethodPost
		}
		answer := &recorder{header: http.Header{}, status: http.StatusOK}
		server.ServeHTTP(answer, r.WithContext(t.Context()))
		if answer.status >= 500 {
			t.Fatalf("%s %s?%s %q: %d %s", r.Method, path, query, body, answer.status, answer.body.String())
		}
		for k, n := range snapshot(t, w.store).Networks {
			if err := n.Validate(); err != nil || n.Spec.VNI == 0 {
				t.Fatalf("%s was stored: %+v, %v", k, n, err)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// fill makes a network with endpoints, straight into the store.
func fill(t testing.TB, s store.Store, endpoints int) {
	t.Helper()
	large := network("large", "", "10.128.0.0/16")
	large.Spec = large.Spec.Complete()
	large.Spec.VNI = 9999
	put(t, s, overlay.Resource(large))
	address := large.Spec.Gateways[0]
	for i := range endpoints {
		address = address.Next()
		e := endpoint("large", "e"+string(rune('a'+i%26))+strings.ReplaceAll(address.String(), ".", "-"), "b", address.String())
		e.Spec.Port, e.Spec.MAC = overlay.PortSingle, overlay.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
		put(t, s, overlay.Resource(e))
	}
}

func BenchmarkAttachInALargeNetwork(b *testing.B) {
	w, _ := cluster(b)
	fill(b, w.store, 10_000)
	admin := w.client(b, overlay.RoleAdmin, "root2", w.serve(b, nil))
	e := put(b, admin, endpoint("large", "x", "a"))
	for b.Loop() {
		if err := admin.Remove(b.Context(), e.Key(), false); err != nil {
			b.Fatal(err)
		}
		put(b, admin, endpoint("large", "x", "a"))
	}
}
