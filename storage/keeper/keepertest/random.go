package keepertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// CompareRandom sends random sequences of 30 commands over few keys, with transactions and watches of two
// connections, to both servers and fails at the first reply that differs, or when they hold different things at the
// end of a sequence. Each sequence has a theme, so that its commands meet each other's keys. What the servers hold
// is lost.
func CompareRandom(t *testing.T, got, want Dialer) {
	p := open(t, got, want)
	themes := themes()
	rapid.Check(t, func(t *rapid.T) {
		p.flush(t)
		theme := rapid.SampledFrom(themes).Draw(t, "theme")
		for i := range 30 {
			conn := 0
			if rapid.IntRange(0, 2).Draw(t, "connection") == 0 {
				conn = 1
			}
			p.do(t, conn, spread(anyCommand(theme, p.multi[conn]).Draw(t, "command"), i))
		}
		p.compareAll(t)
	})
}

// spread makes the spans of commands differ by seconds: whether one that is as long as the one before it ends later would be a
// question of the millisecond in which each server is asked.
func spread(args []string, i int) []string {
	args = slices.Clone(args)
	for k := 1; k < len(args); k++ {
		switch {
		case strings.EqualFold(args[0], "EXPIRE") && k == 2, strings.EqualFold(args[0], "SET") && args[k-1] == "EX" && k > 2:
			if n, err := strconv.Atoi(args[k]); err == nil && n > 0 {
				args[k] = strconv.Itoa(1000*n + 10*i)
			}
		case strings.EqualFold(args[0], "SET") && args[k-1] == "PX" && k > 2:
			if n, err := strconv.Atoi(args[k]); err == nil && n > 0 {
				args[k] = strconv.Itoa(1000 * (n + 10*i))
			}
		}
	}
	return args
}

// compareAll compares everything both servers hold.
func (p *pair) compareAll(t fataler) {
	t.Helper()
	for i := range 2 {
		if p.multi[i] {
			p.do(t, i, []string{"EXEC"})
		}
	}
	p.do(t, 0, []string{"DBSIZE"})
	for _, key := range sorts["key"] {
		for _, look := range []string{"TYPE", "TTL", "GET", "HGETALL", "SMEMBERS"} {
			p.do(t, 0, []string{look, key})
		}
		p.do(t, 0, []string{"ZRANGE", key, "0", "-1", "WITHSCORES"})
	}
}

// themes are lists of forms: all of them, and those of each type of key together with transactions.
func themes() [][]string {
	all := [][]string{forms}
	for _, sort := range []string{"<key>", "<hash>", "<set>", "<ids>", "<zset>", "<lex>"} {
		var theme []string
		for _, form := range forms {
			switch {
			case strings.Contains(form, sort):
				theme = append(theme, form, form)
			case !strings.Contains(form, "<") && !strings.HasPrefix(form, "FLUSH"), strings.HasPrefix(form, "WATCH"),
				strings.HasPrefix(form, "DEL"), strings.HasPrefix(form, "EXISTS"):
				theme = append(theme, form)
			}
		}
		all = append(all, theme)
	}
	return all
}

