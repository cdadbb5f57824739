package vm

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// archive is written as the kernel reads it (Documentation/driver-api/early-userspace/
// buffer-format.rst: cpio, format newc).
type archive struct {
	w    io.Writer
	made map[string]bool // folders
}

// add adds a file, or a folder with all that is beneath it, at a path there.
func (a *archive) add(at, from string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		beneath, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return a.addFile(path.Join(at, filepath.ToSlash(beneath)), name)
	})
}

func (a *archive) addFile(at, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.write(at, 0o100000|uint32(info.Mode().Perm()), info.Size(), f)
}

// write adds one thing, and the folders that it is in.
func (a *archive) write(at string, mode uint32, size int64, content io.Reader) error {
	if dir := path.Dir(at); dir != "/" && dir != "." && !a.made[dir] {
		a.made[dir] = true
		if err := a.write(dir, 0o040755, 0, nil); err != nil {
			return err
		}
	}
	name := at[1:] + "\x00"
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
		0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name), 0, name)
	if _, err := io.WriteString(a.w, header+padding(int64(len(header)))); err != nil || content == nil {
		return err
	}
	if _, err := io.CopyN(a.w, content, size); err != nil {
		return err
	}
	_, err := io.WriteString(a.w, padding(size))
	return err
}

// end marks the archive's end.
func (a *archive) end() error { return a.write("/TRAILER!!!", 0, 0, nil) }

// padding follows so many bytes, for the next to begin at a multiple of 4.
func padding(size int64) string { return "\x00\x00\x00"[:-size&3] }
