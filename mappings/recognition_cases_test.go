package mappings

import (
	"strings"
	"testing"

	"concord/hub"
)

func TestEveryCaseIsDecidedAsItShouldBe(t *testing.T) {
	catalogue, err := Recognition()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := RecognitionCases()
	if err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		for _, difference := range cases[i].Check(catalogue) {
			t.Errorf("%s: %s: %s", cases[i].Place, cases[i].Name, difference)
		}
	}
}

func TestCasesThatCannotBeReadAreToldWithTheirLine(t *testing.T) {
	const bases = "bases: {x: {order: {text: [a]}, result: {text: [a]}}}\ncases:\n"
	for name, c := range map[string]struct{ text, want string }{
		"an unknown base":     {bases + "  - {name: n, like: y}\n", `c.yaml:3: read the case: there is no base "y"`},
		"an unknown column":   {bases + "  - {name: n, like: x, result: {colour: red}}\n", "c.yaml:3: read the case: result 1"},
		"a name twice":        {bases + "  - {name: n, like: x}\n  - {name: n, like: x}\n", "c.yaml:4"},
		"a fact that is none": {bases + "  - {name: n, like: x, result: {identity: maybe}}\n", "c.yaml:3"},
		"no cases":            {"bases: {}\n", "no cases"},
	} {
		_, err := ParseRecognitionCases("c.yaml", []byte(c.text))
		if !hub.Is(err, hub.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
