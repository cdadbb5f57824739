package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weft/internal/files"
	"weft/internal/netns"
)

// journal remembers how settings of the host were before Weft changed them. An
// entry is on the disk before its setting is written, so that whatever is
// killed when, Down can put it back. One that somebody else has changed since
// is left alone, and so is one that a reboot has reset.
type journal struct {
	file string
	host string // path of the host's namespace
	log  *slog.Logger
}

// changed is a setting: its value before Weft, and Weft's.
type changed struct {
	Before string `json:"before"`
	Set    string `json:"set"`
}

type journalFile struct {
	// Boot is the kernel's boot id: settings do not outlive it.
	Boot     string             `json:"boot"`
	Settings map[string]changed `json:"settings"`
}

func (p *Plane) journal() journal {
	return journal{file: filepath.Join(p.StateDir, "sysctls.json"), host: p.Host, log: p.Log}
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// load reads the entries of this boot. A damaged file is set aside: nothing
// that the host forwards hangs on it.
func (j journal) load() (journalFile, error) {
	boot, err := bootID()
	if err != nil {
		return journalFile{}, err
	}
	now := journalFile{Boot: boot, Settings: map[string]changed{}}
	data, err := os.ReadFile(j.file)
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err != nil {
		return now, err
	}
	var f journalFile
	if err := json.Unmarshal(data, &f); err != nil {
		aside, failed := files.SetAside(j.file)
		if failed != nil {
			return now, fmt.Errorf("read %s: %w", j.file, errors.Join(err, failed))
		}
		j.log.Error("how this host's settings were before Weft changed them cannot be read; it is set aside, and the settings stay as they are now",
			"file", j.file, "err", err, "aside", aside)
		return now, nil
	}
	if f.Boot != boot || f.Settings == nil {
		return now, nil
	}
	return f, nil
}

// save replaces the file, and is on the disk when it returns.
func (j journal) save(f journalFile) error {
	if len(f.Settings) == 0 {
		if err := os.Remove(j.file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(j.file, data)
}

// set writes a setting of the host, and remembers what it was.
func (j journal) set(name, value string) error {
	f, err := j.load()
	if err != nil {
		return err
	}
	before, err := j.read(name)
	if err != nil {
		return err
	}
	if old, ok := f.Settings[name]; ok {
		before = old.Before
	}
	f.Settings[name] = changed{Before: before, Set: value}
	if err := j.save(f); err != nil {
		return err
	}
	return j.write(name, value)
}

// restore puts back what is remembered and not to be kept, the last name first.
// It returns the names of what it wrote.
func (j journal) restore(keep func(name string) bool) (restored []string, err error) {
	f, err := j.load()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(f.Settings))) {
		if keep(name) {
			continue
		}
		now, err := j.read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // its device is gone
		case err != nil:
			return restored, err
		case now == f.Settings[name].Set && now != f.Settings[name].Before:
			if err := j.write(name, f.Settings[name].Before); err != nil {
				return restored, err
			}
			restored = append(restored, name)
		}
		delete(f.Settings, name)
	}
	return restored, j.save(f)
}

func (j journal) read(name string) (value string, err error) {
	err = netns.Do(j.host, func() error {
		b, err := os.ReadFile("/proc/sys/" + name)
		value = strings.TrimSpace(string(b))
		return err
	})
	return value, err
}

func (j journal) write(name, value string) error {
	return netns.Do(j.host, func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
}
