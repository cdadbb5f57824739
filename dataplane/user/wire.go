package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"weft/dataplane/kernel"
	"weft/internal/files"
	"weft/overlay"
)

// In the run directory: what there is to do, the socket, and the lock of the process that
// does it. Its log is what it said before it ended.
const (
	jobsFile   = "forward.json"
	socketFile = "forward.sock"
	lockFile   = "forward.lock"
	logFile    = "forward.log"
)

// request is what the forwarder is asked for over its socket, one JSON value after the other, each of
// which it answers.
type request struct {
	Do action `json:"do"`
}

type action string

const (
	// load: read the file again.
	load action = "load"
	// report: say what is done, and what was counted.
	report action = "report"
	// end: stop.
	end action = "end"
)

// answer to all of them is a report.
type answer struct {
	Version string `json:"version"`
	// Error says why the file could not be read.
	Error string `json:"error,omitempty"`
	// Jobs have in Carried.Broken why they are not done.
	Jobs   []job                                `json:"jobs"`
	Counts []linkCount                          `json:"counts"`
	Drops  map[overlay.DropReason]overlay.Count `json:"drops,omitempty"`
}

// linkCount is what was counted of a link.
type linkCount struct {
	Namespace string `json:"namespace,omitempty"`
	Device    string `json:"device"`
	kernel.CarriedCount
}

// readJobs reads what there is to do; where there is no file, that is nothing.
func readJobs(dir string) (map[kernel.LinkID]kernel.Carried, error) {
	data, err := os.ReadFile(filepath.Join(dir, jobsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return map[kernel.LinkID]kernel.Carried{}, nil
	}
	var jobs []job
	if err == nil {
		err = json.Unmarshal(data, &jobs)
	}
	if err != nil {
		return nil, fmt.Errorf("read what is to be forwarded: %w", err)
	}
	all := map[kernel.LinkID]kernel.Carried{}
	for _, j := range jobs {
		all[j.id()] = j.Carried
	}
	return all, nil
}

// writeJobs replaces the file as a whole; of nothing to do there is none.
func writeJobs(dir string, all map[kernel.LinkID]kernel.Carried) error {
	file := filepath.Join(dir, jobsFile)
	if len(all) == 0 {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := json.MarshalIndent(jobsOf(all), "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(file, append(data, '\n'))
}

// jobsOf lists them in order, as they are.
func jobsOf(all map[kernel.LinkID]kernel.Carried) []job {
	var jobs []job
	for id, c := range all {
		j := jobOf(id, c)
		j.Broken, j.PortTaken = c.Broken, c.PortTaken
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b job) int { return compareLinks(a.id(), b.id()) })
	return jobs
}
