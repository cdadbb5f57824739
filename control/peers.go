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
	known map[overlay.Key]knownPath
	// followed are the remotes of those that are followed, as the tunnels name them.
	followed map[overlay.Key]string
}

// knownPath is a line of the file.
type knownPath struct {
	overlay.Key
	// Of is the remote that it was found out of, as the tunnel named it: of another it says nothing.
	Of string
	overlay.TunnelPath
}

// load reads what was found out before.
func (p *peers) load() error {
	p.known = map[overlay.Key]knownPath{}
	var lines []knownPath
	if err := fromFile(p.path, &lines); err != nil {
		return err
	}
	for _, l := range lines {
		p.known[l.Key] = l
	}
	return nil
}

func (p *peers) save() error {
	lines := []knownPath{}
	for _, path := range p.known {
		lines = append(lines, path)
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
		l.planner.SetPath(k, path.TunnelPath)
	}
	return err
}

// followPeers has those peers followed that this node's tunnels have now.
func (l *Loop) followPeers(ctx context.Context) {
	if !l.peers.stale {
		return
	}
	l.peers.stale = false
	l.peers.followed = map[overlay.Key]string{}
	all := map[overlay.Key]reach.Peer{}
	for k, t := range l.table.tunnels {
		all[k], l.peers.followed[k] = l.peerOf(t), t.Spec.Remote
	}
	l.peers.watcher.Follow(ctx, all)
	l.learnPeers()
}

// peerOf is what is to be found out for a tunnel.
func (l *Loop) peerOf(t *overlay.Tunnel) reach.Peer {
	s := t.Spec.Complete(overlay.TunnelName(t.Name))
	p := reach.Peer{KeepAlive: s.KeepAlive}
	if known := l.peers.known[t.Key()]; known.Of == s.Remote {
		p.Known = known.TunnelPath
	}
	if a, ok := s.RemoteAddr(); ok {
		p.Remote = a
	} else {
		l.nameOf(&p, s)
	}
	if t.Network != "" && l.DomainPath != nil {
		p.Namespace = l.DomainPath(t.Network)
	}
	if t.Network == "" || !s.Mode.Ethernet() {
		p.Device = s.Device // a bridge's port is none to send by
	}
	return p
}

// nameOf has a peer looked up, and says which addresses are not the peer's.
func (l *Loop) nameOf(p *reach.Peer, s overlay.TunnelSpec) {
	p.Name = s.Remote
	self, known := l.self()
	if known {
		p.Family = onlyFamily(self)
		for _, u := range self.Spec.Underlay {
			p.Own = append(p.Own, u.Addr())
		}
	}
	if s.Local.IsValid() {
		p.Family, p.Own = overlay.FamilyOf(s.Local), append(p.Own, s.Local)
	}
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
		now := knownPath{k, l.peers.followed[k], s.TunnelPath}
		if l.peers.known[k] == now {
			continue
		}
		if was := l.peers.known[k]; was.Down != s.Down {
			l.Log.Info("a tunnel's peer "+map[bool]string{true: "does not answer any more", false: "answers again"}[s.Down], "tunnel", k.Name, "why", s.Why)
		}
		l.peers.known[k] = now
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
