// Package indextest is what every server under the index must pass: the same suite for one Redis, for Redis Cluster
// and for the embedded keeper. Its oracle is hub.Query.Matches over entries held in memory.
package indextest
