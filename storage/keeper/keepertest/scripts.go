package keepertest

import (
	"fmt"
	"strings"
)

// scripts are the sequences written by hand: each command with its edges and its errors.
func scripts() []script {
	return append([]script{
		{"unknown commands and wrong arities are refused with the words that follow", `
			NOSUCH
			nosuch a b "c d"
			NoSuchCommandWithALongName a
			GET
			get a b
			MGET
			HSET h
			HSET h f
			HSET h f v g
			ZADD z 1
			MULTI now
			PING a b c
			PING
			PING hello
			ECHO "a\r\nb"
			SELECT 0
			SELECT 99
			SELECT x
		`},
		{"strings are set, kept and read", `
			GET k
			SET k v
			GET k
			SET k ""
			GET k
			SET k v NX
			SET k w XX
			GET k
			SET none v XX
			SET k x GET
			SET none y GET
			SET k z NX GET
			SET k z XX GET
			SET k z NX XX
			SET k z FOO
			SET k z EX
			SET k z EX 10 PX 10
			SET k z EX 10 KEEPTTL
			SET k z KEEPTTL EX 10
			SET k z EX 0
			SET k z EX -1
			SET k z EX abc
			SET k z EX 9223372036854775807
			SET k z PX 9223372036854775807
			SET k z EX 100
			TTL k
			SET k z KEEPTTL
			TTL k
			SET k z
			TTL k
			SET k z EXAT 1
			GET k
			SET k z EXAT 99999999999
			TTL none
			SADD s a
			GET s
			SET s v GET
			SET s v
			TYPE s
			MSET a 1 b 2 a 3
			MSET a 1 b
			MGET a b c
			SADD t x
			MGET a t b
			MSET t 1
			GET t
		`},
		{"keys are counted, typed and deleted", `
			SET a 1
			HSET h f v
			SADD s m
			ZADD z 1 m
			TYPE a
			TYPE h
			TYPE s
			TYPE z
			TYPE none
			EXISTS a a h none
			DBSIZE
			DEL a a none
			UNLINK h none
			DEL
			DBSIZE
			FLUSHDB
			DBSIZE
			FLUSHALL ASYNC
			FLUSHALL NOW
		`},
		{"keys expire", `
			EXPIRE k 10
			SET k v
			TTL k
			PERSIST k
			EXPIRE k 100
			TTL k
			EXPIRE k 50 GT
			EXPIRE k 200 GT
			TTL k
			EXPIRE k 300 LT
			EXPIRE k 150 LT
			TTL k
			EXPIRE k 10 NX
			EXPIRE k 160 XX
			TTL k
			PERSIST k
			PERSIST k
			EXPIRE k 10 XX
			EXPIRE k 10 GT
			TTL k
			EXPIRE k 10 LT
			EXPIRE k 10 GT LT
			EXPIRE k 10 NX XX
			EXPIRE k 10 FOO
			EXPIRE k abc
			EXPIRE k 9223372036854775807
			PEXPIRE k 9223372036854775807
			EXPIRE k -9223372036854775808
			EXPIRE k -1
			EXISTS k
			SADD s a
			PEXPIRE s 1
			sleep 10
			SADD s b
			SMEMBERS s
			TTL s
			SET k v PX 1
			sleep 10
			GET k
			EXISTS k
			TYPE k
			SCAN 0
			PERSIST k
			SET k v XX
			SET k v PX 1
			sleep 10
			SET k w NX
			TTL k
			SET k v PX 1
			sleep 10
			DEL k
			PERSIST
			TTL
		`},
		{"hashes keep fields", `
			HSET h f v
			HSET h f w g x
			HSET h f v f z
			HGET h f
			HGET h none
			HGET none f
			HMGET h f none g
			HMGET none a b
			HGETALL h
			HGETALL none
			HLEN h
			HLEN none
			HEXISTS h f
			HEXISTS h none
			HEXISTS none f
			HSET h "" ""
			HGET h ""
			HSET h f longer-than-it-was
			HSET h f s
			HGETALL h
			HSCAN h 0
			HSCAN h 0 MATCH f*
			HSCAN h 0 COUNT 0
			HSCAN h 0 COUNT x
			HSCAN h 0 FOO
			HSCAN h x
			HSCAN none 0
			HSCAN none 0 FOO
			HSCAN none x
			HDEL h f f none
			HDEL h "" g
			EXISTS h
			HDEL h f
			SET k v
			HSET k f v
			HGET k f
			HMGET k f
			HGETALL k
			HDEL k f
			HLEN k
			HEXISTS k f
			HSCAN k 0
			HSCAN k x
		`},
		{"a set of numbers lists them in order", `
			SADD s 3 1 2 3
			SMEMBERS s
			SADD s 4294967295
			SADD s 4294967296
			SMEMBERS s
			SADD s -5 9223372036854775807 -9223372036854775808
			SMEMBERS s
			SADD s 9223372036854775808
			SMEMBERS s
			SCARD s
			SISMEMBER s 9223372036854775808
			SISMEMBER s -5
			SREM s 9223372036854775808 x
			SCARD s
		`},
		{"only canonical numbers are numbers", `
			SADD s 1
			SISMEMBER s 01
			SISMEMBER s +1
			SISMEMBER s " 1"
			SISMEMBER s ""
			SREM s 01
			SADD s 01
			SMEMBERS s
			SADD t 0 -0
			SMEMBERS t
			SMISMEMBER t 0 -0 00 ""
		`},
		{"sets keep members", `
			SADD s a b a
			SADD s b
			SCARD s
			SMEMBERS s
			SISMEMBER s a
			SISMEMBER none a
			SMISMEMBER s a x b
			SMISMEMBER none a b
			SMEMBERS none
			SCARD none
			SREM s x
			SREM s a b
			EXISTS s
			SREM s a
			SADD s 1 2 3
			SSCAN s 0
			SSCAN s 0 MATCH [12]
			SSCAN s 0 MATCH [^12]
			SSCAN s 0 COUNT -1
			SSCAN s 0 TYPE string
			SSCAN none 0
			SREM s 1 2 3 4
			EXISTS s
			SET k v
			SADD k a
			SREM k a
			SMEMBERS k
			SCARD k
			SISMEMBER k a
			SMISMEMBER k a
			SSCAN k 0
		`},
		{"sorted sets take scores with all options", `
			ZADD z 1 a 2 b
			ZADD z 1 a
			ZADD z 3 a
			ZADD z CH 4 a 5 c
			ZADD z NX 9 a 9 d
			ZADD z XX 8 a 8 e
			ZADD z GT 1 a
			ZADD z GT CH 10 a
			ZADD z LT 11 a
			ZADD z LT CH 1 a
			ZADD z XX CH GT 2 a 1 zzz
			ZADD z INCR 5 a
			ZADD z INCR 5 new
			ZADD z XX INCR 5 none
			ZADD z NX INCR 5 a
			ZADD z GT INCR -5 a
			ZADD z GT INCR 0 a
			ZADD z LT INCR 0 a
			ZADD none XX 1 a
			ZADD none XX INCR 1 a
			ZADD z NX XX 1 a
			ZADD z NX GT 1 a
			ZADD z GT LT 1 a
			ZADD z INCR 1 a 2 b
			ZADD z 1
			ZADD z 1 a 2
			ZADD z NX
			ZADD z x a
			ZADD z 1 a x b
			ZADD z nan a
			ZADD z "" a
			ZADD z " 1" a
			ZADD z "1 " a
			ZADD z 1e400 a
			ZADD z 1_0 a
			ZADD z 0x10 hex
			ZADD z inf i -inf j +inf k Infinity l
			ZADD z INCR -inf i
			ZSCORE z i
			ZSCORE z j
			ZRANGE z 0 -1 WITHSCORES
			ZCARD z
			ZCARD none
			ZMSCORE z a none hex
			ZMSCORE none a
			ZSCORE none a
			ZSCORE z none
			ZREM z a none a
			ZREM none a
			SET k v
			ZADD k 1 a
			ZADD k XX 1 a
			ZREM k a
			ZSCORE k a
			ZMSCORE k a
			ZCARD k
			ZRANGE k 0 -1
			ZCOUNT k 0 1
			ZLEXCOUNT k - +
			ZREMRANGEBYSCORE k 0 1
			ZSCAN k 0
		`},
		{"scores are written as they are in Redis 7.0", `
			ZADD z 0.1 a 1.5 b 3.14159265358979 c 1e20 d 1e-7 e 123456789012345678 f -0 g 0 h 1700000000123 i 1e15 j
			ZADD z 99999999999999999 k 1e16 l 1e17 m 0.30000000000000004 n 5e-324 o 1.7976931348623157e308 p -1.5e-5 q
			ZRANGE z 0 -1 WITHSCORES
			ZSCORE z a
			ZSCORE z g
			ZADD z INCR 0.2 a
			ZSCAN z 0
		`},
		{"members of one score are ordered by bytes, numbers too", `
			ZADD z 1 9 1 10 1 100 1 1 1 2 1 99
			ZRANGE z 0 -1
			ZRANGE z 0 -1 REV
			ZRANGEBYLEX z - +
			ZRANGEBYLEX z [10 (99
			ZADD z 1 a 1 B 1 ""
			ZRANGE z 0 -1
			ZREM z 10
			ZRANGEBYLEX z - + LIMIT 1 3
		`},
		{"ranges by rank", `
			ZADD z 1 a 2 b 3 c 4 d
			ZRANGE z 0 -1
			ZRANGE z 1 2
			ZRANGE z -2 -1
			ZRANGE z -100 100
			ZRANGE z 3 1
			ZRANGE z 4 5
			ZRANGE z 0 0 WITHSCORES
			ZRANGE z 0 1 REV
			ZRANGE z -2 -1 REV WITHSCORES
			ZRANGE z x 1
			ZRANGE z 0 1 LIMIT 0 1
			ZRANGE z 0 1 LIMIT 0 -1
			ZRANGE z 0 1 LIMIT x 1
			ZRANGE z 0 1 LIMIT 0
			ZRANGE z 0 1 FOO
			ZRANGE z 0 1 REV REV
			ZRANGE none 0 1
		`},
		{"ranges by score", `
			ZADD z 1 a 2 b 2 bb 3 c 4 d inf e
			ZRANGE z 2 3 BYSCORE
			ZRANGE z (2 3 BYSCORE
			ZRANGE z 2 (3 BYSCORE WITHSCORES
			ZRANGE z -inf +inf BYSCORE LIMIT 1 2
			ZRANGE z -inf +inf BYSCORE LIMIT 1 -1
			ZRANGE z -inf +inf BYSCORE LIMIT 1 0
			ZRANGE z -inf +inf BYSCORE LIMIT -1 2
			ZRANGE z +inf -inf BYSCORE REV LIMIT 0 3
			ZRANGE z 3 2 BYSCORE
			ZRANGE z (2 2 BYSCORE
			ZRANGE z x 2 BYSCORE
			ZRANGE z "" 2 BYSCORE
			ZRANGE z ( 2 BYSCORE
			ZRANGE z " 1" 2 BYSCORE
			ZRANGE z nan 2 BYSCORE
			ZRANGE z 0 1 BYSCORE BYLEX
			ZRANGEBYSCORE z 2 3
			ZRANGEBYSCORE z (1 (4 WITHSCORES LIMIT 1 2
			ZRANGEBYSCORE z 2 3 BYSCORE
			ZRANGEBYSCORE z 2 3 REV
			ZREVRANGEBYSCORE z 3 2
			ZREVRANGEBYSCORE z 2 3
			ZREVRANGEBYSCORE z (inf -inf WITHSCORES
			ZRANGEBYSCORE none 0 1
			ZRANGEBYSCORE none x 1
			ZCOUNT z 2 3
			ZCOUNT z (2 +inf
			ZCOUNT z 3 2
			ZCOUNT z x 3
			ZCOUNT none 0 1
			ZREMRANGEBYSCORE z (2 3
			ZRANGE z 0 -1
			ZREMRANGEBYSCORE z x 3
			ZREMRANGEBYSCORE none 0 1
			ZREMRANGEBYSCORE z -inf inf
			EXISTS z
		`},
		{"ranges by text", `
			ZADD z 0 a 0 b 0 ba 0 c 0 "d\x0012"
			ZRANGE z [b (c BYLEX
			ZRANGE z - + BYLEX
			ZRANGE z + - BYLEX REV
			ZRANGE z + - BYLEX
			ZRANGE z - [b BYLEX LIMIT 1 1
			ZRANGE z [b - BYLEX REV
			ZRANGE z (b + BYLEX
			ZRANGE z + (b BYLEX REV
			ZRANGE z - (b BYLEX
			ZRANGE z (b - BYLEX REV
			ZLEXCOUNT z (b +
			ZLEXCOUNT z - (b
			ZRANGE z b c BYLEX
			ZRANGE z "" + BYLEX
			ZRANGE z -a + BYLEX
			ZRANGE z - + BYLEX WITHSCORES
			ZRANGEBYLEX z [b +
			ZRANGEBYLEX z (b [b
			ZRANGEBYLEX z "[d\x00" "(d\x01"
			ZRANGEBYLEX z [ +
			ZRANGEBYLEX z ( +
			ZRANGEBYLEX z - + WITHSCORES
			ZREVRANGEBYLEX z + (b LIMIT 0 2
			ZRANGEBYLEX none - +
			ZLEXCOUNT z - +
			ZLEXCOUNT z [b (c
			ZLEXCOUNT z + -
			ZLEXCOUNT z b c
			ZLEXCOUNT none - +
			ZADD z 0 a
			ZADD z 1 a
			ZRANGE z 0 -1 WITHSCORES
			ZSCAN z 0
			ZSCAN z 0 MATCH b*
		`},
		{"keys are scanned with patterns and types", `
			MSET a 1 ab 2 abc 3 "x[y" 4 "{r}:k" 5
			SADD s 1
			HSET h f v
			ZADD z 1 a
			SCAN 0
			SCAN 0 COUNT 1
			SCAN 0 MATCH a*
			SCAN 0 MATCH a?
			SCAN 0 MATCH *b*
			SCAN 0 MATCH "x\\[y"
			SCAN 0 MATCH "x[[]y"
			SCAN 0 MATCH [a-b]*
			SCAN 0 MATCH [^a-b]*
			SCAN 0 MATCH {r}*
			SCAN 0 TYPE set
			SCAN 0 TYPE string COUNT 100
			SCAN 0 TYPE zset MATCH z
			SCAN 0 TYPE nosuch
			SCAN x
			SCAN 0 MATCH
			SCAN 0 COUNT 0
			SCAN 0 COUNT x
			SCAN 0 FOO bar
			SCAN " 1"
		`},
		{"a transaction runs as one", `
			EXEC
			DISCARD
			MULTI
			MULTI
			SET a 1
			WATCH a
			GET a
			SADD a x
			SMEMBERS none
			PING
			EXEC
			MULTI
			SET a 2
			DISCARD
			GET a
			MULTI
			NOSUCH
			SET a 3
			EXEC
			GET a
			MULTI
			GET
			EXEC
			MULTI
			EXEC
			MULTI
			SET a 4
			FLUSHALL
			DBSIZE
			SET b 5
			DBSIZE
			UNWATCH
			EXEC
			MULTI
			MSET {a}1 x {b}2 y c z
			MGET {a}1 {b}2 c
			DEL {a}1 {b}2 c
			EXEC
			DBSIZE
			MULTI
			EXEC now
			EXEC
			MULTI
			DISCARD now
			DISCARD
		`},
		{"a watched key that changed stops the transaction", `
			WATCH a b
			2> SET b 1
			MULTI
			SET a 1
			EXEC
			GET a
			MULTI
			SET a 2
			EXEC
			WATCH a
			SET a 3
			MULTI
			PING
			EXEC
			WATCH a
			2> SET other 1
			2> GET a
			MULTI
			PING
			EXEC
			WATCH a
			2> DEL a
			MULTI
			PING
			EXEC
			WATCH none
			2> DEL none
			2> SREM none a
			2> HDEL none f
			MULTI
			PING
			EXEC
			WATCH a
			2> SET a 1
			UNWATCH
			MULTI
			PING
			EXEC
			WATCH a
			2> SET a 1
			MULTI
			DISCARD
			MULTI
			PING
			EXEC
		`},
		{"what does not change a key does not stop the transaction", `
			SADD s a
			ZADD z 1 a
			HSET h f v
			WATCH s z
			2> SADD s a
			2> SREM s x
			2> ZADD z 1 a
			2> ZREM z x
			2> ZADD z GT 0 a
			2> PERSIST s
			2> EXPIRE none 10
			2> EXPIRE s 10 XX
			2> HGETALL h
			2> ZREMRANGEBYSCORE z 5 6
			MULTI
			PING
			EXEC
			WATCH h
			2> HSET h f v
			MULTI
			PING
			EXEC
			WATCH h
			2> HDEL h none
			MULTI
			PING
			EXEC
			WATCH s
			2> EXPIRE s 100
			MULTI
			PING
			EXEC
			WATCH s
			2> PERSIST s
			MULTI
			PING
			EXEC
			WATCH z
			2> ZADD z 2 a
			MULTI
			PING
			EXEC
			WATCH z
			2> FLUSHALL
			MULTI
			PING
			EXEC
			WATCH z
			2> FLUSHALL
			MULTI
			PING
			EXEC
			WATCH a
			2> MULTI
			2> SET a 1
			2> DISCARD
			MULTI
			PING
			EXEC
			WATCH a
			2> MULTI
			2> SET a 1
			2> EXEC
			MULTI
			PING
			EXEC
		`},
		{"a watched key whose time comes stops the transaction", `
			SET a 1 PX 20
			WATCH a
			sleep 40
			MULTI
			PING
			EXEC
			SET a 1 PX 1
			sleep 10
			WATCH a
			MULTI
			PING
			EXEC
			SET a 1 PX 20
			WATCH a
			sleep 40
			2> GET a
			MULTI
			PING
			EXEC
		`},
	}, large()...)
}

