package identity

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Credentials are what a node or a person keeps to speak to the servers: one
// file, which names them, whom to trust and who one is.
type Credentials struct {
	// Servers are URLs, "https://host:port".
	Servers []string `json:"servers"`
	// CA, Certificate and Key are in PEM.
	CA          string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// LoadCredentials reads a credentials file.
func LoadCredentials(path string) (Credentials, error) {
	var c Credentials
	text, err := readSecret(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("read credentials %s: %w", path, err)
	}
	if _, err := c.KeyPair(); err != nil {
		return c, fmt.Errorf("read credentials %s: %w", path, err)
	}
	return c, nil
}

// Save writes a credentials file that only its owner reads. It replaces a file
// at once or not at all.
func (c Credentials) Save(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	return writeSecret(path, append(text, '\n'))
}

// KeyPair is the certificate with its key.
func (c Credentials) KeyPair() (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key))
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return &pair, nil
}

// Identity is whom the certificate speaks for.
func (c Credentials) Identity() (Identity, error) {
	pair, err := c.KeyPair()
	if err != nil {
		return Identity{}, err
	}
	return Of(pair.Leaf)
}

// RenewalDue is from when on the certificate is to be renewed.
func (c Credentials) RenewalDue() (time.Time, error) {
	pair, err := c.KeyPair()
	if err != nil {
		return time.Time{}, err
	}
	return due(pair.Leaf), nil
}

// readSecret reads a file that nobody but its owner may read.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read %s: others than its owner may read it (mode %04o); make it 0600, and take a new one if somebody did", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// writeSecret writes a file of mode 0600. After a crash there is the old file or
// the new one, whole.
func writeSecret(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
