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
	"github.com/vishvananda/netlink"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// attached are the host's devices on which programs run, by whatever hook.
func (b *bed) attached(t testing.TB) (devices []string) {
	t.Helper()
	for name, index := range b.devices(t) {
		if err := netns.Do(b.on.Namespace, func() error {
			found, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
			if err != nil {
				return err
			}
			filters, err := dumpFilters(uint32(index), netlink.HANDLE_MIN_INGRESS)
			if len(found.Programs) > 0 || len(filters) > 0 {
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

// Remove leaves no pin, no mount, no program and no qdisc, and may be called again.
func TestRemove(t *testing.T) {
	t.Parallel()
	for _, h := range hooks {
		t.Run(string(h), func(t *testing.T) {
			t.Parallel()
			b := newBedBy(t, overlay.AttachVeth, h)
			before := b.qdiscs(t)
			b.apply(t, stateWith("blue"))
			if found := b.attached(t); len(found) != 5 { // two ports, the gateway, the tunnel, the underlay
				t.Errorf("programs run on %q", found)
			}
			for range 2 {
				if err := Remove(b.options.Dir, b.options.Host); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(b.options.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", b.options.Dir, err)
			}
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(mounts), b.options.Dir) {
				t.Errorf("%s is mounted", b.options.Dir)
			}
			b.awaitDetached(t, slices.Collect(maps.Keys(b.devices(t)))...)
			if now := b.qdiscs(t); now != before {
				t.Errorf("want qdiscs\n%s got\n%s", before, now)
			}
		})
	}
}

// qdiscs are those of the host that programs may be attached to.
func (b *bed) qdiscs(t testing.TB) string {
	t.Helper()
	return testenv.Output(t, b.on.Namespace, "tc", "qdisc", "show", "clsact")
}

// What is not a BPF file system of ours stays.
func TestRemoveNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Remove(dir, testenv.Namespace(t)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
