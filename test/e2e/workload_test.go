package e2e

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"

	"weft/api/agentapi"
	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// workload is a namespace on a host, which stands for a container, and what weft
// said when it was attached.
type workload struct {
	*lab.Namespace
	agentapi.Attachment
	host *host
	// name of the endpoint and of the namespace.
	name string
}

// namespace makes an empty namespace on the host.
func (h *host) namespace(name string) *lab.Namespace {
	h.s.t.Helper()
	ns, err := h.Workload(name)
	if err != nil {
		h.s.t.Fatal(err)
	}
	return ns
}

// nameOf is what ip netns calls a namespace.
func nameOf(ns *lab.Namespace) string { return filepath.Base(ns.Path()) }

// attach makes a namespace on the host and attaches it to the network. The endpoint
// is called NETWORK-HOST, or with --name otherwise.
func (h *host) attach(network string, flags ...string) *workload {
	h.s.t.Helper()
	return h.attachAs(network+"-"+h.Name(), network, flags...)
}

func (h *host) attachAs(name, network string, flags ...string) *workload {
	h.s.t.Helper()
	w := &workload{Namespace: h.namespace(name), host: h, name: name}
	h.read(&w.Attachment, "endpoint attach %s --netns %s --name %s %s", network, nameOf(w.Namespace), name, strings.Join(flags, " "))
	return w
}

// attachEverywhere attaches a workload on each host.
func (s *session) attachEverywhere(network string, flags ...string) []*workload {
	s.t.Helper()
	var all []*workload
	for _, h := range s.hosts() {
		all = append(all, h.attach(network, flags...))
	}
	return all
}

// address is the workload's of a family; the zero one when it has none.
func (w *workload) address(f overlay.Family) netip.Addr {
	for _, a := range w.Endpoint.Spec.Addresses {
		if overlay.FamilyOf(a) == f {
			return a
		}
	}
	return netip.Addr{}
}

func (w *workload) linkLocal() netip.Addr { return w.Endpoint.Spec.MAC.LinkLocal() }

// ping pings an address once and returns nil if it answers. It needs a zone, "%eth0",
// where an address is link-local.
func ping(ctx context.Context, from *lab.Namespace, to string, flags ...string) error {
	_, err := from.Run(ctx, append([]string{"ping", "-n", "-c1", "-W2", to}, flags...)...)
	return err
}

// pings fails the test unless the address answers within a moment.
func (s *session) pings(from *lab.Namespace, to string, flags ...string) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error { return ping(s.t.Context(), from, to, flags...) }, "ping "+to)
}