// forms are the commands of a random sequence. A word in angle brackets is drawn.
var forms = strings.Split(strings.TrimSpace(`
SET <key> <text>
SET <key> <text> <setopt>
SET <key> <text> <setopt> <setopt>
GET <key>
MSET <key> <text> <key> <text>
MGET <key> <key> <key>
DEL <key>
DEL <key> <key>
UNLINK <key>
EXISTS <key> <key>
TYPE <key>
EXPIRE <key> <span>
EXPIRE <key> <span> <expopt>
TTL <key>
PERSIST <key>
DBSIZE
FLUSHALL
HSET <hash> <field> <text>
HSET <hash> <field> <text> <field> <text>
HGET <hash> <field>
HMGET <hash> <field> <field>
HGETALL <hash>
HDEL <hash> <field>
HDEL <hash> <field> <field>
HLEN <hash>
HEXISTS <hash> <field>
SADD <set> <member>
SADD <set> <member> <member> <member>
SADD <ids> <id> <id> <id>
SREM <set> <member>
SREM <ids> <id> <id>
SMEMBERS <set>
SMEMBERS <ids>
SCARD <set>
SISMEMBER <set> <member>
SMISMEMBER <ids> <id> <member>
ZADD <zset> <score> <member>
ZADD <zset> <score> <id> <score> <id>
ZADD <zset> <zopt> <score> <member>
ZADD <zset> <zopt> <zopt> <score> <member>
ZADD <lex> 0 <member> 0 <member>
ZREM <zset> <member>
ZREM <zset> <id> <id>
ZSCORE <zset> <member>
ZMSCORE <zset> <member> <id>
ZCARD <zset>
ZCOUNT <zset> <bound> <bound>
ZRANGE <zset> <rank> <rank>
ZRANGE <zset> <rank> <rank> <rangeopt>
ZRANGE <zset> <bound> <bound> BYSCORE <rangeopt>
ZRANGE <zset> <bound> <bound> BYSCORE <rangeopt> LIMIT <rank> <rank>
ZRANGEBYSCORE <zset> <bound> <bound> WITHSCORES
ZREVRANGEBYSCORE <zset> <bound> <bound> LIMIT <rank> <rank>
ZRANGE <lex> <lexbound> <lexbound> BYLEX
ZRANGE <lex> <lexbound> <lexbound> BYLEX REV
ZRANGEBYLEX <lex> <lexbound> <lexbound> LIMIT <rank> <rank>
ZLEXCOUNT <lex> <lexbound> <lexbound>
ZREMRANGEBYSCORE <zset> <bound> <bound>
MULTI
MULTI
EXEC
EXEC
EXEC
DISCARD
WATCH <key>
WATCH <key> <key>
UNWATCH
NOSUCH <key>
GET
SSCAN <set> 0 COUNT 2
HSCAN <hash> 0
ZSCAN <zset> 0 MATCH *1*
SCAN 0 COUNT 3
SCAN 0 TYPE <type>
`), "\n")

// words of each sort; a sort with the name of a type of key mostly draws that key.
var sorts = map[string][]string{
	"key":      {"{a}s", "{a}h", "{b}set", "{b}ids", "{c}z", "{c}lex", "x"},
	"hash":     {"{a}h", "{a}h", "{a}h", "x", "{b}set"},
	"set":      {"{b}set", "{b}set", "{b}ids", "x", "{a}h"},
	"ids":      {"{b}ids", "{b}ids", "{b}ids", "x"},
	"zset":     {"{c}z", "{c}z", "{c}z", "x", "{a}s"},
	"lex":      {"{c}lex"},
	"text":     {"", "v", "10", "a longer text than the others", "\x00\r\n"},
	"field":    {"f", "g", "1", ""},
	"member":   {"a", "b", "ab", "1", "2", "10", "-1", "01", "", "4294967296"},
	"id":       {"0", "1", "2", "3", "9", "10", "11", "4294967295", "4294967296"},
	"score":    {"0", "1", "1", "2", "-1.5", "0.1", "inf", "-inf", "1e3", "x", "nan"},
	"bound":    {"-inf", "+inf", "0", "1", "(1", "2", "(0.1", "-1.5", "x"},
	"lexbound": {"-", "+", "[a", "(a", "[ab", "(b", "[", "[1", "a"},
	"rank":     {"0", "1", "2", "-1", "-2", "5", "x"},
	"span":     {"100", "200", "0", "-5", "x"},
	"setopt":   {"NX", "XX", "GET", "KEEPTTL", "EX 100", "PX 100000", "EX 0", "EX"},
	"expopt":   {"NX", "XX", "GT", "LT", "GT LT", "FOO"},
	"zopt":     {"NX", "XX", "GT", "LT", "CH", "INCR"},
	"rangeopt": {"REV", "WITHSCORES", "REV WITHSCORES", "LIMIT 0 1"},
	"type":     {"string", "hash", "set", "zset"},
}

func anyCommand(forms []string, multi bool) *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		form := rapid.SampledFrom(forms).Draw(t, "form")
		for multi && strings.Contains(form, "SCAN") {
			form = "SCARD <set>" // inside a transaction a scan cannot be walked to its end
		}
		var args []string
		for i, word := range strings.Fields(form) {
			sort, drawn := strings.CutPrefix(word, "<")
			if !drawn {
				args = append(args, word)
				continue
			}
			sort = strings.TrimSuffix(sort, ">")
			word = rapid.SampledFrom(sorts[sort]).Draw(t, fmt.Sprintf("%s %d", sort, i))
			if strings.HasSuffix(sort, "opt") {
				args = append(args, strings.Fields(word)...)
			} else {
				args = append(args, word)
			}
		}
		return args
	})
}
