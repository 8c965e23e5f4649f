package ecg

import (
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"concord/hub"
	wave "concord/internal/ecg"
	"concord/internal/ecg/draw"
)

// options reads the parameters of a form, of which asks are those it takes; others are refused, so that a misspelt one is not
// drawn as if it had not been asked for.
func (s *server) options(c *gin.Context, asks []string) (draw.Options, error) {
	o := draw.Options{Layout: draw.Layout(c.Query("layout")), Language: draw.Language(c.Query("lang")), NoHeader: c.Query("header") == "false"}
	for name := range c.Request.URL.Query() {
		if name != "format" && !slices.Contains(asks, name) {
			return o, &hub.Error{Kind: hub.Invalid, Path: name, Msg: "is no parameter of this form"}
		}
	}
	for _, n := range []struct {
		name string
		to   *float64
	}{{"speed", &o.Speed}, {"gain", &o.Gain}, {"from", &o.From}, {"seconds", &o.Seconds}} {
		if text := c.Query(n.name); text != "" {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || v == 0 && n.name != "from" {
				return o, invalid(n.name, "is not a number to draw by")
			}
			*n.to = v
		}
	}
	if o.Seconds > s.Limits.Seconds {
		return o, &hub.Error{Kind: hub.TooLarge, Path: "seconds", Msg: "a picture may show " + strconv.FormatFloat(s.Limits.Seconds, 'g', -1, 64) + " seconds", Hint: "ask for the next ones with from"}
	}
	for _, n := range []struct {
		name string
		to   *int
	}{{"group", &o.Group}, {"pixels", &o.PixelsPerMM}} {
		if text := c.Query(n.name); text != "" {
			v, err := strconv.Atoi(text)
			if err != nil || v < 0 {
				return o, invalid(n.name, "is not a whole number")
			}
			*n.to = v
		}
	}
	switch rhythm := c.Query("rhythm"); rhythm {
	case "":
	case "none":
		o.NoRhythm = true
	default:
		i := slices.IndexFunc(wave.Twelve(), func(l wave.LeadCode) bool { return l.String() == rhythm })
		if i < 0 {
			return o, invalid("rhythm", "is neither one of the twelve leads nor none")
		}
		o.Rhythm = wave.Twelve()[i]
	}
	return o, nil
}
