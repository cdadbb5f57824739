package cli

import "path/filepath"

const (
	defaultStateDir = "/var/lib/weft"
	defaultRunDir   = "/run/weft"
)

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func (a *app) runPath() string {
	return first(a.runDir, a.getenv("WEFT_RUN_DIR"), defaultRunDir)
}

func (a *app) statePath() string {
	return first(a.stateDir, a.getenv("WEFT_STATE_DIR"), defaultStateDir)
}

// credentialsPath is where the credentials for the servers are.
func (a *app) credentialsPath() string {
	return first(a.credentials, a.getenv("WEFT_CREDENTIALS"), filepath.Join(a.statePath(), "admin.json"))
}
