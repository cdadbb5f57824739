package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"weft/api"
	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// member is this node as the servers know it.
type member struct {
	file   string
	client *api.Client
}

// home is where this node's resources are: with the servers, or, of a host that follows
// none, here.
type home interface {
	store.Store
	Get(context.Context, overlay.Key) (overlay.Resource, error)
	// Server is the server that is asked; empty: none is.
	Server() string
}

// askTime is how long an agent that was given a token may take to find out whether
// it needs it.
const askTime = 3 * time.Second

// join returns the node's membership: that of an earlier run, or a new one by
// the token. A token is not used when the node has joined already, unless it was
// removed since.
func join(ctx context.Context, o Options) (*member, error) {
	file := filepath.Join(o.StateDir, "node.json")
	c, err := identity.LoadCredentials(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Join == "":
		return nil, errors.New("this node has not joined yet; make a token on the first host with weft token create, and run weftd agent --join TOKEN")
	case errors.Is(err, fs.ErrNotExist):
		if c, err = joinFirst(ctx, o); err != nil {
			return nil, err
		}
		if err := c.Save(file); err != nil {
			return nil, err
		}
		o.Log.Info("joined", "node", o.Node, "servers", c.Servers)
	case errors.Is(err, identity.ErrDamaged):
		return nil, fmt.Errorf("%w; move it away and let this host join again in its own place: "+
			"weftd agent --join TOKEN, with a token from weft token create --node %s", err, o.Node)
	case err != nil:
		return nil, err
	case o.Join != "":
		if c, err = joinAgain(ctx, o, c, file); err != nil {
			return nil, err
		}
	}
	if who, err := c.Identity(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	} else if who.Name != string(o.Node) {
		return nil, fmt.Errorf("this host joined as node %s and cannot be --node %s; remove %s to join anew under another name", who.Name, o.Node, file)
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, err
	}
	return &member{file: file, client: client}, nil
}

// joinTime is how long a host tries to join while no server answers: they may be
// starting, too.
const joinTime = 30 * time.Second

// joinFirst gets credentials for the token.
func joinFirst(ctx context.Context, o Options) (c identity.Credentials, err error) {
	err = whileUnavailable(ctx, o.Log, joinTime, func(ctx context.Context) error {
		c, err = api.Join(ctx, o.Join, o.Node)
		return err
	})
	return c, err
}

// whileUnavailable tries again as long as no server answers, for that long at
// most. It says so once.
func whileUnavailable(ctx context.Context, log *slog.Logger, patience time.Duration, try func(context.Context) error) error {
	until := time.Now().Add(patience)
	for wait, said := registerFirst, false; ; wait = min(2*wait, registerMost) {
		err := try(ctx)
		if !errors.Is(err, store.ErrUnavailable) || time.Now().Add(wait).After(until) {
			return err
		}
		if !said {
			log.Warn("this node could not join yet; trying again", "err", err, "until", until.Format(time.TimeOnly))
			said = true
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// joinAgain returns new credentials if the servers refuse the ones that are there
// because the node was removed. If the token does not help, the host goes on as it
// is: a token that stayed in the settings must not keep it from that.
func joinAgain(ctx context.Context, o Options, c identity.Credentials, file string) (identity.Credentials, error) {
	client, err := api.NewClient(c)
	if err != nil {
		return c, err
	}
	defer client.Close()
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if _, err := client.WhoAmI(asking); !errors.Is(err, store.ErrRevoked) {
		return c, nil
	}
	fresh, err := api.Join(ctx, o.Join, o.Node)
	if err != nil {
		o.Log.Error("this node was removed and could not join again", "node", o.Node, "err", err)
		return c, nil
	}
	o.Log.Info("joined again", "node", o.Node, "servers", fresh.Servers)
	return fresh, fresh.Save(file)
}

// rotate keeps the node's certificate fresh until ctx ends.
func (m *member) rotate(ctx context.Context, log *slog.Logger) error {
	return m.client.Rotate(ctx, log, func(c identity.Credentials) error { return c.Save(m.file) })
}

const (
	registerFirst = 200 * time.Millisecond
	registerMost  = 10 * time.Second
)

// register writes the node's record, with the wanted underlay addresses, again each time that the underlay
// changes, until ctx ends.
func register(ctx context.Context, o Options, wanted func() nearEnds, now Underlay, to home) error {
	changes := make(chan Underlay, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		watchUnderlay(ctx, wanted, now, func(u Underlay) {
			select { // only the newest counts
			case <-changes:
			default:
			}
			changes <- u
		}, o.Log)
	})
	for {
		if next, changed := write(ctx, o, now, to, changes); changed {
			now = next
			continue
		}
		select {
		case now = <-changes:
			o.Log.Info("this node's underlay changed", "underlay", now.Addresses, "mtu", now.MTU)
		case <-ctx.Done():
			return nil
		}
	}
}

// record is what the node says of itself.
func (o Options) record(u Underlay) *overlay.Node {
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: string(o.Node)},
		Spec: overlay.NodeSpec{
			Underlay: u.Addresses, UnderlayMTU: u.MTU, VTEPMAC: overlay.VTEPMACFor(o.Node),
			Planes: o.planes(), Lacks: o.lacks(), TunnelModes: o.tunnelModes,
		},
	}
}

// write tries until the record is written, or ctx ends, or the underlay changes meanwhile.
func write(ctx context.Context, o Options, u Underlay, to home, changes <-chan Underlay) (next Underlay, changed bool) {
	record := o.record(u)
	for wait := registerFirst; ; wait = min(2*wait, registerMost) {
		_, _, err := to.Update(ctx, store.Change{Put: record, Expect: store.Any})
		if err == nil || ctx.Err() != nil {
			return u, false
		}
		level := slog.LevelWarn
		if errors.Is(err, store.ErrRevoked) {
			level = slog.LevelDebug // the loop says it once
		}
		o.Log.Log(ctx, level, "this node could not be registered; trying again", "err", err, "retry", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case next := <-changes:
			timer.Stop()
			return next, true
		case <-ctx.Done():
			timer.Stop()
			return u, false
		}
	}
}
