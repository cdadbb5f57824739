package kernel

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"weft/dataplane"
	"weft/overlay"
)

// groups find out whom the multicast groups of networks do not reach. Every node says into
// each network with a group that it is there, by way of the group as any broadcast, and listens
// who else does: a group that loses packets on its way is seen by nothing else, as
// who floods gets no answer and expects none.
type groups struct {
	announce func(dataplane.Event)
	mu       sync.Mutex
	callers  map[overlay.NetworkName]*caller
}

func newGroups(announce func(dataplane.Event)) *groups {
	return &groups{announce: announce, callers: map[overlay.NetworkName]*caller{}}
}

// keep has a network called in if it has a group, and else not. When it returns nothing holds
// the namespace of one that is not.
func (g *groups) keep(self overlay.NodeName, name overlay.NetworkName, n *wantedNetwork, current func() *wantedNetwork) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.callers[name]
	calls := n != nil && n.net.Group.IsValid() && n.net.Plane == overlay.PlaneKernel
	switch {
	case calls && c == nil:
		g.callers[name] = g.start(self, name, current)
	case !calls && c != nil:
		delete(g.callers, name)
		c.end()
	}
}

func (g *groups) start(self overlay.NodeName, name overlay.NetworkName, current func() *wantedNetwork) *caller {
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{self: self, name: name, current: current, announce: g.announce, roll: newRoll(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.run(ctx)
	}()
	return c
}

// close ends all.
func (g *groups) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.callers {
		c.end()
	}
	clear(g.callers)
}

// problems are what is to be said of a network's group, a line for each node that is not heard.
func (g *groups) problems(name overlay.NetworkName) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.callers[name]; c != nil {
		return c.said()
	}
	return nil
}

// caller calls in one network.
type caller struct {
	self     overlay.NodeName
	name     overlay.NetworkName
	current  func() *wantedNetwork
	announce func(dataplane.Event)
	cancel   context.CancelFunc
	done     chan struct{}
	// Of run: who was heard, and by what.
	roll   roll
	socket *callSocket

	mu    sync.Mutex
	lines []string
}

func (c *caller) end() {
	c.cancel()
	<-c.done
}

func (c *caller) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lines)
}

func (c *caller) run(ctx context.Context) {
	ticks := time.NewTicker(callInterval)
	defer ticks.Stop()
	defer func() { c.socket.close() }()
	for {
		c.call(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// call is one round: listen, call, and say who is silent if that has changed.
func (c *caller) call(now time.Time) {
	n := c.current()
	if n == nil {
		return
	}
	n.changing.RLock()
	members, s, uplink := slices.Collect(maps.Keys(n.net.Members)), n.net.Settings, uplinkTo(n.net, "")
	n.changing.RUnlock()
	c.roll.expect(members, now)
	if !c.open(n.ns, uplink) {
		c.roll.excuse(now)
		return
	}
	for _, node := range c.socket.heard(s.VNI) {
		c.roll.hear(node, now)
	}
	if len(members) > 0 {
		c.socket.call(s.VNI, c.self)
	}
	c.say(s, c.roll.silent(now))
}

// open makes sure that there is a socket on the link, which may have been made again.
func (c *caller) open(ns NS, uplink string) bool {
	if c.socket.stale() {
		c.socket.close()
		c.socket = openCall(ns, uplink)
	}
	return c.socket != nil
}

func (c *caller) say(s dataplane.Settings, silent []overlay.NodeName) {
	var lines []string
	for _, node := range silent {
		lines = append(lines, fmt.Sprintf("group %s does not reach here from node %s: nothing of it was heard for %s on %s (TTL %d); look whether it is up, and all routers between route the group",
			s.Group, node, callPatience, s.UnderlayDevice, s.TTL))
	}
	c.mu.Lock()
	changed := !slices.Equal(lines, c.lines)
	c.lines = lines
	c.mu.Unlock()
	if changed {
		c.announce(dataplane.Event{Kind: dataplane.EventReach, Network: c.name, What: reachText(s, silent)})
	}
}

func reachText(s dataplane.Settings, silent []overlay.NodeName) string {
	if len(silent) == 0 {
		return fmt.Sprintf("group %s reaches here from all nodes", s.Group)
	}
	return fmt.Sprintf("group %s does not reach here from %v", s.Group, silent)
}
