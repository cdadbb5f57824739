package ebpf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// attached are the host's devices on which programs run.
func (b *bed) attached(t testing.TB) (devices []string) {
	t.Helper()
	for name, index := range b.devices(t) {
		if err := netns.Do(b.on.Namespace, func() error {
			found, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
			if err == nil && len(found.Programs) > 0 {
				devices = append(devices, name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return devices
}

// awaitDetached waits until no programs run on the devices: when their pin has gone, the
// kernel detaches them in the background (kernel/bpf/syscall.c, bpf_link_put).
func (b *bed) awaitDetached(t testing.TB, devices ...string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error {
		found := b.attached(t)
		if slices.ContainsFunc(devices, func(d string) bool { return slices.Contains(found, d) }) {
			return fmt.Errorf("programs run on %q", found)
		}
		return nil
	}, "programs are detached")
}

// Remove leaves no pin, no mount and no program, and may be called again.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	b.apply(t, stateWith("blue"))
	if found := b.attached(t); len(found) != 5 { // two ports, the gateway, the tunnel, the underlay
		t.Errorf("programs run on %q", found)
	}
	for range 2 {
		if err := Remove(b.dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", b.dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), b.dir) {
		t.Errorf("%s is mounted", b.dir)
	}
	b.awaitDetached(t, slices.Collect(maps.Keys(b.devices(t)))...)
}

// What is not a BPF file system of ours stays.
func TestRemoveNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
