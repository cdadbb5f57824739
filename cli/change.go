package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"weft/api"
	"weft/cli/manifest"
	"weft/cli/output"
	"weft/overlay"
	"weft/store"
)

// change is what applying one document of a manifest does.
type change struct {
	where    string // FILE:LINE
	declared overlay.Resource
	current  overlay.Resource // nil when the store has none
	desired  overlay.Resource
}

func (c change) empty() bool { return c.current != nil && sameSpec(c.current, c.desired) }

// readManifest reads a manifest from a file, or from standard input when its
// name is "-", and checks each resource by itself.
func (a *app) readManifest(file string) ([]manifest.Document, error) {
	text, name, err := a.readFile(file)
	if err != nil {
		return nil, withCode(exitUsage, "%w", err)
	}
	documents, err := manifest.Decode(name, text)
	if err != nil {
		return nil, withCode(exitUsage, "%w", err)
	}
	for _, d := range documents {
		if err := appliable(d.Resource); err != nil {
			return nil, withCode(exitUsage, "%s: %w", d.Where(), err)
		}
	}
	return documents, nil
}

func (a *app) readFile(file string) (text []byte, name string, err error) {
	if file == "-" {
		text, err = io.ReadAll(a.stdin)
		return text, "standard input", err
	}
	text, err = os.ReadFile(file)
	return text, file, err
}

// appliable reports why people do not declare the resource.
func appliable(r overlay.Resource) error {
	switch k := r.Key(); k.Kind {
	case overlay.KindNode:
		return fmt.Errorf("%s: nodes register themselves; run weftd agent there", k)
	case overlay.KindBlock:
		return fmt.Errorf("%s: servers make blocks when a node first needs one; leave it out", k)
	case overlay.KindToken:
		return fmt.Errorf("%s: a token is made by weft token create", k)
	case overlay.KindRevocation:
		return fmt.Errorf("%s: servers make revocations, for weft node rm and weft token rm --certificates", k)
	}
	return desired(r, nil).Validate()
}

// prepare finds out what applying the documents does. It changes nothing, and
// refuses all of them when one needs what neither the store nor the file has.
func prepare(ctx context.Context, server *api.Client, documents []manifest.Document) ([]change, error) {
	changes, err := compare(ctx, server, documents)
	if err != nil {
		return nil, err
	}
	declared := map[overlay.Key]bool{}
	for _, c := range changes {
		declared[c.declared.Key()] = true
	}
	for _, c := range changes {
		if err := checkNeeds(ctx, server, c, declared); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// compare looks up what the store has of each document's resource. Networks come
// before what belongs to them.
func compare(ctx context.Context, server *api.Client, documents []manifest.Document) ([]change, error) {
	documents = slices.Clone(documents)
	slices.SortStableFunc(documents, func(a, b manifest.Document) int {
		return cmp.Compare(rank(a.Resource), rank(b.Resource))
	})
	changes := make([]change, len(documents))
	for i, d := range documents {
		current, err := getOrNil(ctx, server, d.Resource.Key())
		if err != nil {
			return nil, err
		}
		changes[i] = change{where: d.Where(), declared: d.Resource, current: current, desired: desired(d.Resource, current)}
	}
	return changes, nil
}

func rank(r overlay.Resource) int { return slices.Index(overlay.Kinds(), r.Key().Kind) }

// checkNeeds refuses a new resource which needs one that is neither in the
// store nor declared beside it.
func checkNeeds(ctx context.Context, server *api.Client, c change, declared map[overlay.Key]bool) error {
	if c.current != nil {
		return nil
	}
	for _, need := range c.desired.Needs() {
		if declared[need] {
			continue
		}
		found, err := getOrNil(ctx, server, need)
		if err != nil {
			return err
		}
		if found == nil {
			return fmt.Errorf("%s: %w", c.where, &store.MissingError{Key: c.desired.Key(), Need: need})
		}
		declared[need] = true
	}
	return nil
}

// getOrNil is Get, but for what does not exist.
func getOrNil(ctx context.Context, server *api.Client, k overlay.Key) (overlay.Resource, error) {
	r, err := server.Get(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// applyTries bounds how often a resource that others keep changing is read again.
const applyTries = 5

// write makes one change and says what it did: created, configured or unchanged.
func write(ctx context.Context, server *api.Client, c change) (did string, err error) {
	for range applyTries {
		if c.empty() {
			return "unchanged", nil
		}
		expect, did := store.Absent, "created"
		if c.current != nil {
			expect, did = c.current.Header().Revision, "configured"
		}
		made, _, err := server.Update(ctx, store.Change{Put: c.desired, Expect: expect})
		var conflict *store.ConflictError
		switch {
		case err == nil && c.current != nil && sameSpec(c.current, made):
			return "unchanged", nil
		case err == nil:
			return did, nil
		case !errors.As(err, &conflict):
			return "", err
		}
		if c.current, err = getOrNil(ctx, server, c.declared.Key()); err != nil {
			return "", err
		}
		c.desired = desired(c.declared, c.current)
	}
	return "", fmt.Errorf("%s: others keep changing it; try again", c.declared.Key())
}

// progress says, beside the error of one resource, which were done before it;
// did is "written" or "removed".
func progress(did string, done []overlay.Key, all int) string {
	if len(done) == 0 {
		return fmt.Sprintf("of %d resources none was %s", all, did)
	}
	return fmt.Sprintf("of %d resources %d %s: %s; repeat it when this is mended", all, len(done), did, output.Join(done))
}
