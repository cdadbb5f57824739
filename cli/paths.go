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
	return first(a.givenCredentials(), filepath.Join(a.statePath(), "admin.json"))
}

// givenCredentials is the credentials file that the user named, or nothing.
func (a *app) givenCredentials() string { return first(a.credentials, a.getenv("WEFT_CREDENTIALS")) }

// nodeCredentialsPath is where the agent keeps its node's own.
func (a *app) nodeCredentialsPath() string { return filepath.Join(a.statePath(), "node.json") }
