package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/testenv"
)

// takeSlot waits until fewer machines run than there are CPUs, for this test to have
// one. Slots are locks on files, which no process can forget to give back.
func takeSlot(t testing.TB) {
	t.Helper()
	testenv.Eventually(t, 10*time.Minute, func() error {
		for i := range runtime.NumCPU() {
			f, err := os.OpenFile(filepath.Join(cache(), fmt.Sprintf("slot%d", i)), os.O_CREATE|os.O_RDONLY, 0o600)
			if err != nil {
				return err
			}
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				t.Cleanup(func() { f.Close() })
				return nil
			}
			f.Close()
		}
		return fmt.Errorf("%d others run", runtime.NumCPU())
	}, "start a virtual machine")
}