// large are scripts over structures beyond every limit at which a server changes their form.
func large() []script {
	line := func(head string, n int, item func(int) string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			b.WriteByte(' ')
			b.WriteString(item(i))
		}
		return b.String() + "\n"
	}
	shuffled := func(i int) int { return i * 7919 % 3001 }
	return []script{
		{"large sets of numbers", line("SADD s", 3001, func(i int) string { return fmt.Sprint(shuffled(i)) }) +
			line("SREM s", 1000, func(i int) string { return fmt.Sprint(shuffled(i * 2)) }) +
			line("SMISMEMBER s", 3002, func(i int) string { return fmt.Sprint(i) }) +
			"SCARD s\nSSCAN s 0 COUNT 100\nSSCAN s 0 COUNT 7 MATCH *9\nSADD s name\nSCARD s\nSSCAN s 0 COUNT 100\n" +
			line("SREM s", 3001, func(i int) string { return fmt.Sprint(i) }) + "SMEMBERS s\nSREM s name\nEXISTS s"},
		{"large hashes", line("HSET h", 1000, func(i int) string { return fmt.Sprintf("f%d v%d", shuffled(i), i) }) +
			"HLEN h\nHSCAN h 0 COUNT 50\nHGETALL h\n" +
			line("HSET h", 500, func(i int) string { return fmt.Sprintf("f%d longer-value-%d", shuffled(i), i) }) +
			line("HDEL h", 700, func(i int) string { return fmt.Sprintf("f%d", shuffled(i)) }) +
			"HLEN h\nHGETALL h\n" + line("HMGET h", 1000, func(i int) string { return fmt.Sprintf("f%d", i) }) +
			line("HDEL h", 3001, func(i int) string { return fmt.Sprintf("f%d", i) }) + "EXISTS h"},
		{"large sorted sets of numbers", line("ZADD z", 3001, func(i int) string { return fmt.Sprintf("%d %d", shuffled(i)%97, i) }) +
			"ZRANGE z 0 -1 WITHSCORES\nZRANGE z 100 200 REV\nZCOUNT z 10 (20\nZRANGE z 10 20 BYSCORE LIMIT 5 50\n" +
			"ZRANGE z 20 10 BYSCORE REV LIMIT 5 50 WITHSCORES\nZSCAN z 0 COUNT 100\n" +
			line("ZADD z CH", 1500, func(i int) string { return fmt.Sprintf("%d.5 %d", i%89, shuffled(i)) }) +
			"ZREMRANGEBYSCORE z 30 40\nZRANGE z 0 -1 WITHSCORES\nZADD z 1 name\nZRANGE z 0 -1 WITHSCORES\nZCOUNT z 10 20\n" +
			line("ZREM z", 3001, func(i int) string { return fmt.Sprint(i) }) + "ZRANGE z 0 -1\nZREM z name\nEXISTS z"},
		{"large lexical sorted sets", line("ZADD z", 2000, func(i int) string { return fmt.Sprintf("0 text%d", shuffled(i)) }) +
			"ZRANGE z 0 -1\nZRANGEBYLEX z [text1 [text2 LIMIT 10 20\nZREVRANGEBYLEX z [text2 (text1 LIMIT 10 20\nZLEXCOUNT z [text1 (text3\n" +
			line("ZREM z", 900, func(i int) string { return fmt.Sprintf("text%d", i) }) +
			"ZRANGE z 0 -1\nZADD z 5 text2000\nZRANGE z -3 -1 WITHSCORES\nZADD z 0 text2000 0 other\nZRANGE z 0 -1 WITHSCORES"},
		{"many keys", line("MSET", 2000, func(i int) string { return fmt.Sprintf("{t%d}key%d %d", i%5, i, i) }) +
			"DBSIZE\nSCAN 0 COUNT 37\nSCAN 0 MATCH {t3}* COUNT 100\n" +
			line("DEL", 1500, func(i int) string { return fmt.Sprintf("{t%d}key%d", i%5, i) }) + "DBSIZE\nSCAN 0 COUNT 10"},
	}
}
