package control

import (
	"context"
	"errors"

	"weft/internal/files"
	"weft/overlay"
	"weft/reach"
)

// peers are the far ends of this node's tunnels: who they are, and what was found out of
// them, which is remembered in a file so that a restart moves nothing.
type peers struct {
	path    string
	watcher *reach.Watcher
	// stale: the tunnels are others than those that are followed.
	stale bool
	known map[overlay.Key]overlay.TunnelPath
}

// knownPath is a line of the file.
type knownPath struct {
	overlay.Key
	overlay.TunnelPath
}

// load reads what was found out before.
func (p *peers) load() error {
	p.known = map[overlay.Key]overlay.TunnelPath{}
	var lines []knownPath
	if err := fromFile(p.path, &lines); err != nil {
		return err
	}
	for _, l := range lines {
		p.known[l.Key] = l.TunnelPath
	}
	return nil
}

func (p *peers) save() error {
	lines := []knownPath{}
	for k, path := range p.known {
		lines = append(lines, knownPath{k, path})
	}
	return toFile(p.path, lines)
}

// recallPeers loads what this node has found out of its tunnels' peers, and plans with it.
func (l *Loop) recallPeers() error {
	err := l.peers.load()
	if errors.Is(err, errDamaged) {
		aside, e := files.SetAside(l.peers.path)
		if e != nil {
			return errors.Join(err, e)
		}
		l.Log.Warn("what was known of the tunnels' peers cannot be read; it is set aside, and found out anew", "err", err, "aside", aside)
		err = nil
	}
	for k, path := range l.peers.known {
		l.planner.SetPath(k, path)
	}
	return err
}

// followPeers has those peers followed that this node's tunnels have now.
func (l *Loop) followPeers(ctx context.Context) {
	if !l.peers.stale {
		return
	}
	l.peers.stale = false
	all := map[overlay.Key]reach.Peer{}
	for k, t := range l.table.tunnels {
		all[k] = l.peerOf(t)
	}
	l.peers.watcher.Follow(ctx, all)
	l.learnPeers()
}

// peerOf is what is to be found out for a tunnel.
func (l *Loop) peerOf(t *overlay.Tunnel) reach.Peer {
	s := t.Spec.Complete(overlay.TunnelName(t.Name))
	p := reach.Peer{KeepAlive: s.KeepAlive, Known: l.peers.known[t.Key()]}
	if a, ok := s.RemoteAddr(); ok {
		p.Remote = a
	} else if p.Name = s.Remote; s.Local.IsValid() {
		p.Family = overlay.FamilyOf(s.Local)
	} else if self, ok := l.self(); ok {
		p.Family = onlyFamily(self)
	}
	if t.Network != "" && l.DomainPath != nil {
		p.Namespace = l.DomainPath(t.Network)
	}
	if t.Network == "" || !s.Mode.Ethernet() {
		p.Device = s.Device // a bridge's port is none to send by
	}
	return p
}

// onlyFamily is the family of a node's underlay if it has one alone.
func onlyFamily(n *overlay.Node) overlay.Family {
	_, v4 := n.Underlay(overlay.V4)
	_, v6 := n.Underlay(overlay.V6)
	switch {
	case v4 && !v6:
		return overlay.V4
	case v6 && !v4:
		return overlay.V6
	}
	return ""
}

// learnPeers plans with what is known of the peers now, and writes it down.
func (l *Loop) learnPeers() {
	news := false
	found := l.peers.watcher.Statuses()
	for k := range l.peers.known {
		if _, followed := found[k]; !followed {
			delete(l.peers.known, k)
			l.planner.SetPath(k, overlay.TunnelPath{})
			news = true
		}
	}
	for k, s := range found {
		if l.peers.known[k] == s.TunnelPath {
			continue
		}
		if was := l.peers.known[k]; was.Down != s.Down {
			l.Log.Info("a tunnel's peer "+map[bool]string{true: "does not answer any more", false: "answers again"}[s.Down], "tunnel", k.Name, "why", s.Why)
		}
		l.peers.known[k] = s.TunnelPath
		l.planner.SetPath(k, s.TunnelPath)
		news = true
	}
	l.reports.dirty()
	if !news {
		return
	}
	if err := l.peers.save(); err != nil {
		l.Log.Error("what is known of the tunnels' peers cannot be written down; a restart finds it out anew", "err", err)
	}
}
