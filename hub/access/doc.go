// Package access knows who may do what: the members of the consortium, the tokens they carry and the rules between
// them.
//
//   - The Registry holds the members, folded in memory from the small log partition "access"; every process polls
//     that log, so that a member disabled anywhere is refused everywhere within a second.
//   - A Registrar changes the membership.
//   - An Issuer makes and checks bearer tokens.
//   - A Caller is who a verified token speaks for; its Scope says which Actions it may do on which resource types.
//   - A Policy decides about single records.
//
// The member comes from the credential only, never from a body, a header or a URL.
package access
