package kernel

import (
	"cmp"
	"context"
	"errors"
	"maps"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// migration takes a network from one plane to the other, make before break:
//
//  1. All of the new plane is made beside the old, over stand-ins, but for what both
//     have once: the tunnel device, the domain's routes.
//  2. What comes in goes over, then what workloads send: each packet takes the old way or
//     the new one, and either is whole.
//  3. The tunnel device goes over. In between there is none, which is missed by those
//     packets alone that programs leave to it.
//  4. The ports, which carry nothing now, move, and take over from their stand-ins.
//  5. What is left of the old plane is deleted, and the stand-ins.
//
// Each step compares what is there with what it wants, so that one that was killed is
// gone through again from the beginning, and does what is left to do.
type migration struct {
	*Plane
	ctx context.Context
	h   *hand
	net dataplane.Network
	ns  NS
}

// migrate brings a network of which there is something on the other plane to its own.
func (p *Plane) migrate(ctx context.Context, h *hand, n dataplane.Network) error {
	p.Log.Info("changing plane", "network", n.Name, "to", n.Plane)
	m := migration{p, ctx, h, n, DomainNS(p.NetnsDir, n.Name)}
	steps := []func() error{m.prepare, m.toKernel, m.move, m.finish}
	if n.Plane == overlay.PlaneEBPF {
		steps[1] = m.toPrograms
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	p.Log.Info("changed plane", "network", n.Name, "to", n.Plane)
	return nil
}

func isTap(p dataplane.Port) bool { return p.Attach.Type == overlay.AttachTap }
func isAny(dataplane.Port) bool   { return true }

// prepare makes what stands beside the old plane, and has the workloads take what comes in
// at their stand-ins.
func (m migration) prepare() error {
	want := lowerStoodIn(stoodIn(m.net, isTap), m.NetnsDir)
	if err := m.make(want.withoutTunnel().withoutPrograms().withoutRoutes(m.ns)); err != nil {
		return err
	}
	return m.divert(true)
}

// toPrograms has programs forward instead of the kernel plane.
func (m migration) toPrograms() error {
	if err := m.moveEnds(func(p dataplane.Port) bool { return moves(p) && !standsIn(p) }); err != nil {
		return err
	}
	over := stoodIn(m.net, isAny)
	want := lowerStoodIn(over, m.NetnsDir)
	beside := want.withoutTunnel().withoutRoutes(m.ns)
	m.forwards(m.h, over)
	return m.inOrder(
		func() error { return m.make(beside.withoutPrograms()) },
		func() error { return m.make(beside) },
		func() error { return m.divert(false) },
		func() error { return m.make(want.withoutPrograms()) }, // the tunnel device is up
		func() error { return m.make(want) },
	)
}

// toKernel has the kernel plane forward instead of programs, which do without the tunnel
// device first.
func (m migration) toKernel() error {
	return m.inOrder(
		m.alone,
		func() error { return m.make(lowerStoodIn(stoodIn(m.net, isTap), m.NetnsDir)) },
		func() error { return m.divert(false) },
		func() error {
			return m.moveEnds(func(p dataplane.Port) bool { return moves(p) && !standsIn(p) })
		},
		func() error { return m.make(lowerStoodIn(stoodIn(m.net, isAny), m.NetnsDir)) },
		m.release,
	)
}

// alone has the programs unwrap what else they leave to the tunnel device.
func (m migration) alone() error {
	on, ok, err := m.h.programLinks(m.net, nil)
	if err != nil || !ok || m.Programs == nil {
		return err
	}
	on.Tunnel = 0
	return m.h.programs(m.Programs).Forward(m.net, on)
}

// release takes the network from the programs: its packets are the kernel's again.
func (m migration) release() error {
	on, ok, err := m.h.programLinks(m.net, nil)
	if err != nil || !ok || m.Programs == nil {
		return err
	}
	return m.tidyBut(m.h, on.Gateway)
}

// move takes the ports to their place, where they take over from their stand-ins.
func (m migration) move() error {
	both := withStandIns(m.net)
	want := lowerBoth(m.net, m.NetnsDir)
	m.forwards(m.h, both)
	return m.inOrder(
		func() error { return m.moveEnds(standsIn) },
		func() error { return m.make(want.withoutPrograms()) },
		func() error { return m.make(want) },
		m.carry,
		func() error { return m.undivert(m.net.Name, false) },
	)
}

// finish takes away what is left.
func (m migration) finish() error {
	want := LowerNetwork(m.net, m.NetnsDir)
	m.forwards(m.h, m.net)
	if err := m.reach(want); err != nil {
		return err
	}
	have, err := m.h.observe(m.net.Name, m.ns, want)
	if err != nil {
		return err
	}
	d := differ{want: want, have: have}
	d.leftovers()
	return errors.Join(m.change(m.ctx, m.h, m.net.Name, d.ops), m.undivert(m.net.Name, true), m.tidyPrograms(m.h))
}

func (m migration) inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// make is reach, but leaves the kernel plane its filters as long as it may still need them.
func (m migration) make(want Objects) error {
	if m.net.Plane == overlay.PlaneEBPF {
		want.Filters = map[NS]nft.Ruleset{}
	}
	return m.reach(want)
}

// reach makes what is wanted, and takes nothing away but what is in its place.
func (m migration) reach(want Objects) error {
	have, err := m.h.observe(m.net.Name, m.ns, want)
	if err != nil {
		return err
	}
	m.connected(have, want)
	d := differ{want: want, have: have}
	d.changes()
	return m.change(m.ctx, m.h, m.net.Name, d.ops)
}

// connected adds the routes that the kernel made for a bridge's addresses, where another
// one is wanted: that takes its place, as there cannot be both (fib_table_insert).
func (m migration) connected(have, want Objects) {
	for a := range have.Addresses {
		k := RouteKey{NS: m.ns, Prefix: a.Prefix.Masked()}
		_, wanted := want.Routes[k]
		_, there := have.Routes[k]
		if wanted && !there && a.Link == (LinkID{m.ns, bridgeName}) && a.Prefix.Addr().Is4() {
			have.Routes[k] = Route{Device: bridgeName, Protocol: unix.RTPROT_KERNEL}
		}
	}
}

// moveEnds moves the ends of ports to where the wanted plane has them, unless they are
// there.
func (m migration) moveEnds(which func(dataplane.Port) bool) error {
	have, err := m.h.observe(m.net.Name, m.ns, NewObjects())
	if err != nil {
		return err
	}
	n := m.net
	n.Ports = keep(n.Ports, func(_ overlay.EndpointName, p dataplane.Port) bool { return which(p) })
	ops, _ := have.moving(n, m.ns)
	return m.change(m.ctx, m.h, n.Name, ops)
}

// moving are the ops that move the ends of ports to where the wanted plane has them, unless
// they are there, and what there is then.
func (o Objects) moving(n dataplane.Network, ns NS) (ops []Op, after Objects) {
	from, to := ns, Host
	if n.Plane == overlay.PlaneKernel {
		from, to = to, from
	}
	after = o
	after.Links = maps.Clone(o.Links)
	for _, name := range dataplane.SortedKeys(n.Ports, cmp.Compare[overlay.EndpointName]) {
		p := n.Ports[name]
		id, there := LinkID{from, p.Device}, LinkID{to, p.Device}
		l, ok := o.Links[id]
		if !ok || !moves(p) {
			continue
		}
		ops = append(ops, moveLink{id, to})
		delete(after.Links, id)
		after.Links[there] = Link{Kind: l.Kind, Alias: l.Alias, MAC: l.MAC, MTU: l.MTU, Peer: l.Peer}
		if far, ok := after.Links[l.Peer]; ok {
			far.Peer = there
			after.Links[l.Peer] = far
		}
	}
	return ops, after
}

// moveLink moves a link to another namespace. It keeps its other end, MAC, MTU and alias,
// and is down.
type moveLink struct {
	ID LinkID
	To NS
}

func (o moveLink) String() string {
	to := "1"
	if o.To != Host {
		to = o.To.reference()
	}
	return o.ID.NS.command("ip", "link", "set", o.ID.Name, "netns", to)
}

func (o moveLink) do(h *hand) error {
	s, i, err := h.at(o.ID)
	if err != nil {
		return err
	}
	var files nsFiles
	defer files.Close()
	fd, err := files.open(NS(h.path(o.To)))
	if err != nil {
		return err
	}
	delete(s.index, o.ID.Name)
	return s.send(unix.RTM_NEWLINK, 0, linkMessage(unix.AF_UNSPEC, i), nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(fd)))
}
