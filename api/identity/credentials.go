package identity

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weft/internal/files"
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

// ErrDamaged says that a file is there, and holds no credentials or keys.
var ErrDamaged = errors.New("the file is damaged")

// LoadCredentials reads a credentials file.
func LoadCredentials(path string) (Credentials, error) {
	var c Credentials
	text, err := readSecret(path)
	if err != nil {
		return c, err
	}
	if err := c.read(text); err != nil {
		return c, fmt.Errorf("read credentials %s: %w: %w", path, ErrDamaged, err)
	}
	return c, nil
}

func (c *Credentials) read(text []byte) error {
	if err := json.Unmarshal(text, c); err != nil {
		return err
	}
	if len(c.Servers) == 0 {
		return errors.New("it names no server")
	}
	if _, err := decodePEM(pemCertificate, []byte(c.CA)); err != nil {
		return fmt.Errorf("read CA: %w", err)
	}
	_, err := c.Identity()
	return err
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
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is no file; move it away", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read %s: others than its owner may read it (mode %04o); make it 0600, and take a new one if somebody did", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// writeSecret writes a file of mode 0600, in a folder that is made if need be.
// After a crash there is the old file or the new one, whole.
func writeSecret(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return files.Replace(path, text)
}
