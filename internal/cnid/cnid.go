// Package cnid checks and makes the two identifiers that every Chinese health record carries: the resident id of a
// person (居民身份证号码, GB 11643) and the unified social credit code of an institution (统一社会信用代码, GB 32100).
//
// Errors are *hub.Error of kind Invalid. They never repeat the number, which is patient data.
package cnid

import "concord/hub"

func invalid(path, msg, hint string) error {
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: msg, Hint: hint}
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
