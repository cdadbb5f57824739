package user

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"weft/dataplane/kernel"
	"weft/overlay"
)

// count is an overlay.Count that several count in.
type count struct{ packets, bytes atomic.Uint64 }

func (c *count) add(n int) {
	c.packets.Add(1)
	c.bytes.Add(uint64(n))
}

func (c *count) read() overlay.Count {
	return overlay.Count{Packets: c.packets.Load(), Bytes: c.bytes.Load()}
}

// traffic is an overlay.Traffic.
type traffic struct{ from, to count }

func (t *traffic) read() overlay.Traffic {
	return overlay.Traffic{From: t.from.read(), To: t.to.read()}
}

// drops are packets by reason.
type drops struct {
	mu sync.Mutex
	of map[overlay.DropReason]overlay.Count
}

func (d *drops) add(why overlay.DropReason, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[overlay.DropReason]overlay.Count{}
	}
	d.of[why] = d.of[why].Plus(overlay.Count{Packets: 1, Bytes: uint64(n)})
}

func (d *drops) read() map[overlay.DropReason]overlay.Count {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[overlay.DropReason]overlay.Count{}
	for why, c := range d.of {
		all[why] = c
	}
	return all
}

// counters are a link's.
type counters struct {
	all   traffic
	drops drops
	mu    sync.Mutex
	peers map[netip.Addr]*traffic
}

// peer is the counter of a peer. It stays when the peer goes: it may come back.
func (c *counters) peer(a netip.Addr) *traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers == nil {
		c.peers = map[netip.Addr]*traffic{}
	}
	if c.peers[a] == nil {
		c.peers[a] = &traffic{}
	}
	return c.peers[a]
}

func (c *counters) read() kernel.CarriedCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := kernel.CarriedCount{Peers: map[netip.Addr]overlay.Traffic{}, All: c.all.read(), Drops: c.drops.read()}
	for a, t := range c.peers {
		n.Peers[a] = t.read()
	}
	return n
}
