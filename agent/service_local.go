package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft/api"
	"weft/api/agentapi"
	"weft/overlay"
	"weft/store"
)

// errFollowsServers refuses what is for hosts without servers.
func errFollowsServers() error {
	return api.Invalid("weft apply -f FILE declares it there", "this host follows servers and no file of its own")
}

// errFollowsFile refuses what would last no longer than until the file is applied again.
func errFollowsFile() error {
	return api.Invalid("declare it in the file and say weft apply --local FILE", "this host follows a file and no server")
}

// declareTime is how long a host may take to become what is declared.
const declareTime = 20 * time.Second

// Declare implements agentapi.Service.
func (s *service) Declare(ctx context.Context, d agentapi.Declaration) error {
	if s.local == nil {
		return errFollowsServers()
	}
	if err := s.begun(ctx); err != nil {
		return err
	}
	o := s.local.options
	u, err := FindUnderlay(o.nearEnds(d))
	if err != nil {
		return err
	}
	if err := o.check(ctx, u, d); err != nil {
		return err
	}
	if err := SaveDeclaration(o.StateDir, d); err != nil {
		return err
	}
	if _, _, err := s.local.Update(ctx, store.Change{Put: o.record(u), Expect: store.Any}); err != nil {
		return err
	}
	if err := s.local.become(ctx, d); err != nil {
		return err
	}
	return s.settled(ctx)
}

// settled returns when the host is as declared, or says what is not.
func (s *service) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, declareTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		differs, err := s.differs(ctx)
		if err == nil && differs == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return fmt.Errorf("declared, and this host is not so after %s: %s", declareTime, differs)
		}
	}
}

// differs says what is not as declared.
func (s *service) differs(ctx context.Context) (string, error) {
	follows, err := s.loop.Follows(ctx, s.local.revisions())
	if err != nil {
		return "", err
	}
	now, err := s.loop.Status(ctx)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, n := range now.Networks {
		if len(n.Differs) > 0 || n.Present < n.Wanted {
			lines = append(lines, fmt.Sprintf("network %s has %d of %d objects: %s", n.Network, n.Present, n.Wanted, strings.Join(n.Differs, "; ")))
		}
	}
	for _, t := range now.Tunnels {
		if len(t.Differs) > 0 || t.Present < t.Wanted || t.Network == "" && t.Wanted == 0 {
			lines = append(lines, fmt.Sprintf("tunnel %s has %d of %d objects: %s", t.Tunnel, t.Present, t.Wanted, strings.Join(t.Differs, "; ")))
		}
	}
	if len(lines) == 0 && !follows {
		return "it is being worked on", nil
	}
	slices.Sort(lines)
	return strings.Join(lines, "; "), nil
}

// Declared implements agentapi.Service.
func (s *service) Declared(ctx context.Context) (d agentapi.Declared, err error) {
	if s.local == nil {
		return d, errFollowsServers()
	}
	for _, k := range s.local.keys() {
		r, err := s.local.Get(ctx, k)
		if err != nil {
			continue // it is gone meanwhile
		}
		switch r := r.(type) {
		case *overlay.Network:
			d.Networks = append(d.Networks, r)
		case *overlay.Block:
			d.Blocks = append(d.Blocks, r)
		case *overlay.Tunnel:
			d.Tunnels = append(d.Tunnels, r)
		case *overlay.Endpoint:
			d.Endpoints = append(d.Endpoints, r)
		}
	}
	self, err := s.loop.Self(ctx)
	if self != nil {
		d.Nodes = []*overlay.Node{self}
	}
	return d, err
}

// Stop implements agentapi.Service.
func (s *service) Stop(context.Context) error {
	if s.local == nil {
		return errFollowsServers()
	}
	if err := ForgetDeclaration(s.local.options.StateDir); err != nil {
		return err
	}
	s.stop()
	return nil
}

// refuseIfLocal refuses requests that make or remove endpoints, on a host that follows a file.
func (s *service) refuseIfLocal() error {
	if s.local != nil {
		return errFollowsFile()
	}
	return nil
}
