package keeper

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

func serverCommands() []command {
	return []command{
		{name: "command", arity: -1, run: describe},
		{name: "info", arity: -1, all: true, run: info},
		{name: "config", arity: -2, run: config},
		{name: "dbsize", arity: 1, all: true, run: dbsize},
		{name: "flushall", arity: -1, all: true, write: true, run: flush},
		{name: "flushdb", arity: -1, all: true, write: true, run: flush},
	}
}

// describe answers COMMAND: as much as a client needs to find the keys of a command.
func describe(c *call) {
	switch {
	case len(c.args) == 1:
		c.array(len(c.k.commands))
		for _, name := range slices.Sorted(maps.Keys(c.k.commands)) {
			c.describe(c.k.commands[name])
		}
	case c.is(1, "COUNT") && len(c.args) == 2:
		c.int(len(c.k.commands))
	case c.is(1, "INFO"):
		c.array(len(c.args) - 2)
		for _, name := range c.args[2:] {
			c.describe(c.k.commands.find(name))
		}
	case c.is(1, "DOCS"):
		c.array(0)
	default:
		c.unknownSubcommand()
	}
}

func (c *call) describe(cmd *command) {
	if cmd == nil {
		c.s.out = append(c.s.out, "*-1\r\n"...)
		return
	}
	flag := "readonly"
	if cmd.write {
		flag = "write"
	}
	c.array(6)
	c.bulkText(cmd.name)
	c.int(cmd.arity)
	c.array(1)
	c.simple(flag)
	c.int(cmd.first)
	c.int(cmd.last)
	c.int(cmd.step)
}

// info answers with the sections a client or a person asks for; a name that is not a section gives nothing.
func info(c *call) {
	wanted := func(section string) bool {
		return len(c.args) == 1 || slices.ContainsFunc(c.args[1:], func(a []byte) bool {
			name := strings.ToLower(string(a))
			return name == section || name == "all" || name == "default" || name == "everything"
		})
	}
	var b strings.Builder
	section := func(name, format string, args ...any) {
		if !wanted(strings.ToLower(name)) {
			return
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("# " + name + "\r\n")
		fmt.Fprintf(&b, strings.ReplaceAll(format, "\n", "\r\n"), args...)
	}
	section("Server", "redis_version:%s\nredis_mode:standalone\nserver_name:keeper\nuptime_in_seconds:%d\n",
		redisVersion, int(c.k.opts.Now().Sub(c.k.started)/time.Second))
	if wanted("memory") {
		used := 0
		for i := range c.k.spaces {
			used += c.k.spaces[i].size()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		section("Memory", "used_memory:%d\nused_memory_rss:%d\nmaxmemory:0\n", used, m.Sys-m.HeapReleased)
	}
	section("Replication", "role:master\nconnected_slaves:0\n")
	section("Cluster", "cluster_enabled:0\n")
	keys, expires := 0, 0
	for i := range c.k.spaces {
		keys += c.k.spaces[i].keys.live
		expires += len(c.k.spaces[i].expires)
	}
	line := ""
	if keys > 0 {
		line = fmt.Sprintf("db0:keys=%d,expires=%d,avg_ttl=0\n", keys, expires)
	}
	section("Keyspace", "%s", strings.ReplaceAll(line, "\n", "\r\n"))
	c.bulkText(b.String())
}

// size is what the space takes from the heap, in bytes.
func (sp *space) size() int {
	n := sp.keys.size()
	for _, o := range sp.objects {
		if o != nil {
			n += o.size()
		}
	}
	return n
}

// defaultConfig is what CONFIG knows. The settings can be set and read, and change nothing: the keeper chooses
// its forms itself.
func defaultConfig() map[string]string {
	return map[string]string{
		"set-max-intset-entries":    "512",
		"hash-max-listpack-entries": "128",
		"hash-max-listpack-value":   "64",
		"hash-max-ziplist-entries":  "128",
		"hash-max-ziplist-value":    "64",
		"zset-max-listpack-entries": "128",
		"zset-max-listpack-value":   "64",
		"zset-max-ziplist-entries":  "128",
		"zset-max-ziplist-value":    "64",
		"maxmemory":                 "0",
		"maxmemory-policy":          "noeviction",
		"appendonly":                "no",
		"save":                      "",
	}
}

func config(c *call) {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	switch n := len(c.args); {
	case c.is(1, "GET") && n > 2:
		var found []string
		for _, name := range slices.Sorted(maps.Keys(c.k.config)) {
			if slices.ContainsFunc(c.args[2:], func(p []byte) bool { return glob(strings.ToLower(string(p)), name) }) {
				found = append(found, name, c.k.config[name])
			}
		}
		c.array(len(found))
		for _, s := range found {
			c.bulkText(s)
		}
	case c.is(1, "SET") && n > 3 && n%2 == 0:
		for i := 2; i < n; i += 2 {
			if _, ok := c.k.config[strings.ToLower(string(c.args[i]))]; !ok {
				c.fail(fmt.Sprintf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", c.args[i]))
				return
			}
		}
		for i := 2; i < n; i += 2 {
			c.k.config[strings.ToLower(string(c.args[i]))] = string(c.args[i+1])
		}
		c.ok()
	case c.is(1, "RESETSTAT") && n == 2:
		c.ok()
	default:
		c.unknownSubcommand()
	}
}

func dbsize(c *call) {
	n := 0
	for i := range c.k.spaces {
		n += c.k.spaces[i].keys.live
	}
	c.int(n)
}

func flush(c *call) {
	if len(c.args) > 2 || len(c.args) == 2 && !c.is(1, "SYNC") && !c.is(1, "ASYNC") {
		c.fail(errSyntax)
		return
	}
	for i := range c.k.spaces {
		sp := &c.k.spaces[i]
		if sp.keys.live == 0 {
			continue
		}
		var gone []string
		for key := range sp.watchers {
			if sp.keys.find([]byte(key)) >= 0 {
				gone = append(gone, key)
			}
		}
		sp.reset(c.k.seed)
		for _, key := range gone {
			sp.touch([]byte(key))
		}
	}
	c.ok()
}
