package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"concord/internal/hl7"
	"concord/internal/sample"
)

// laboratory is what the load calls itself where messages name their sender.
const laboratory = "BENCH"

// mllpWorks send results of a laboratory, each a message that is answered when all that it means is durable and can be found.
func (b *bench) mllpWorks(context.Context) ([]Work, error) {
	if b.hub.MLLP == "" {
		return nil, errors.New("HL7 v2 is measured with a hub that is started for it: leave --to away")
	}
	var sent atomic.Int64
	work := func(title string, clients int, pace float64, goal Goal) Work {
		clients = b.clients(clients)
		return Work{Title: title, Unit: "msg", Clients: clients, Goal: goal, note: func() string { return memory(b.hub.pid) },
			hub: func(ctx context.Context, clients, round int) (Sample, error) {
				open := make([]*laboratoryLine, clients)
				for i := range open {
					l, err := dialLaboratory(ctx, b.hub.MLLP)
					if err != nil {
						return Sample{}, err
					}
					defer l.Close()
					open[i] = l
				}
				return repeat(ctx, clients, b.sending(round, pace), func(_ context.Context, client, _ int) (int, error) {
					return 1, open[client].report(b.start, sent.Add(1))
				})
			}}
	}
	const title = "ORU^R01 with five results over MLLP"
	return []Work{work(title, 1, 0, Goal{}), work(title, 8, 0, Goal{}), work(title, 200, 0, Goal{Of: "rate", AtLeast: 1000}),
		work(title+", 1,000 due a second", 200, 1000, Goal{Of: "p99", AtMost: 100})}, nil
}

// sending bounds a turn of messages, so many of which become due a second; 0 for as fast as they are answered.
func (b *bench) sending(round int, pace float64) bounds {
	r := b.reading(round)
	r.time *= 2
	r.pace = pace
	return r
}

// laboratoryLine is one connection of a laboratory's system.
type laboratoryLine struct {
	net.Conn
	frames *hl7.Frames
	out    []byte
}

func dialLaboratory(ctx context.Context, address string) (*laboratoryLine, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect for HL7 v2: %w", err)
	}
	return &laboratoryLine{Conn: c, frames: hl7.NewFrames(c, 1<<20)}, nil
}

// report sends the nth report and wants it accepted. Every tenth patient comes back.
func (l *laboratoryLine) report(start, n int64) error {
	control := fmt.Sprintf("%x-%d", start, n)
	p := sample.NewPerson(uint64(start) + uint64(n/10))
	text := fmt.Sprintf("MSH|^~\\&|%s|LAB|HUB|C|20260105083000+0800||ORU^R01^ORU_R01|%s|P|2.5.1||||||UNICODE UTF-8\r"+
		"PID|1||P%d^^^BENCH^MR||%s^%s||%s|%s\rPV1|1|O\rORC|RE|O%[2]s|F%[2]s\r"+
		"OBR|1|O%[2]s|F%[2]s|24323-8^生化全套^LN|||20260105080000+0800|||||||||||||||20260105082500+0800|||F\r", laboratory, control, n/10,
		p.Family, p.Given, p.Birth.Format("20060102"), strings.ToUpper(p.Gender()[:1]))
	for i, r := range [...]string{"2345-7^葡萄糖^LN||5.%d|mmol/L|3.9-6.1", "2160-0^肌酐^LN||8%d|umol/L|44-97", "3094-0^尿素^LN||4.%d|mmol/L|2.6-7.5", "2823-3^钾^LN||4.%d|mmol/L|3.5-5.3", "2951-2^钠^LN||13%d|mmol/L|137-147"} {
		text += fmt.Sprintf("OBX|%d|NM|"+r+"|N|||F|||20260105080000+0800\r", i+1, n%10)
	}
	l.out = hl7.AppendFrame(l.out[:0], []byte(text))
	if err := l.SetDeadline(time.Now().Add(stuck)); err != nil {
		return err
	}
	if _, err := l.Write(l.out); err != nil {
		return fmt.Errorf("send a message: %w", err)
	}
	raw, err := l.frames.Next()
	if err != nil {
		return fmt.Errorf("wait for an answer: %w", err)
	}
	answer, err := hl7.Parse(raw, hl7.Limits{})
	if err != nil {
		return err
	}
	if answer.Text("MSA-1") != string(hl7.AA) || answer.Text("MSA-2") != control {
		return fmt.Errorf("a message is answered %s", shown(raw))
	}
	return nil
}
