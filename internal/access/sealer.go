package access

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// ErrSealed is returned for a sealed secret that this installation's key, or this owner, does not open.
var ErrSealed = errors.New("the sealed secret does not open: it was sealed under another key, for another owner, or altered")

// sealVersion is the first byte of every sealed secret: how it was sealed.
const sealVersion = 1

// Sealer encrypts secrets at rest with AES-256-GCM. It is immutable and safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
}

// NewSealer makes a sealer under the installation's secret key.
func NewSealer(key [32]byte) (*Sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts a secret of the credential. The credential is bound in: a sealed secret copied to another row does not open.
func (s *Sealer) Seal(plain []byte, project, credentialID string) []byte {
	return s.aead.Seal([]byte{sealVersion}, nil, plain, owner(project, credentialID))
}

// Open is the inverse of Seal; ErrSealed.
func (s *Sealer) Open(sealed []byte, project, credentialID string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], owner(project, credentialID))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func owner(project, credentialID string) []byte { return []byte(project + "\x00" + credentialID) }
