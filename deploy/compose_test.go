// Package deploy holds what starts Concord in containers; its test reads the compose file and the Dockerfile
// as their tools do.
package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
)

const file = "../docker-compose.yml"

// secrets runs the script that makes them.
func secrets(t *testing.T) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "env")
	if out, err := exec.Command("bash", "compose-env.sh", path).CombinedOutput(); err != nil {
		t.Fatalf("compose-env.sh: %v\n%s", err, out)
	}
	env, err := dotenv.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func load(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	var list []string
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(list), cli.WithWorkingDirectory(".."), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, secrets(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheHubWaitsForHealthyStores(t *testing.T) {
	p := project(t)
	names := p.ServiceNames()
	slices.Sort(names)
	if !slices.Equal(names, []string{"hub", "minio", "redis"}) {
		t.Fatalf("services %v", names)
	}
	for name, s := range p.Services {
		if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Disable {
			t.Errorf("%s has no health check", name)
		}
		if s.Restart == "" {
			t.Errorf("%s is not started again after a fault", name)
		}
	}
	for _, store := range []string{"minio", "redis"} {
		if d := p.Services["hub"].DependsOn[store]; d.Condition != types.ServiceConditionHealthy {
			t.Errorf("the hub starts on %s being %q", store, d.Condition)
		}
	}
}

func TestOnlyTheHubIsPublishedAndOnlyOnThisMachine(t *testing.T) {
	for name, s := range project(t).Services {
		if name != "hub" && len(s.Ports) > 0 {
			t.Errorf("%s is published: %v", name, s.Ports)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
		}
		if name == "hub" && len(s.Ports) != 2 {
			t.Errorf("the hub publishes %v, it should be HTTP and DICOM", s.Ports)
		}
		if s.NetworkMode != "" || s.Privileged {
			t.Errorf("%s leaves its container", name)
		}
	}
}

func TestNothingStartsWithoutSecretsOfItsOwn(t *testing.T) {
	env := secrets(t)
	for name := range env {
		if strings.HasSuffix(name, "_BIND") {
			continue
		}
		less := map[string]string{}
		for k, v := range env {
			if k != name {
				less[k] = v
			}
		}
		if _, err := load(t, less); err == nil || !strings.Contains(err.Error(), "compose-env.sh") {
			t.Errorf("without %s: error %v, expected the remedy", name, err)
		}
	}
	again := secrets(t)
	for name, value := range env {
		if !strings.HasSuffix(name, "_BIND") && (value == again[name] || len(value) < 16) {
			t.Errorf("%s is not random: %q", name, value)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`(?m)^ *\w*(PASSWORD|SECRET|USER|KEY): *"?[^$" ].*$|://\w*:[^$@ ]+@|--requirepass +"?[^$" ].*`)
	if found := literal.Find(text); found != nil {
		t.Errorf("a literal secret: %s", found)
	}
}

func TestTheSecretsAreKeptFromOthersAndFromTheRepository(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env")
	for range 2 { // the second leaves the first one's file alone
		if err := exec.Command("bash", "compose-env.sh", path).Run(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, list := range []string{"../.gitignore", "../.dockerignore"} {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^/?\.env$`).Match(text) {
			t.Errorf("%s does not list .env", list)
		}
	}
}

func TestTheIndexMayBeLostAndTheTruthMayNot(t *testing.T) {
	p := project(t)
	redis := strings.Join(p.Services["redis"].Command, " ")
	for _, want := range []string{"--appendonly no", `--save ""`, "--set-max-intset-entries", "--maxmemory-policy noeviction", "--requirepass"} {
		if !strings.Contains(redis, want) {
			t.Errorf("redis is started without %s", want)
		}
	}
	for service, volume := range map[string]string{"minio": "objects", "hub": "hub"} {
		kept := slices.ContainsFunc(p.Services[service].Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Type == "volume" && v.Source == volume && v.Target == "/data"
		})
		if _, named := p.Volumes[volume]; !kept || !named {
			t.Errorf("%s does not keep /data in the volume %s", service, volume)
		}
	}
}

func TestTheHubIsStartedWithFlagsItHas(t *testing.T) {
	command := project(t).Services["hub"].Command
	if len(command) == 0 || command[0] != "serve" {
		t.Fatalf("command %v", command)
	}
	known := []string{"--data", "--listen", "--dimse", "--mllp", "--s3", "--redis", "--demo"}
	source, err := sources("../cmd/concord")
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range command[1:] {
		flag, _, _ := strings.Cut(arg, "=")
		if !slices.Contains(known, flag) {
			t.Errorf("%s is no flag of serve", flag)
		}
		if len(source) > 0 && !bytes.Contains(source, []byte(`"`+strings.TrimPrefix(flag, "--")+`"`)) {
			t.Errorf("no source of cmd/concord names %s", flag)
		}
	}
}

func sources(dir string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
	return all, nil
}

func TestEveryImageIsPinned(t *testing.T) {
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`:\d+\.\d+\.\d+(-|$)`)
	stages := map[string]bool{"scratch": true}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+) AS (\S+)$`).FindAllStringSubmatch(string(dockerfile), -1) {
		if !stages[from[1]] && !exact.MatchString(from[1]) {
			t.Errorf("the image %s is not pinned to a version", from[1])
		}
		stages[from[2]] = true
	}
	for name, s := range project(t).Services {
		switch {
		case s.Build != nil && (s.Build.Dockerfile != "deploy/Dockerfile" || !stages[s.Build.Target]):
			t.Errorf("%s is built from %s, stage %q, which is not there", name, s.Build.Dockerfile, s.Build.Target)
		case s.Build == nil && !exact.MatchString(s.Image):
			t.Errorf("the image %s of %s is not pinned to a version", s.Image, name)
		}
	}
	for _, stage := range []string{"hub", "minio"} {
		if !regexp.MustCompile(`FROM scratch AS ` + stage + `\n(?:.+\n)*USER \d+`).Match(dockerfile) {
			t.Errorf("the image %s does not name a user who is not root", stage)
		}
	}
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(goMod)
	if !bytes.Contains(dockerfile, append([]byte("golang:"), version[1]...)) {
		t.Errorf("the Dockerfile builds with another Go than go.mod's %s", version[1])
	}
}

func TestTheSameMinIOIsTestedAndDeployed(t *testing.T) {
	version := regexp.MustCompile(`v0\.0\.0-\d{14}-[0-9a-f]{12}`)
	var pins []string
	for _, f := range []string{"Dockerfile", "../scripts/services.sh"} {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		pins = append(pins, version.FindString(string(text)))
	}
	if pins[0] == "" || pins[0] != pins[1] {
		t.Errorf("pinned are %q", pins)
	}
}
