package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"concord/hub"
	"concord/hub/audit"
	"concord/hub/settings"
)

// Config is everything that can be set. Each field is a flag (--cache-mb), an environment variable (CONCORD_CACHE_MB)
// and a key of the YAML file named by --config (cache-mb); the flag wins over the variable, the variable over the file.
// docs/configuration.md is the same list in words.
type Config struct {
	// Data is the folder of the embedded default: objects, the index's snapshot, the keeper's socket.
	Data string `koanf:"data"`
	// S3 is the object store as http://KEY:SECRET@HOST:9000/BUCKET; empty: the folder Data.
	S3 string `koanf:"s3"`
	// Redis is the index as redis://HOST:6379/0, comma-separated for a cluster; empty: the embedded keeper.
	Redis string `koanf:"redis"`
	// DicomPartitions is how many logs the studies of a new consortium are spread over; 0 for the usual number, and for
	// what the store says that is in use already.
	DicomPartitions int `koanf:"dicom-partitions"`

	// Listen is the HTTP address.
	Listen      string `koanf:"listen"`
	DIMSEConfig `koanf:",squash"`
	MLLPConfig  `koanf:",squash"`

	LaboratoryConfig `koanf:",squash"`
	CDSConfig        `koanf:",squash"`

	RecognitionConfig `koanf:",squash"`

	IdentityConfig `koanf:",squash"`
	// TLSCert and TLSKey are PEM files; both or neither.
	TLSCert string `koanf:"tls-cert"`
	TLSKey  string `koanf:"tls-key"`
	// PublicURL is the hub's address as clients see it when a proxy stands before it, without a trailing slash. The index
	// takes references that begin with it as relative ones.
	PublicURL string `koanf:"public-url"`
	// CORSOrigins are the web origins, separated by commas, whose pages may call the hub from a browser; empty: none but its own.
	CORSOrigins string `koanf:"cors-origins"`
	// Demo fills an empty hub with a demo consortium and plays its story.
	Demo bool `koanf:"demo"`
	// DemoExit ends the hub when the story is told, for tests; it is not among the flags shown.
	DemoExit bool `koanf:"demo-exit"`

	// CacheMB bounds the memory for commits and records that were read or written lately, and for how studies were told.
	CacheMB int `koanf:"cache-mb"`
	// Audit is "queued" (an event is durable within 100 ms) or "durable" (before the answer).
	Audit string `koanf:"audit"`
	// Snapshot is how often the embedded keeper saves itself while it changes.
	Snapshot time.Duration `koanf:"snapshot"`
	// Drain is how long running requests may take once the hub was told to stop.
	Drain time.Duration `koanf:"drain"`

	// UpdateCreate lets a PUT make a resource under an id that the client chose.
	UpdateCreate bool `koanf:"update-create"`
	// ConditionalDelete is "single", "multiple" or "not-supported".
	ConditionalDelete string `koanf:"conditional-delete"`

	// Prepare makes metadata and thumbnails of new studies before they are asked for.
	Prepare bool `koanf:"prepare"`

	// Limits; see docs/configuration.md for what each refuses.
	MaxResourceMB    int     `koanf:"max-resource-mb"`
	MaxBundleMB      int     `koanf:"max-bundle-mb"`
	MaxBundleEntries int     `koanf:"max-bundle-entries"`
	MaxDeletes       int     `koanf:"max-deletes"`
	MaxBinaryMB      int     `koanf:"max-binary-mb"`
	AttachmentKB     int     `koanf:"attachment-kb"`
	MaxPageMB        int     `koanf:"max-page-mb"`
	MaxHeaderMB      int     `koanf:"max-header-mb"`
	ECGFileMB        int     `koanf:"ecg-file-mb"`
	ECGReadMB        int     `koanf:"ecg-read-mb"`
	ECGSeconds       float64 `koanf:"ecg-seconds"`
	MemberRate       float64 `koanf:"member-rate"`
	MemberConcurrent int     `koanf:"member-concurrent"`
	MemberStorage    int     `koanf:"member-storage"`
}

func defaults() Config {
	return Config{
		Data: "data", Listen: "127.0.0.1:8080", CacheMB: 192, Audit: string(audit.Queued),
		Snapshot: 5 * time.Minute, Drain: 30 * time.Second,
		UpdateCreate: true, ConditionalDelete: "single", Prepare: true,
		MaxResourceMB: 10, MaxBundleMB: 50, MaxBundleEntries: 5000, MaxDeletes: 1000, MaxHeaderMB: 16,
		MaxBinaryMB: 1024, AttachmentKB: 64, MaxPageMB: 50,
		ECGFileMB: 32, ECGReadMB: 64, ECGSeconds: 60,
		MemberRate: 50000, MemberConcurrent: 1024,
		DIMSEConfig: defaultDIMSE(), MLLPConfig: defaultMLLP(), LaboratoryConfig: defaultLaboratory(), IdentityConfig: IdentityConfig{Link: true}, CDSConfig: defaultCDS(),
	}
}

