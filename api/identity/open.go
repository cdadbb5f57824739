package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
)

// Vault is where the servers of a cluster share a secret: their store. Whoever
// writes to that can let anybody in (by adding a token), so the CA's key there
// gives nobody more than they had.
type Vault interface {
	// Keep returns what is kept under the name; when nothing is, it keeps
	// value first. Of several who try at once one wins, and all get its value.
	Keep(ctx context.Context, name string, value []byte) ([]byte, error)
}

// vaultName is the CA's name in a vault.
const vaultName = "ca"

// OpenCA returns the cluster's CA. It is kept twice: in the vault, where other
// servers find it, and in the file, so that a wiped store changes nothing about
// who is trusted: the file is put into the empty vault again. When there is
// neither, OpenCA makes a CA. A vault and a file that differ are an error.
// A nil vault leaves the file alone to keep it.
func OpenCA(ctx context.Context, file string, vault Vault) (*CA, error) {
	sealed, err := readSecret(file)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, fmt.Errorf("open CA: %w", err)
	}
	if missing {
		made, err := NewCA()
		if err != nil {
			return nil, err
		}
		if sealed, err = made.seal(); err != nil {
			return nil, err
		}
	}
	ca, err := unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("open CA %s: %w: %w; put it back from a backup or from another server of this cluster, "+
			"or, while the store is whole, move it away: the store has a copy", file, ErrDamaged, err)
	}
	if vault != nil {
		kept, err := vault.Keep(ctx, vaultName, sealed)
		if err != nil {
			return nil, fmt.Errorf("keep CA in the store: %w", err)
		}
		if !bytes.Equal(kept, sealed) {
			if !missing {
				return nil, fmt.Errorf("open CA: the store has another CA than %s; this server belongs to another cluster: give it that cluster's store, or remove the file to have it join this one", file)
			}
			if ca, err = unseal(kept); err != nil {
				return nil, fmt.Errorf("open CA from the store: %w", err)
			}
			sealed = kept
		}
	}
	if missing {
		if err := writeSecret(file, sealed); err != nil {
			return nil, fmt.Errorf("seal CA: %w", err)
		}
	}
	return ca, nil
}

// seal is certificate and key in PEM.
func (c *CA) seal() ([]byte, error) {
	key, err := encodeKey(c.key)
	if err != nil {
		return nil, err
	}
	return append(c.Certificate(), key...), nil
}

func unseal(text []byte) (*CA, error) {
	cert, err := decodePEM(pemCertificate, text)
	if err != nil {
		return nil, err
	}
	der, err := decodePEM(pemKey, text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not an ECDSA key")
	}
	return assemble(cert, private)
}
