package fhir

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// findRecognisable answers POST and GET /fhir/ServiceRequest/$find-recognisable: whether earlier results of the patient's
// person may stand for what is about to be ordered.
//
// In (Parameters, or a bare ServiceRequest): order (ServiceRequest, repeated) or code (Coding) and text (string), patient
// (Reference; the orders' subject unless given), encounter-class (code), exception (code, repeated), time (dateTime; now
// unless given). GET takes patient, code (system|code), text, encounter-class, exception, time.
//
// Out (Parameters): see decided; for more than one order an answer for each.
func (s *Server) findRecognisable(ctx context.Context, q *question) (*answer, error) {
	a, err := s.advised(ctx, q)
	if err != nil {
		return nil, err
	}
	l := advice.Links{Base: strings.TrimSuffix(q.base, "/fhir"), Viewer: s.Viewer}
	list := forEach(a, func(one *advice.Answer) []parameter { return decided(one, a.At, l) })
	return parameters(list)
}

// explain answers POST and GET /fhir/ServiceRequest/$explain: for the same input, what each rule looked at and what it made
// of it, for the order and for each candidate.
func (s *Server) explain(ctx context.Context, q *question) (*answer, error) {
	a, err := s.advised(ctx, q)
	if err != nil {
		return nil, err
	}
	return parameters(forEach(a, explained))
}

// forEach lists what is said of the orders: flat for one, under answer for several.
func forEach(a *advice.Advice, of func(*advice.Answer) []parameter) (list []parameter) {
	if len(a.Answers) == 1 {
		return of(&a.Answers[0])
	}
	for i := range a.Answers {
		one := &a.Answers[i]
		list = append(list, parameter{"name": "answer", "part": append([]parameter{{"name": "order", "valueString": one.Order.ID}}, of(one)...)})
	}
	return list
}

func parameters(list []parameter) (*answer, error) {
	body, err := json.Marshal(parameter{"resourceType": "Parameters", "parameter": list})
	if err != nil {
		return nil, err
	}
	return wholly(body), nil
}

// advised reads the question and has it answered.
func (s *Server) advised(ctx context.Context, q *question) (*advice.Advice, error) {
	if err := q.who.May(access.Search, "ServiceRequest"); err != nil {
		return nil, err
	}
	if s.Adviser == nil {
		return nil, &hub.Error{Kind: hub.Unsupported, Msg: "this hub gives no advice on recognition"}
	}
	asked, err := questionOfQuery(q)
	if q.given != nil {
		asked, err = questionOf(q.given)
	}
	if err != nil {
		return nil, err
	}
	if asked.Patient == "" {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "patient", Msg: "the operation needs the patient as a reference Patient/[id]"}
	}
	a, err := s.Adviser.Advise(ctx, q.who, asked)
	return &a, err
}

func questionOfQuery(q *question) (asked advice.Question, err error) {
	var e recognition.Exam
	for _, p := range q.params {
		switch p.Name {
		case "patient":
			asked.Patient = patientReference(p.Value)
		case "code":
			system, code, found := strings.Cut(p.Value, "|")
			if !found {
				system, code = "", system
			}
			e.Codes = append(e.Codes, recognition.Coding{System: system, Code: code})
		case "text":
			e.Text = append(e.Text, p.Value)
		case "encounter-class":
			asked.Class = p.Value
		case "exception":
			asked.Exceptions = append(asked.Exceptions, p.Value)
		case "time":
			if asked.At, err = moment("time", p.Value); err != nil {
				return asked, err
			}
		case "_format", "_pretty":
		default:
			return asked, unknownParameter(p.Name, p.Name)
		}
	}
	asked.Orders = []advice.Order{{ID: "order", Exam: e}}
	return asked, nil
}

func unknownParameter(path, name string) error {
	return &hub.Error{Kind: hub.Invalid, Path: path, Msg: "the operation has no parameter " + quote(name), Hint: "known are order, patient, code, text, encounter-class, exception and time"}
}

func moment(path, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &hub.Error{Kind: hub.Invalid, Path: path, Msg: "time is a dateTime with seconds and zone"}
	}
	return t, nil
}

func patientReference(s string) string {
	if s != "" && !strings.Contains(s, "/") {
		return "Patient/" + s
	}
	return s
}

func questionOf(doc *fhir.Doc) (asked advice.Question, err error) {
	root := doc.Root()
	if doc.Type() == "ServiceRequest" {
		asked.Patient = root.Get("subject").Get("reference").Text()
		asked.Orders = []advice.Order{{ID: idOf(root, "order"), Exam: advice.Exam(root)}}
		return asked, nil
	}
	if doc.Type() != "Parameters" {
		return asked, &hub.Error{Kind: hub.Invalid, Path: "resourceType", Msg: "the operation takes Parameters or a ServiceRequest"}
	}
	var loose recognition.Exam
	patient, i := "", -1
	for p := range root.Get("parameter").Items() {
		i++
		path := fmt.Sprintf("Parameters.parameter[%d]", i)
		switch name := p.Get("name").Text(); name {
		case "order":
			r := p.Get("resource")
			if r.Get("resourceType").Text() != "ServiceRequest" {
				return asked, &hub.Error{Kind: hub.Invalid, Path: path + ".resource", Msg: "an order is a ServiceRequest"}
			}
			asked.Orders = append(asked.Orders, advice.Order{ID: idOf(r, fmt.Sprintf("order[%d]", len(asked.Orders))), Exam: advice.Exam(r)})
			switch subject := r.Get("subject").Get("reference").Text(); {
			case patient == "":
				patient = subject
			case subject != "" && subject != patient:
				return asked, &hub.Error{Kind: hub.Invalid, Path: path + ".resource.subject", Msg: "the orders are for different patients", Hint: "ask about one patient at a time"}
			}
		case "patient":
			asked.Patient = p.Get("valueReference").Get("reference").Text()
		case "code":
			loose.Codes = append(loose.Codes, advice.Coding(p.Get("valueCoding")))
		case "text":
			loose.Text = append(loose.Text, p.Get("valueString").Text())
		case "encounter-class":
			asked.Class = p.Get("valueCode").Text()
		case "exception":
			asked.Exceptions = append(asked.Exceptions, p.Get("valueCode").Text())
		case "time":
			if asked.At, err = moment(path+".valueDateTime", p.Get("valueDateTime").Text()); err != nil {
				return asked, err
			}
		default:
			return asked, unknownParameter(path+".name", name)
		}
	}
	if asked.Patient == "" {
		asked.Patient = patient
	}
	if len(loose.Codes)+len(loose.Text) > 0 {
		asked.Orders = append(asked.Orders, advice.Order{ID: "order", Exam: loose})
	}
	return asked, nil
}

func idOf(order fhir.Value, otherwise string) string {
	if id := order.Get("id").Text(); id != "" {
		return "ServiceRequest/" + id
	}
	return otherwise
}