// storeFlags are what every command takes that touches the store.
func storeFlags(f *pflag.FlagSet) {
	d := defaults()
	f.String("config", "", "YAML `file` with any of the settings")
	f.String("data", d.Data, "`folder` of the embedded default: objects and index snapshot")
	f.String("s3", "", "object store as http://KEY:SECRET@HOST:9000/BUCKET instead of the folder")
	f.String("redis", "", "index as redis://HOST:6379/0 (comma-separated: a cluster) instead of the embedded keeper")
	f.Int("dicom-partitions", 0, fmt.Sprintf("how many logs the studies of a new consortium are spread over, 1 to 100, for good (default %d)", settings.DefaultDicomPartitions))
	identityFlags(f)
	f.String("public-url", "", "the hub's `URL` as clients see it behind a proxy; the same for all hubs and commands")
}

func serveFlags(f *pflag.FlagSet) {
	d := defaults()
	storeFlags(f)
	f.String("listen", d.Listen, "HTTP `address`")
	dimseFlags(f)
	mllpFlags(f)
	laboratoryFlags(f)
	cdsFlags(f)
	recognitionFlags(f)
	f.String("tls-cert", "", "PEM `file` with the certificate chain")
	f.String("tls-key", "", "PEM `file` with the private key")
	f.String("cors-origins", "", "`origins`, separated by commas, whose pages may call the hub from a browser (https://viewer.example)")
	f.Bool("demo", false, "fill the hub with a demo consortium and play its story")
	f.Bool("demo-exit", false, "end the hub when the story is told")
	f.MarkHidden("demo-exit")
	f.Int("cache-mb", d.CacheMB, "memory for commits and records read lately and how studies were told, `MB`")
	f.String("audit", d.Audit, "queued: an audit event is durable within 100 ms; durable: before the answer")
	f.Duration("snapshot", d.Snapshot, "how often the embedded keeper saves itself while it changes")
	f.Duration("drain", d.Drain, "how long running requests may take after SIGTERM")
	f.Bool("update-create", d.UpdateCreate, "let a PUT make a resource under the client's id")
	f.String("conditional-delete", d.ConditionalDelete, "what DELETE by criteria takes away: single, multiple, or not-supported")
	f.Bool("prepare", d.Prepare, "make metadata and thumbnails of new studies before they are asked for")
	f.Int("max-resource-mb", d.MaxResourceMB, "greatest FHIR resource, `MB`")
	f.Int("max-bundle-mb", d.MaxBundleMB, "greatest FHIR bundle, `MB`")
	f.Int("max-bundle-entries", d.MaxBundleEntries, "most entries of a bundle")
	f.Int("max-deletes", d.MaxDeletes, "most resources that one conditional delete takes away")
	f.Int("max-binary-mb", d.MaxBinaryMB, "greatest Binary that is sent as it is, `MB`")
	f.Int("attachment-kb", d.AttachmentKB, "base64 data in FHIR resources that lies in a blob from this size on, `KB`")
	f.Int("max-page-mb", d.MaxPageMB, "most `MB` of resources on a page of a search, attachments in blobs apart")
	f.Int("max-header-mb", d.MaxHeaderMB, "greatest DICOM header without bulk data, `MB`")
	f.Int("ecg-file-mb", d.ECGFileMB, "greatest electrocardiogram that is sent as a file and not as DICOM, `MB`")
	f.Int("ecg-read-mb", d.ECGReadMB, "greatest electrocardiogram that is read to be measured, drawn or converted, `MB`")
	f.Float64("ecg-seconds", d.ECGSeconds, "most `seconds` of an electrocardiogram that one picture shows")
	f.Float64("member-rate", d.MemberRate, "requests a second of one member")
	f.Int("member-concurrent", d.MemberConcurrent, "requests of one member at the same time")
	f.Int("member-storage", d.MemberStorage, "`MB` that one member may have in the store, every version and every file; 0: any number")
}

// load reads the settings of a command from flags, environment and file.
func load(flags *pflag.FlagSet) (Config, error) {
	c := defaults()
	k := koanf.New(".")
	path := os.Getenv("CONCORD_CONFIG")
	if f := flags.Lookup("config"); f != nil && f.Value.String() != "" {
		path = f.Value.String()
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return c, fmt.Errorf("read the configuration file: %w", err)
		}
	}
	names := func(key, value string) (string, any) {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(key, "CONCORD_")), "_", "-"), value
	}
	if err := k.Load(env.Provider(".", env.Opt{Prefix: "CONCORD_", TransformFunc: names}), nil); err != nil {
		return c, fmt.Errorf("read the environment: %w", err)
	}
	if err := k.Load(posflag.Provider(flags, ".", k), nil); err != nil {
		return c, fmt.Errorf("read the flags: %w", err)
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, fmt.Errorf("read the settings: %w", err)
	}
	if c.Audit != string(audit.Queued) && c.Audit != string(audit.Durable) {
		return c, &hub.Error{Kind: hub.Invalid, Path: "audit", Msg: "is queued or durable"}
	}
	if !slices.Contains([]string{"single", "multiple", "not-supported"}, c.ConditionalDelete) {
		return c, &hub.Error{Kind: hub.Invalid, Path: "conditional-delete", Msg: "is single, multiple or not-supported"}
	}
	return c, c.CDSConfig.check()
}
