// Package object is what the drivers of hub.Objects share: the rule for keys and ranges, and the reader that holds
// an upload to its announced size. The drivers are disk and s3; a new one is a folder that passes objecttest.Run.
//
// A bucket looks like this:
//
//	log/<partition>/<seq>   one commit each, created once
//	blob/…                  bytes as sent, created once
//	derived/…               may be lost, overwritten and deleted at any time
package object

import (
	"fmt"
	"strings"

	"concord/hub"
)

// MaxKey and MaxSegment bound a key and each part of it between slashes, in bytes: what both S3 and file systems keep.
const (
	MaxKey     = 512
	MaxSegment = 255
)

// DerivedPrefix is the only place where hub.Derived may write.
const DerivedPrefix = "derived/"

// CheckKey returns an Invalid error unless key is made of [A-Za-z0-9._/-], is no longer than MaxKey, and has no
// segment that is empty, ".", ".." or longer than MaxSegment.
//
// A key must not be a directory of another ("a" beside "a/b"): S3 itself would allow it, file systems and MinIO do
// not, and the drivers answer Conflict or NotFound. Nothing here can see it; whoever makes keys avoids it.
func CheckKey(key string) error {
	if len(key) > MaxKey {
		return keyError(key[:64]+"…", fmt.Sprintf("is longer than %d bytes", MaxKey))
	}
	for i := 0; i < len(key); i++ {
		if !isKeyByte(key[i]) {
			return keyError(key, fmt.Sprintf("has the byte 0x%02x", key[i]))
		}
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return keyError(key, "has an empty segment")
		case segment == ".", segment == "..":
			return keyError(key, "has the segment "+segment)
		case len(segment) > MaxSegment:
			return keyError(key[:64]+"…", fmt.Sprintf("has a segment longer than %d bytes", MaxSegment))
		}
	}
	return nil
}

// CheckDerived is CheckKey for hub.Derived: the key must also lie under DerivedPrefix, so that no commit and no blob
// can be overwritten or deleted through that port.
func CheckDerived(key string) error {
	if !strings.HasPrefix(key, DerivedPrefix) {
		return keyError(key, "is not under "+DerivedPrefix)
	}
	return CheckKey(key)
}

// CheckPrefix returns an Invalid error when no valid key can begin with prefix because of its bytes. The empty
// prefix stands for all keys; a prefix may end inside a segment.
func CheckPrefix(prefix string) error {
	for i := 0; i < len(prefix); i++ {
		if !isKeyByte(prefix[i]) {
			return keyError(prefix, fmt.Sprintf("has the byte 0x%02x", prefix[i]))
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if prefix != "" && (segment == "" || segment == "..") {
			return keyError(prefix, "has a segment that no key has")
		}
	}
	return nil
}

// CheckRange returns an Invalid error unless offset ≥ 0 and length ≥ −1.
func CheckRange(key string, offset, length int64) error {
	if offset < 0 || length < -1 {
		return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("read object %s: no such range: offset %d, length %d", key, offset, length)}
	}
	return nil
}

// Taken is the Exists error of PutNew and Publish.
func Taken(key string) error {
	return &hub.Error{Kind: hub.Exists, Msg: "create object " + key + ": the key is taken"}
}

// Missing is the NotFound error of Open.
func Missing(key string) error {
	return &hub.Error{Kind: hub.NotFound, Msg: "read object " + key + ": no such key"}
}

func isKeyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-' || c == '/'
}

func keyError(key, why string) error {
	return &hub.Error{Kind: hub.Invalid, Msg: fmt.Sprintf("object key %q %s", key, why)}
}
