package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"weft/api"
	"weft/api/agentapi"
	"weft/control"
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
	u, err := o.nearEnds(d).find()
	if err != nil {
		return err
	}
	state, err := o.check(ctx, u, d)
	if err != nil {
		return err
	}
	s.local.declaring.Lock()
	defer s.local.declaring.Unlock()
	before := s.local.declared
	another := !reflect.DeepEqual(before, d)
	if another { // what is refused half-way is taken back, and packets are lost meanwhile
		if err := s.plane.InTheWay(state.Tunnels); err != nil {
			return api.Taken("nothing was changed", "%s", oneLine(err))
		}
	}
	err = s.become(ctx, u, d)
	if err != nil && another { // else whoever started the agent takes it back
		return errors.Join(err, s.takeBack(ctx, before))
	}
	return err
}

// become makes the host what is declared, also over a reboot, and returns when it is.
func (s *service) become(ctx context.Context, u Underlay, d agentapi.Declaration) error {
	o := s.local.options
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

// takeBackTime is how long a host may take to become what it was.
const takeBackTime = 5 * time.Second

// takeBack has the host be what it was declared to be before. What of that was not there then is
// not waited for: weft status says it.
func (s *service) takeBack(ctx context.Context, before agentapi.Declaration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	u, err := s.local.options.nearEnds(before).find()
	if err != nil {
		return err
	}
	var differs *notSoError
	if err := s.become(ctx, u, before); !errors.As(err, &differs) {
		return err
	}
	return nil
}

// notSoError says that a host is not as declared.
type notSoError struct{ why string }

func (e *notSoError) Error() string { return e.why + "; this host is as it was" }

// mostTries is how often in a row the host may refuse what is declared: what has to wait for
// something else that is declared is there the second time.
const mostTries = 3

// settled returns when the host is as declared, or says what is not.
func (s *service) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, declareTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	want, refused := s.local.revisions(), refusals{before: -1}
	differs := "it is being worked on"
	for {
		at, err := s.loop.Progress(ctx, want)
		if err == nil && refused.count(at) >= mostTries {
			return &notSoError{oneLine(at.Err)}
		}
		switch {
		case err != nil:
		case at.Err != nil:
			differs = oneLine(at.Err)
		case at.Done:
			if said, err := s.differs(ctx); err == nil && said == "" {
				return nil
			} else if err == nil {
				differs = said
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &notSoError{fmt.Sprintf("declared, and not so after %s: %s", declareTime, differs)}
		}
	}
}

// refusals count how often the host has refused what is declared, and not what was before.
type refusals struct{ before int }

func (r *refusals) count(at control.Progress) int {
	if !at.Follows {
		return 0
	}
	if r.before < 0 || at.Tries < r.before {
		r.before = at.Tries
	}
	return at.Tries - r.before
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// differs says what is not as declared.
func (s *service) differs(ctx context.Context) (string, error) {
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
