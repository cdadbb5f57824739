package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"weft/api"
	"weft/api/agentapi"
	"weft/dataplane"
	"weft/dataplane/ebpf"
	"weft/dataplane/user"
	"weft/internal/files"
	"weft/overlay"
	"weft/plan"
	"weft/store"
	"weft/store/memstore"
)

// local is the home of a host that follows no server: what was declared last, in a file, and
// the store that the control loop follows instead of the servers'.
type local struct {
	*memstore.Store
	// options are the agent's.
	options Options

	// declaring is held while the host is made what is declared.
	declaring sync.Mutex

	mu sync.Mutex
	// declared is what the host was last declared to be.
	declared agentapi.Declaration
	// has are the resources in the store that were declared, or follow from what was, with their
	// revisions there.
	has map[overlay.Key]overlay.Resource
}

// The files in the state folder that the control loop of a host goes on with after a restart:
// what it knew, which planes it chose, and what it found out of its tunnels' peers.
const (
	cacheFile   = "cache.json"
	choicesFile = "planes.json"
	peersFile   = "peers.json"
)

// localFile is, in the state folder, what a host without servers is declared to be.
const localFile = "local.json"

// ErrNotLocal says that nothing was declared for this host.
var ErrNotLocal = errors.New("this host follows no file: weft apply --local FILE declares what it is to be")

// LoadDeclaration reads what the host was last declared to be; the error wraps [ErrNotLocal] if
// nothing was.
func LoadDeclaration(stateDir string) (d agentapi.Declaration, err error) {
	path := filepath.Join(stateDir, localFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, ErrNotLocal
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("read %s: %w; declare it again: weft apply --local FILE", path, err)
	}
	return d, nil
}

// SaveDeclaration writes down what the host is to be.
func SaveDeclaration(stateDir string, d agentapi.Declaration) error {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(filepath.Join(stateDir, localFile), append(data, '\n'))
}

// ForgetDeclaration has the host be nothing from the next start on; it may be nothing already. What
// an agent that has ended knew, chose and found out for the declaration goes with it.
func ForgetDeclaration(stateDir string) error {
	var failed []error
	for _, name := range []string{localFile, cacheFile, choicesFile, peersFile} {
		if err := os.Remove(filepath.Join(stateDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// openLocal returns the home of a host that is as it was last declared.
func openLocal(ctx context.Context, o Options, u Underlay) (*local, error) {
	d, err := LoadDeclaration(o.StateDir)
	if err != nil {
		return nil, err
	}
	l := &local{Store: memstore.New(memstore.Options{}), options: o, has: map[overlay.Key]overlay.Resource{}}
	if _, _, err := l.Update(ctx, store.Change{Put: o.record(u), Expect: store.Any}); err != nil {
		return nil, err
	}
	return l, l.become(ctx, d)
}

// Get implements home.
func (l *local) Get(_ context.Context, k overlay.Key) (overlay.Resource, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.has[k]; ok {
		return r, nil
	}
	return nil, store.ErrNotFound
}

// Server implements home.
func (l *local) Server() string { return "" }

// become makes the store have what is declared, and nothing else, all at once: what is declared
// may exchange VNIs, interfaces and addresses.
func (l *local) become(ctx context.Context, d agentapi.Declaration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	want, err := declared(l.options.Node, d)
	if err != nil {
		return err
	}
	next := map[overlay.Key]bool{}
	for _, r := range want {
		next[r.Key()] = true
	}
	var changes []store.Change
	for k := range l.has {
		if !next[k] {
			changes = append(changes, store.Change{Delete: k, Expect: store.Any})
		}
	}
	for _, r := range want { // in the order in which they need each other
		changes = append(changes, store.Change{Put: r, Expect: store.Any})
	}
	stored, err := l.Together(ctx, changes)
	if err != nil {
		return err
	}
	l.has = map[overlay.Key]overlay.Resource{}
	for _, r := range stored {
		l.has[r.Key()] = r
	}
	l.declared = d
	return nil
}

// inOrder puts first what others need, and then goes by name.
func inOrder(a, b overlay.Key) int {
	kinds := overlay.Kinds()
	return cmp.Or(slices.Index(kinds, a.Kind)-slices.Index(kinds, b.Kind), strings.Compare(a.String(), b.String()))
}

// Check says what is in the way of this host's being what is declared; it changes nothing.
func Check(ctx context.Context, o Options, d agentapi.Declaration) error {
	u, err := o.nearEnds(d).find()
	if err != nil {
		return err
	}
	o.noPrograms, o.noForwarder = ebpf.Probe(), user.Probe()
	if o.tunnelModes, err = o.probeTunnels(ctx); err != nil {
		return err
	}
	_, err = o.check(ctx, u, d)
	return err
}

// check is Check on an underlay, and returns what is declared as the planes are told it.
func (o Options) check(ctx context.Context, u Underlay, d agentapi.Declaration) (state dataplane.State, err error) {
	l := &local{Store: memstore.New(memstore.Options{}), options: o, has: map[overlay.Key]overlay.Resource{}}
	self := o.record(u)
	if _, _, err := l.Update(ctx, store.Change{Put: self, Expect: store.Any}); err != nil {
		return state, err
	}
	if err := l.become(ctx, d); err != nil {
		return state, err
	}
	s := overlay.NewSnapshot()
	s.Put(self)
	for _, r := range l.has {
		s.Put(r)
	}
	state = plan.For(o.Node, s)
	var problems []string
	for name, all := range state.TunnelProblems {
		problems = append(problems, fmt.Sprintf("tunnel %s: %s", name, strings.Join(all, "; ")))
	}
	for name, all := range state.Problems {
		problems = append(problems, fmt.Sprintf("network %s: %s", name, strings.Join(all, "; ")))
	}
	if len(problems) == 0 {
		return state, nil
	}
	slices.Sort(problems)
	return state, api.Invalid("nothing was changed", "%s", strings.Join(problems, "; "))
}

// keys are those of the declared resources, in the order of their kinds and names.
func (l *local) keys() []overlay.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := slices.Collect(maps.Keys(l.has))
	slices.SortFunc(keys, inOrder)
	return keys
}

// revisions are those of the declared resources in the store.
func (l *local) revisions() map[overlay.Key]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[overlay.Key]int64, len(l.has))
	for k, r := range l.has {
		all[k] = r.Header().Revision
	}
	return all
}
