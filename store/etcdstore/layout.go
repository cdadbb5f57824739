package etcdstore

import (
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
)

// layout is where everything is: the keys of the package comment.
type layout struct {
	// root is the prefix, with a slash at its end.
	root string
	// kinds by the first segment of a path.
	kinds map[string]overlay.Kind
}

func newLayout(prefix string) layout {
	l := layout{root: prefix + "/", kinds: map[string]overlay.Kind{}}
	for _, k := range overlay.Kinds() {
		l.kinds[segment(k)] = k
	}
	return l
}

func segment(k overlay.Kind) string { return strings.ToLower(string(k)) }

// path is kind/network/name. Neither part holds a slash (RFC 1123 labels).
func path(k overlay.Key) string {
	network := string(k.Network)
	if network == "" {
		network = "-"
	}
	return segment(k.Kind) + "/" + network + "/" + k.Name
}

func (l layout) resource(k overlay.Key) string      { return l.root + path(k) }
func (l layout) claim(c overlay.Claim) string       { return l.root + "claim/" + string(c) }
func (l layout) need(needed, by overlay.Key) string { return l.users(needed) + path(by) }
func (l layout) incarnation() string                { return l.root + "incarnation" }
func (l layout) standing() string                   { return l.root + "standing" }
func (l layout) kept(name string) string            { return l.root + "kept/" + name }

// The following are prefixes, with a slash at their end: who needs a resource,
// the resources of a kind, and those of a kind in a network.
func (l layout) users(needed overlay.Key) string { return l.root + "need/" + path(needed) + "/" }
func (l layout) kind(k overlay.Kind) string      { return l.root + segment(k) + "/" }
func (l layout) network(k overlay.Kind, n overlay.NetworkName) string {
	return l.kind(k) + string(n) + "/"
}

// end is the end of the range of keys with a prefix.
func end(prefix string) string { return clientv3.GetPrefixRangeEnd(prefix) }

// parse returns the key of the resource that is stored at an etcd key; false if
// it is something else that is stored there.
func (l layout) parse(key string) (overlay.Key, bool) {
	path, ok := strings.CutPrefix(key, l.root)
	if !ok {
		return overlay.Key{}, false
	}
	return l.parsePath(path)
}

// user returns who needs a resource by a key beneath users.
func (l layout) user(needed overlay.Key, key string) (overlay.Key, bool) {
	path, ok := strings.CutPrefix(key, l.users(needed))
	if !ok {
		return overlay.Key{}, false
	}
	return l.parsePath(path)
}

func (l layout) parsePath(path string) (overlay.Key, bool) {
	first, rest, _ := strings.Cut(path, "/")
	kind, ok := l.kinds[first]
	if !ok {
		return overlay.Key{}, false
	}
	network, name, ok := strings.Cut(rest, "/")
	if !ok {
		return overlay.Key{}, false
	}
	if network == "-" {
		network = ""
	}
	return overlay.Key{Kind: kind, Network: overlay.NetworkName(network), Name: name}, true
}
