package index

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"concord/hub"
)

func testPartition() *partition {
	return newPartition("records", PartitionLayout{Tag: "r", Slots: 64}, "")
}

// The worked rows of DESIGN.md.
func TestKeysAreThoseOfTheTable(t *testing.T) {
	p, one := testPartition(), newPartition("dicom-03", PartitionLayout{Tag: "d03", Slots: 1}, "")
	for got, want := range map[string]string{
		p.metaKey():                                    "{r}:meta",
		one.metaKey():                                  "{d03}:meta",
		p.typesKey():                                   "{r}:types",
		p.markKey(7):                                   "{r07}:mark",
		one.markKey(0):                                 "{d03}:mark",
		string(p.nameKey(nil, 7, 12)):                  "{r07}:k:12",
		string(p.headKey(nil, 7, 8200)):                "{r07}:h:2",
		string(one.headKey(nil, 0, 300)):               "{d03}:h:2",
		string(p.versionsKey(nil, 7, 8200)):            "{r07}:v:8200",
		string(p.allKey(nil, 63, "Observation")):       "{r63}:a:Observation",
		string(p.exactKey(nil, 7, "A", "status", "x")): "{r07}:e:A:status:x",
		string(p.exactKey(nil, 7, "A", "a:b", "c")):    "{r07}:e:A:a%3Ab:c",
		string(p.exactKey(nil, 7, "A", "a", "b:c")):    "{r07}:e:A:a:b:c",
		string(p.textKey(nil, 7, "Patient", "name")):   "{r07}:l:Patient:name",
		string(p.manyKey(nil, 7, "A", "date")):         "{r07}:m:A:date",
		string(p.columnKey(nil, 7, "date", 8200)):      "{r07}:c:date:2",
		p.pagesKey(near, "A", "date"):                  "{r}:N:A:date",
		p.pagesKey(far, "A", "date"):                   "{r}:Y:A:date",
		p.hoursKey("A"):                                "{r}:U:A",
		p.at(7) + string(pageTail(nil, wide, "A", "date", bucketOf(1.7e12, 0))): "{r07}:w:A:date:59044217",
		p.at(7) + string(hourOf(17, 1).tail(nil, "A")):                          "{r07}:u:A:d0",
		p.at(7) + string(hourOf(17, 500).tail(nil, "A")):                        "{r07}:u:A:b2",
		string(p.rareKey(nil, 7, 266, "A", "identifier")):                       "{r07}:i:A:identifier:266",
		packSpans([]span{{5.55, 5.65}, {6, 6}}):                                 "\x22\xd6\x08\xea\x08\x80\x0c",
		textMember("王", 17):                                                     "王\x0017",
		packHead(head{2, true, hub.Loc{Seq: 300, Off: 1, Len: 2}, 3}):           "\x05\xac\x02\x01\x02\x06",
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func TestALongValueIsHashedAndMeetsNoShortOne(t *testing.T) {
	p := testPartition()
	long := string(p.exactKey(nil, 1, "A", "b", strings.Repeat("x", 500)))
	if len(long) > 60 {
		t.Errorf("%q is long", long)
	}
	_, value, _ := strings.Cut(long, ":b:")
	if string(p.exactKey(nil, 1, "A", "b", value)) == long {
		t.Error("the value that looks like the hash has the key of the long one")
	}
}

func TestNamesSpreadOverSlotsAndBuckets(t *testing.T) {
	p := testPartition()
	slots, both := map[int]int{}, map[[2]int]int{}
	const n = 64 * 1024 * 4
	for i := range n {
		slot, bucket := p.directory(hub.Name{Type: "Observation", ID: member(uint64(i))})
		slots[slot]++
		both[[2]int{slot, bucket}]++
	}
	for slot, k := range slots {
		if k < n/64*9/10 || k > n/64*11/10 {
			t.Errorf("slot %d has %d of %d names", slot, k, n)
		}
	}
	for at, k := range both {
		if k > 24 {
			t.Errorf("bucket %v has %d names, 4 are expected", at, k)
		}
	}
	if len(slots) != 64 {
		t.Errorf("%d slots are used", len(slots))
	}
}

func TestLayoutsWhoseKeysWouldMeetAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		layout map[hub.Partition]PartitionLayout
		good   bool
	}{
		"the standard":                 {StandardLayout(16).Partitions, true},
		"two of one tag":               {map[hub.Partition]PartitionLayout{"a": {Tag: "x", Slots: 1}, "b": {Tag: "x", Slots: 4}}, false},
		"a slot's tag for another":     {map[hub.Partition]PartitionLayout{"a": {Tag: "d", Slots: 16}, "b": {Tag: "d03", Slots: 1}}, false},
		"a tag that breaks the braces": {map[hub.Partition]PartitionLayout{"a": {Tag: "x}", Slots: 1}}, false},
		"no slots":                     {map[hub.Partition]PartitionLayout{"a": {Tag: "x"}}, false},
	} {
		if err := (Layout{Partitions: c.layout}).Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedisURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h":              "one h:6379 db 0",
		"redis://u:p@h:7000/3":   "one h:7000 db 3",
		"rediss://h:1":           "one h:1 db 0 tls",
		"redis://a:1,b,[::1]:3":  "cluster a:1 b:6379 [::1]:3",
		"rediss://u:p@a:1,b:2/0": "cluster a:1 b:2 tls",
		"redis://a:1,b:2/4":      "",
		"h:6379":                 "",
		"http://h":               "",
	} {
		client, err := Connect(url)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := ""
		switch c := client.(type) {
		case *redis.Client:
			got = "one " + c.Options().Addr + " db " + member(uint64(c.Options().DB))
			if c.Options().TLSConfig != nil {
				got += " tls"
			}
			if c.Options().Protocol != 2 {
				t.Errorf("%s: RESP%d", url, c.Options().Protocol)
			}
		case *redis.ClusterClient:
			got = "cluster " + strings.Join(c.Options().Addrs, " ")
			if c.Options().TLSConfig != nil {
				got += " tls"
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
		if err != nil && strings.Contains(err.Error(), "p@") {
			t.Errorf("%v shows the password", err)
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add(packHead(head{3, true, hub.Loc{Seq: 9, Off: 8, Len: 7}, -5}))
	f.Add(packVersion(false, hub.Loc{Seq: 9, Off: 8, Len: 7}))
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	p := testPartition()
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := unpackHead(s); err == nil {
			if again, err := unpackHead(packHead(h)); again != h || err != nil {
				t.Errorf("head %q changes on its way", s)
			}
		}
		var spans, again []span
		if err := unpackSpans(s, func(v span) bool { spans = append(spans, v); return true }); err == nil {
			err := unpackSpans(packSpans(spans), func(v span) bool { again = append(again, v); return true })
			if err != nil || !slices.Equal(spans, again) {
				t.Errorf("spans %q are %v and come back as %v, %v", s, spans, again, err)
			}
		}
		if deleted, at, err := unpackVersion(s); err == nil {
			deleted2, at2, err := unpackVersion(packVersion(deleted, at))
			if deleted2 != deleted || at2 != at || err != nil {
				t.Errorf("version %q changes on its way", s)
			}
		}
		if num, slot, err := p.unpackPlace(s); err == nil && (slot < 0 || slot >= p.slots) {
			t.Errorf("place %q: slot %d of number %d", s, slot, num)
		}
		text, num := splitText(textMember(s, 77))
		if text != s || num != 77 {
			t.Errorf("text %q comes back as %q, %d", s, text, num)
		}
	})
}
