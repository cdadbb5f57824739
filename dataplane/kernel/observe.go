package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// observer reads from the host the objects of one network, those that are wanted
// and those that are Weft's without being wanted.
type observer struct {
	hand *hand
	name overlay.NetworkName
	ns   NS
	want Objects
	Objects
	// many are not among the objects, if they are compared instead.
	many   *many
	tables map[NS]linkTable
}

// observe reads the objects of a network. want may be empty: then everything is
// read by which Weft knows its own.
func (h *hand) observe(name overlay.NetworkName, ns NS, want Objects) (Objects, error) {
	o, err := h.read(name, ns, want, nil)
	if err != nil {
		return Objects{}, err
	}
	return o.Objects, nil
}

// read is observe, but compares the many of a network, if one is given.
func (h *hand) read(name overlay.NetworkName, ns NS, want Objects, n *wantedNetwork) (o *observer, err error) {
	if err := untilStill(func() error {
		o = &observer{hand: h, name: name, ns: ns, want: want, Objects: NewObjects(), many: newMany(n), tables: map[NS]linkTable{}}
		return o.all()
	}); err != nil {
		return nil, fmt.Errorf("read network %s from the host: %w", name, err)
	}
	return o, nil
}

// untilStill calls read again while the host changes beneath it.
func untilStill(read func() error) error {
	for tries := 0; ; tries++ {
		err := read()
		if !errors.Is(err, errInterrupted) || tries == maxTries {
			return err
		}
	}
}

// maxTries to read a host that does not hold still.
const maxTries = 20

func (o *observer) all() error {
	for _, step := range []func() error{o.domain, o.hostLinks, o.workloads, o.redirects, o.carriedIn, o.unaided} {
		if err := step(); err != nil {
			return err
		}
	}
	o.peers()
	o.underlays()
	return nil
}

// underlays finds out which devices of the host tunnel links are bound to.
func (o *observer) underlays() {
	for id, l := range o.Links {
		if device := o.tables[id.NS].named(id.Name).outerDevice; device != 0 {
			l.Outer.Device = o.tables[Host].underlay(device, "")
			o.Links[id] = l
		}
	}
}

// domain reads everything in the network's namespace: all of it is Weft's.
func (o *observer) domain() error {
	switch _, err := netns.ID(string(o.ns)); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, netns.ErrNotNamespace):
		o.hand.forget(o.ns)
		return nil
	case err != nil:
		return err
	}
	s, err := o.hand.in(o.ns)
	if err != nil {
		return err
	}
	o.Namespaces[o.ns] = struct{}{}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	o.tables[o.ns] = t
	for _, l := range t.links {
		id := LinkID{o.ns, l.name}
		o.Links[id] = t.link(l, o.want.Links[id])
	}
	for _, read := range []func(*space, linkTable) error{o.addresses, o.fdb, o.neighbors, o.routes} {
		if err := read(s, t); err != nil {
			return err
		}
	}
	if o.Filters[o.ns], _, err = o.hand.readFilters(o.ns, o.want.Filters[o.ns]); err != nil {
		return err
	}
	return o.sysctls()
}

func (o *observer) addresses(s *space, t linkTable) error {
	return s.addresses(func(a hostAddress) {
		if a, ok := t.address(a); ok {
			o.Addresses[a] = struct{}{}
		}
	})
}

func (o *observer) fdb(s *space, t linkTable) error {
	return s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		if !e.made() {
			return
		}
		if k, vtep, ok := t.tunnel(e); ok && !o.many.tunnel(k, vtep) {
			o.Tunnels[k] = vtep
		}
		if k, station, ok := t.station(e); ok && !o.many.station(k, station) {
			o.Stations[k] = station
		}
	})
}

func (o *observer) neighbors(s *space, t linkTable) error {
	return s.entries(unix.AF_UNSPEC, func(e fdbEntry) {
		if k, mac, ok := t.neighbor(e); ok && e.made() && !o.many.neighbor(k, mac) {
			o.Neighbors[k] = mac
		}
	})
}

func (o *observer) routes(s *space, t linkTable) error {
	return s.routes(0, func(r hostRoute) {
		if k, route, ok := t.route(r); ok {
			o.Routes[k] = route
		}
	})
}

// sysctls reads those that are wanted in the domain.
func (o *observer) sysctls() error {
	for _, ns := range []NS{o.ns, Host} {
		if err := netns.Do(o.hand.path(ns), func() error { return o.sysctlsOf(ns) }); err != nil {
			return err
		}
	}
	return nil
}

// sysctlsOf reads those of the calling thread's namespace; a link that is not there has
// none.
func (o *observer) sysctlsOf(ns NS) error {
	for id := range o.want.Sysctls {
		if id.NS != ns {
			continue
		}
		b, err := os.ReadFile("/proc/sys/" + id.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		o.Sysctls[id] = strings.TrimSpace(string(b))
	}
	return nil
}

// peers finds out which veth ends belong together.
func (o *observer) peers() {
	for id, want := range o.want.Links {
		have, ok := o.Links[id]
		if !ok || want.Kind != KindVeth || have.Peer != (LinkID{}) {
			continue
		}
		if o.want.Links[want.Peer].Lent || o.joined(id, want.Peer) {
			have.Peer = want.Peer
			o.Links[id] = have
		}
		if far, ok := o.Links[want.Peer]; ok && have.Peer != (LinkID{}) {
			far.Peer = id
			o.Links[want.Peer] = far
		}
	}
}

// joined reports whether the links are the two ends of a veth.
func (o *observer) joined(near, far LinkID) bool {
	a, b := o.tables[near.NS].named(near.Name), o.tables[far.NS].named(far.Name)
	if a.index == 0 || b.index == 0 || a.lower != b.index || b.lower != a.index {
		return false
	}
	id, err := o.hand.namespaceID(near.NS, far.NS)
	return err == nil && id == a.netnsid
}

// tagged reports whether an alias says that a link is the network's.
func tagged(alias string, name overlay.NetworkName) bool {
	tag := aliasOf(name, "")
	return alias == tag || strings.HasPrefix(alias, tag+"/")
}
