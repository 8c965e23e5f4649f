// Package keepertest compares the embedded keeper with a real Redis, command by command, and starts
// Redis servers for the tests of other rooms (StartRedis, StartCluster).
package keepertest
