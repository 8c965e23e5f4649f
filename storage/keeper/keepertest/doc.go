// Package keepertest compares a server with a real Redis, command by command, and starts Redis servers for the
// tests of other rooms (StartRedis, StartCluster).
//
// A script is a list of commands, one a line, sent to both servers over two connections each; every reply must be
// the same, error texts included. Lists without order (members that are not numbers, fields, scans) are sorted first.
package keepertest
