package dimse

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const (
	studyRootMove   = "1.2.840.10008.5.1.4.1.2.2.2"
	patientRootMove = "1.2.840.10008.5.1.4.1.2.1.2"
)

// moving are the services that send instances to a known application entity (PS3.4 C.4.2).
func (s *Server) moving() []Service {
	line := func(name, class string, root dicom.Root) Service {
		return Service{Name: name, SOPClass: class, Extended: retrieveExtensions,
			Commands: map[upperlayer.Field]Command{upperlayer.CMoveRQ: {access.Read, s.move(root)}}}
	}
	return []Service{
		line("Study Root Query/Retrieve Information Model – MOVE", studyRootMove, dicom.StudyRoot),
		line("Patient Root Query/Retrieve Information Model – MOVE", patientRootMove, dicom.PatientRoot),
	}
}

// move answers C-MOVE.
func (s *Server) move(root dicom.Root) Handler {
	return func(ctx context.Context, r *upperlayer.Request) {
		q, err := question(r, root, dicom.Rules{})
		if err != nil {
			refuse(r, err)
			return
		}
		to, err := s.destination(r.Command.Destination)
		if err != nil {
			c := refusal(err)
			c.Status = unknownDestination
			r.Respond(c, nil)
			return
		}
		who, _ := access.CallerFrom(ctx)
		items, err := s.items(ctx, who, q)
		if err != nil {
			refuse(r, err)
			return
		}
		t := &retrieval{r: r, total: len(items)}
		from := origin{r.Association.Peer().Calling, r.Command.MessageID}
		if s.send(ctx, r.Association.Context(), to, items, from, func(it *item, status upperlayer.Status, err error) error {
			t.count(it, status, err)
			return t.progress()
		}) == nil {
			t.end(ctx)
		}
	}
}

// patience is how many associations in a row a destination may end early before it is left alone.
const patience = 3

// told is what send tells about an item: the destination's verdict, or why there is none. An error ends the sending.
type told func(it *item, status upperlayer.Status, err error) error

// send stores items at a destination, over as many associations as their SOP classes and syntaxes need, and tells each
// one's end. It goes on after an instance that failed, also where that ended the association. What the destination's member
// may not read fails. An association that cannot be had fails all that is left; what ctx ends before is not told of, and sure
// ends what is under way then. The error is told's own.
func (s *Server) send(ctx, sure context.Context, to destination, items []item, from origin, tell told) error {
	for lost := 0; len(items) > 0 && ctx.Err() == nil; {
		batch, contexts := proposals(items)
		a, err := (*upperlayer.Association)(nil), errNoAssociation
		if lost < patience {
			a, err = s.dial(ctx, to, upperlayer.Proposal{Contexts: contexts})
		}
		if err != nil {
			slog.Warn("instances cannot be sent", "destination", to.title, "left", len(items), "err", err)
			for i := range items {
				if err := tell(&items[i], 0, errNoAssociation); err != nil {
					return err
				}
			}
			return nil
		}
		n, err := s.sendOver(ctx, sure, to, a, batch, from, tell)
		if err != nil {
			a.Abort()
			return err
		}
		released := a.Release(sure) == nil
		if lost++; released || n > 1 {
			lost = 0
		}
		items = items[n:]
	}
	return nil
}

var errNoAssociation = errors.New("no association with the destination")

// sendOver sends items until the association, or ctx, ends, and says how many were told of.
func (s *Server) sendOver(ctx, sure context.Context, to destination, a *upperlayer.Association, items []item, from origin, tell told) (n int, err error) {
	for ; n < len(items) && ctx.Err() == nil; n++ {
		select {
		case <-a.Done():
			return n, nil
		default:
		}
		it := &items[n]
		var status upperlayer.Status
		err := s.disclose(sure, to, it, from)
		if err == nil {
			status, err = s.deliver(sure, to.who, a, it, from)
		}
		if err := tell(it, status, err); err != nil {
			return n + 1, err
		}
	}
	return n, nil
}

// disclose asks whether the destination's member may have the instance, and notes that it gets it, where and for whom.
func (s *Server) disclose(ctx context.Context, to destination, it *item, from origin) error {
	if err := s.Reader.MayRead(ctx, to.who, s.PartitionOf(it.study), &it.record); err != nil {
		return err
	}
	how := "C-STORE to " + to.title
	if from.title != "" {
		how += ", C-MOVE of " + from.title
	}
	return s.Trail.Note(ctx, audit.Event{Action: audit.Export, Query: how, Member: to.who.Member, Type: it.record.Name.Type, Names: []hub.Name{it.record.Name}, Count: 1})
}

// mostContexts is how many presentation contexts an association can have: odd numbers in a byte (PS3.8 9.3.2.2).
const mostContexts = 128

// proposals takes as many items from the front as one association has room for, and proposes for each SOP class one context
// for each syntax that its instances are stored in, and one for what they can be decoded to.
func proposals(items []item) (batch []item, contexts []upperlayer.ProposedContext) {
	has := func(class string, syntaxes []string) bool {
		return slices.ContainsFunc(contexts, func(c upperlayer.ProposedContext) bool {
			return c.Abstract == class && slices.Equal(c.Transfer, syntaxes)
		})
	}
	for i := range items {
		var need []upperlayer.ProposedContext
		for _, syntaxes := range [][]string{{items[i].syntax}, {explicitLittle}, {implicitLittle}} {
			if !has(items[i].class, syntaxes) && !slices.ContainsFunc(need, func(c upperlayer.ProposedContext) bool { return slices.Equal(c.Transfer, syntaxes) }) {
				need = append(need, upperlayer.ProposedContext{Abstract: items[i].class, Transfer: syntaxes})
			}
		}
		if len(contexts)+len(need) > mostContexts {
			return items[:i], contexts
		}
		for _, c := range need {
			c.ID = byte(2*len(contexts) + 1)
			contexts = append(contexts, c)
		}
	}
	return items, contexts
}
